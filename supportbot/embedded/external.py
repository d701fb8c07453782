"""Servers that the operator named: probed with plain connections, which tell the cause at once (a pool would not)."""

from urllib.parse import unquote_plus, urlsplit, urlunsplit

import psycopg
import redis
from kombu import Connection
from kombu.exceptions import KombuError
from psycopg import sql

from supportbot.installation.errors import StartRefused

CONNECT_SECONDS = 3
OLDEST_POSTGRES = 16
OLDEST_PGVECTOR = (0, 8)
OLDEST_REDIS = 7
# What a transport of kombu raises for an address, an option or a missing package of its own; NameError among them.
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, NameError, ImportError)
# Query keys of libpq, Redis and AMQP addresses that hold a secret or say where one lies.
_SECRET_KEYS = {"password", "sslpassword", "passfile", "sslkey", "ssl_password", "ssl_keyfile"}
EXTENSIONS = ("vector",)


def probe_database(url: str) -> str:
    """Return the server's version in words. Raises StartRefused naming cause and way out; changes nothing."""
    with connect(url) as connection:
        version = connection.info.server_version // 10000
        if version < OLDEST_POSTGRES:
            raise StartRefused(
                f"DATABASE_URL leads to PostgreSQL {version}, but {OLDEST_POSTGRES} is the oldest that works: upgrade "
                "the server, or unset DATABASE_URL to use the embedded one."
            )
        if connection.info.parameter_status("server_encoding") != "UTF8":
            raise StartRefused("The database of DATABASE_URL is not in UTF8: create one with ENCODING 'UTF8'.")
        pgvector = _require_extensions(connection)
    return f"PostgreSQL {version} with pgvector {pgvector}"


def create_extensions(url: str) -> None:
    """Create what is missing. Raises StartRefused with the SQL for the administrator when the role may not."""
    with connect(url) as connection:
        rows = connection.execute("SELECT extname FROM pg_extension").fetchall()
        missing = [name for name in EXTENSIONS if (name,) not in rows]
        try:
            for name in missing:
                connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege as error:
            line = " ".join(f"CREATE EXTENSION IF NOT EXISTS {name};" for name in missing)
            raise StartRefused(
                f"The role of DATABASE_URL may not create extensions: let an administrator run, in the database "
                f"{connection.info.dbname}: {line}"
            ) from error


def probe_redis(url: str) -> str:
    """Return the server's version in words. Raises StartRefused."""
    try:
        with redis.Redis.from_url(
            url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS
        ) as client:
            version = str(client.info("server")["redis_version"])
    except (redis.RedisError, ValueError, TypeError, OSError) as error:  # TypeError: an option it does not know
        raise StartRefused(
            f"REDIS_URL {without_password(url)} does not answer: {_one_line(error)}; mend it, or unset it to use the "
            "embedded Valkey."
        ) from error
    if int(version.partition(".")[0]) < OLDEST_REDIS:
        raise StartRefused(
            f"REDIS_URL leads to version {version}, but Redis or Valkey {OLDEST_REDIS} is the oldest that works."
        )
    return f"version {version}"


def probe_broker(url: str) -> str:
    """Return "it answers". Raises StartRefused."""
    try:
        with Connection(url, connect_timeout=CONNECT_SECONDS) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
    except (KombuError, OSError, *_UNREADABLE) as error:
        raise StartRefused(
            f"CELERY_BROKER_URL {without_password(url)} does not answer: {_one_line(error)}; mend it, or unset it: "
            "then tasks go to REDIS_URL or the embedded Valkey."
        ) from error
    return "it answers"


def without_password(url: str) -> str:
    """Return the URL fit for a terminal."""
    try:
        parts = urlsplit(url)
    except ValueError:  # it cannot be taken apart, so nobody knows where its password stands
        return "(not a readable address)"
    parts = parts._replace(query="&".join(_without_secret(pair) for pair in parts.query.split("&")))
    if "@" in parts.netloc:
        login, _, host = parts.netloc.rpartition("@")
        name, colon, _ = login.partition(":")
        parts = parts._replace(netloc=f"{name}{':…' if colon else ''}@{host}")
    return urlunsplit(parts)


def _without_secret(pair: str) -> str:
    key, _, _ = pair.partition("=")
    return f"{key}=…" if unquote_plus(key).strip().lower() in _SECRET_KEYS else pair


def connect(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    if urlsplit(url).scheme not in ("postgres", "postgresql"):
        raise StartRefused("DATABASE_URL must look like postgres://user:password@host:5432/name.")
    try:
        return psycopg.connect(_libpq_url(url), connect_timeout=CONNECT_SECONDS, autocommit=True)
    except psycopg.Error as error:
        raise StartRefused(
            f"DATABASE_URL {without_password(url)} does not lead to a database: {_one_line(error)}; mend it, or unset "
            "it to use the embedded PostgreSQL."
        ) from error


def _libpq_url(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(scheme="postgresql"))


def _require_extensions(connection: "psycopg.Connection[tuple[object, ...]]") -> str:
    rows = connection.execute("SELECT name, default_version FROM pg_available_extensions").fetchall()
    offered = {str(name): str(version) for name, version in rows}
    lacking = [name for name in EXTENSIONS if name not in offered]
    if lacking:
        raise StartRefused(
            f"The server of DATABASE_URL does not have the extension {lacking[0]}: install it there (on Debian "
            "postgresql-NN-pgvector), or unset DATABASE_URL to use the embedded PostgreSQL."
        )
    version = offered["vector"]
    if _first_two(version) < OLDEST_PGVECTOR:
        raise StartRefused(f"The server of DATABASE_URL has pgvector {version}: install 0.8 or newer there.")
    return _require_installed_pgvector(connection) or version


def _require_installed_pgvector(connection: "psycopg.Connection[tuple[object, ...]]") -> str | None:
    """Return the version inside this database, None before it has the extension: new packages do not update it."""
    row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if row is None:
        return None
    version = str(row[0])
    if _first_two(version) < OLDEST_PGVECTOR:
        raise StartRefused(
            f"The database of DATABASE_URL still uses pgvector {version}: let an administrator run, in the database "
            f"{connection.info.dbname}: ALTER EXTENSION vector UPDATE;"
        )
    return version


def _first_two(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _one_line(error: BaseException) -> str:
    """Return the reason without libpq's repetition of the address and without its questions on the next lines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = (lines or [type(error).__name__])[0].rpartition(" failed: ")[2]
    return reason.removeprefix("FATAL:").strip().rstrip(".")
