"""Probes the operator's own servers. Plain connections report at once why they fail, which a pool does not do."""

from typing import Any
from urllib.parse import unquote_plus, urlsplit, urlunsplit

import psycopg
import redis
from django.utils.translation import gettext
from kombu import Connection
from kombu.exceptions import KombuError
from psycopg import sql

from supportbot.installation.errors import StartRefused

CONNECT_SECONDS = 3
_POOLER_TRIES = 3
OLDEST_POSTGRES = 16
OLDEST_PGVECTOR = (0, 8)
OLDEST_REDIS = 7
# The errors of kombu's transports for an invalid URL, an invalid option or a missing package, including NameError.
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, NameError, ImportError)
# Query keys of libpq, Redis and AMQP URLs that contain a secret or the path to one.
_SECRET_KEYS = {"password", "sslpassword", "passfile", "sslkey", "ssl_password", "ssl_keyfile"}
EXTENSIONS = ("vector",)


class DatabaseAway(StartRefused):
    """The database cannot be opened; this may be temporary."""


def probe_database(url: str) -> str:
    """Return the server's version as text without changing anything. Raises StartRefused with the cause and the fix."""
    with connect(url) as connection:
        version = connection.info.server_version // 10000
        if version < OLDEST_POSTGRES:
            raise StartRefused(
                gettext(
                    "DATABASE_URL points to PostgreSQL {version}, but at least {oldest_postgres} is required. "
                    "Upgrade the server, or unset DATABASE_URL to use the embedded one."
                ).format(version=version, oldest_postgres=OLDEST_POSTGRES)
            )
        if connection.info.parameter_status("server_encoding") != "UTF8":
            raise StartRefused(
                gettext("The database in DATABASE_URL does not use UTF8. Create one with ENCODING 'UTF8'.")
            )
        refuse_read_only(connection)
        pgvector = _require_extensions(connection)
    refuse_transaction_pooling(url)
    return gettext("PostgreSQL {version} with pgvector {pgvector}").format(version=version, pgvector=pgvector)


def most_connections(url: str) -> int:
    """Return how many connections the role in the URL can open if nobody else uses the server."""
    with connect(url) as connection:
        row = connection.execute(
            "SELECT least(current_setting('max_connections')::int"
            " - current_setting('superuser_reserved_connections')::int,"
            " nullif(r.rolconnlimit, -1), nullif(d.datconnlimit, -1))"
            " FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()"
        ).fetchone()
    assert row is not None  # the current role and database exist
    return int(str(row[0]))


def is_read_only(connection: "psycopg.Connection[Any]") -> bool:
    """Return whether nothing can be written, because this is a standby, or the database or the role is read-only."""
    return connection.execute("SHOW transaction_read_only").fetchone() == ("on",)


def refuse_read_only(connection: "psycopg.Connection[Any]") -> None:
    """Raise StartRefused if nothing can be written."""
    if is_read_only(connection):
        raise StartRefused(
            gettext("The database in DATABASE_URL is read-only. Use the address of a server that accepts writes.")
        )


def refuse_transaction_pooling(url: str) -> None:
    """Raise StartRefused if a pooler in transaction mode lets several of our connections share a server connection.

    A session's locks and settings would then affect other sessions. Such a pooler is detected if two of our connections
    have the same server process, or one has several in turn because the pooler has spare connections.
    """
    try:
        with connect(url) as one, connect(url) as other:
            processes = [(_backend(one), _backend(other)) for _ in range(_POOLER_TRIES)]
    except psycopg.Error as error:  # the connection was lost right after it was opened
        raise _away(url, "DATABASE_URL", error) from error
    if len(set(processes)) > 1 or processes[0][0] == processes[0][1]:
        raise StartRefused(
            gettext(
                "DATABASE_URL points to a connection pooler in transaction mode. Switch it to session mode, or use "
                "PostgreSQL's own address."
            )
        )


def _backend(connection: "psycopg.Connection[Any]") -> object:
    return connection.execute("SELECT pg_backend_pid()").fetchone()


def create_extensions(url: str, *, variable: str = "DATABASE_URL") -> None:
    """Create missing extensions. Raises StartRefused, with the SQL for an administrator, if the role may not do that.
    `variable` is the setting that contains the URL.
    """
    with connect(url, variable=variable) as connection:
        create_extensions_in(connection, variable=variable)


def require_extensions(url: str, *, variable: str) -> None:
    """Raise StartRefused, as `create_extensions` does, if a missing extension is not available on the server or the
    role may not create it. Changes nothing.
    """
    with connect(url, variable=variable) as connection:
        refuse_read_only(connection)
        _require_extensions(connection)
        with connection.transaction(force_rollback=True):
            create_extensions_in(connection, variable=variable)


def create_extensions_in(connection: "psycopg.Connection[Any]", *, variable: str = "DATABASE_URL") -> None:
    """Create missing extensions over a connection in autocommit mode.

    `variable` is the setting that contains its URL. Raises StartRefused.
    """
    rows = connection.execute("SELECT extname FROM pg_extension").fetchall()
    missing = [name for name in EXTENSIONS if (name,) not in rows]
    try:
        for name in missing:
            connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name)))
    except psycopg.errors.InsufficientPrivilege as error:
        line = " ".join(f"CREATE EXTENSION IF NOT EXISTS {name};" for name in missing)
        raise StartRefused(
            gettext(
                "The role in {variable} is not allowed to create extensions. Ask an administrator to run this in the "
                "database {dbname}: {line}"
            ).format(variable=variable, dbname=connection.info.dbname, line=line)
        ) from error


def probe_redis(url: str) -> str:
    """Return the server's version as text. Raises StartRefused."""
    try:
        with redis.Redis.from_url(
            url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS
        ) as client:
            version = str(client.info("server")["redis_version"])
            policy = str(client.info("memory").get("maxmemory_policy", ""))
    except (redis.RedisError, ValueError, TypeError, OSError) as error:  # TypeError: an unknown option
        raise StartRefused(
            gettext(
                "REDIS_URL {url} does not respond: {error}. Correct it, or unset it to use the embedded Valkey."
            ).format(url=without_secrets(url), error=_one_line(error))
        ) from error
    if int(version.partition(".")[0]) < OLDEST_REDIS:
        raise StartRefused(
            gettext(
                "REDIS_URL points to version {version}, but at least Valkey or Redis {oldest_redis} is required."
            ).format(version=version, oldest_redis=OLDEST_REDIS)
        )
    if policy and policy != "noeviction":
        return gettext(
            "version {number}, but it may drop tasks when its memory is full: set maxmemory-policy noeviction (now "
            "{policy})"
        ).format(number=version, policy=policy)
    return gettext("version {number}").format(number=version)


def probe_broker(url: str) -> str:
    """Return "responds". Raises StartRefused."""
    try:
        with Connection(url, connect_timeout=CONNECT_SECONDS) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
    except (KombuError, OSError, *_UNREADABLE) as error:
        raise StartRefused(
            gettext(
                "CELERY_BROKER_URL {url} does not respond: {error}. Correct it, or unset it to use REDIS_URL or the "
                "embedded Valkey."
            ).format(url=without_secrets(url), error=_one_line(error))
        ) from error
    return gettext("responds")


def without_secrets(url: str) -> str:
    """Return the URL with its secrets masked."""
    try:
        parts = urlsplit(url)
    except ValueError:  # it cannot be parsed, so the position of its password is unknown
        return gettext("(not a valid URL)")
    parts = parts._replace(query="&".join(_without_secret(pair) for pair in parts.query.split("&")))
    if "@" in parts.netloc:
        login, _, host = parts.netloc.rpartition("@")
        name, colon, _ = login.partition(":")
        parts = parts._replace(netloc=f"{name}{':…' if colon else ''}@{host}")
    return urlunsplit(parts)


def _without_secret(pair: str) -> str:
    key, _, _ = pair.partition("=")
    return f"{key}=…" if unquote_plus(key).strip().lower() in _SECRET_KEYS else pair


def connect(url: str, *, variable: str = "DATABASE_URL") -> "psycopg.Connection[tuple[object, ...]]":
    """Open a connection in autocommit mode. Raises StartRefused, or DatabaseAway, which names the variable."""
    if urlsplit(url).scheme not in ("postgres", "postgresql"):
        raise StartRefused(gettext("DATABASE_URL must look like postgres://user:password@host:5432/name."))
    try:
        return psycopg.connect(_libpq_url(url), connect_timeout=CONNECT_SECONDS, autocommit=True)
    except psycopg.Error as error:
        raise _away(url, variable, error) from error


def _away(url: str, variable: str, error: psycopg.Error) -> DatabaseAway:
    if variable != "DATABASE_URL":
        sentence = gettext("{variable} {url} could not be opened: {error}. Correct it.")
    else:
        sentence = gettext(
            "DATABASE_URL {url} could not be opened: {error}. Correct it, or unset it to use the embedded PostgreSQL."
        )
    return DatabaseAway(sentence.format(variable=variable, url=without_secrets(url), error=_one_line(error)))


def _libpq_url(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(scheme="postgresql"))


def _require_extensions(connection: "psycopg.Connection[tuple[object, ...]]") -> str:
    rows = connection.execute("SELECT name, default_version FROM pg_available_extensions").fetchall()
    offered = {str(name): str(version) for name, version in rows}
    missing = [name for name in EXTENSIONS if name not in offered]
    if missing:
        raise StartRefused(
            gettext(
                "The server in DATABASE_URL does not have the extension {missing}. Install it there (on Debian "
                "postgresql-NN-pgvector), or unset DATABASE_URL to use the embedded PostgreSQL."
            ).format(missing=missing[0])
        )
    version = offered["vector"]
    if _first_two(version) < OLDEST_PGVECTOR:
        raise StartRefused(
            gettext(
                "The server in DATABASE_URL has pgvector {version}. Install version 0.8 or newer on that server."
            ).format(version=version)
        )
    return _require_installed_pgvector(connection) or version


def _require_installed_pgvector(connection: "psycopg.Connection[tuple[object, ...]]") -> str | None:
    """Return the version of the extension in this database, or None if it has not been created.

    Installing new packages does not update it.
    """
    row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if row is None:
        return None
    version = str(row[0])
    if _first_two(version) < OLDEST_PGVECTOR:
        raise StartRefused(
            gettext(
                "The database in DATABASE_URL still uses pgvector {version}. Ask an administrator to run this in the "
                "database {dbname}: ALTER EXTENSION vector UPDATE;"
            ).format(version=version, dbname=connection.info.dbname)
        )
    return version


def _first_two(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _one_line(error: BaseException) -> str:
    """Return only the reason. libpq repeats the address before it, and adds hints on further lines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = (lines or [type(error).__name__])[0].rpartition(" failed: ")[2]
    return reason.removeprefix("FATAL:").strip().rstrip(".")
