"""The two roles of a database: the owner migrates, backs up and restores; the application's role works with rows.

A faulty query or an injection through the product therefore cannot create or alter tables, switch off triggers, read
the server's files, or change the audit trail, which this role may only append to.
"""

from typing import Any, Final
from urllib.parse import unquote, urlsplit

import psycopg
from django.utils.translation import gettext
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict

from supportbot.embedded.servers.external_servers import DatabaseAway, connect, without_secrets
from supportbot.installation.errors import StartRefused
from supportbot.postgresql import LIMITS

APPEND_ONLY: Final = ("actions_auditentry",)
READ_ONLY: Final = ("django_migrations",)
DEFAULT_PORT: Final = "5432"
Connection = psycopg.Connection[Any]


def role_of(url: str) -> str:
    """Return the name of the role in a database URL."""
    return unquote(urlsplit(url).username or "")


def refuse_two_databases(owner_url: str, application_url: str) -> None:
    """Raise StartRefused if the two URLs lead to different databases, because a backup could then copy the wrong one.

    The servers are asked, since two URLs for one database may differ: a pooler in front of it may give it a different
    name. If the application cannot log in, for example because its role has not been created yet, the names in the URLs
    are compared, but only if both URLs name the same server. Otherwise, nothing is known, and the code that needs the
    login reports that it failed.
    """
    with connect(owner_url, variable="DATABASE_OWNER_URL") as connection:
        owner = _identity(connection)
    try:
        with connect(application_url) as connection:
            application = _identity(connection)
    except DatabaseAway:
        if server_of(application_url) != server_of(owner_url):
            return
        application = (unquote(urlsplit(application_url).path.strip("/")) or owner[0], *owner[1:])
    if any(mine != other for mine, other in zip(owner, application, strict=True) if None not in (mine, other)):
        raise StartRefused(
            gettext(
                "DATABASE_URL {application} and DATABASE_OWNER_URL {owner} point to different databases. Correct the "
                "one that does not point to the installation's database."
            ).format(application=without_secrets(application_url), owner=without_secrets(owner_url))
        )


def server_of(url: str) -> object:
    """Return the host and port in a database URL, or None if it cannot be parsed."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return None
    return parts.get("host"), parts.get("port", DEFAULT_PORT)


def _identity(connection: Connection) -> tuple[object, object, object]:
    """Return the database's name, its number, and its cluster's identifier, which is None if the role may not
    read it.
    """
    row = connection.execute(
        "SELECT current_database(), oid FROM pg_database WHERE datname = current_database()"
    ).fetchone()
    assert row is not None  # the current database always exists
    try:
        cluster = connection.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
    except (errors.InsufficientPrivilege, errors.UndefinedFunction, errors.FeatureNotSupported):
        cluster = None
    return row[0], row[1], cluster[0] if cluster else None


def create_application_role(connection: Connection, name: str, password: str) -> None:
    """Create the role, or set its password and revoke privileges that it should not have. Needs a superuser."""
    role = sql.Identifier(name)
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    if known is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD {}").format(
            role, sql.Literal(password)
        )
    )


def divide(owner_url: str, application_url: str) -> None:
    """Give the application's role its privileges and limits. Does nothing if there is only one role. Call this after
    migrations.

    A missing role is created with the password in its URL, if the owner is allowed to do that.
    """
    name = role_of(application_url)
    if not name or name == role_of(owner_url):
        return
    with connect(owner_url) as connection, connection.transaction():
        if _is_missing(connection, name):
            create_application_role(connection, name, unquote(urlsplit(application_url).password or ""))
        grant(connection, name)
    with connect(application_url) as connection:
        limit(connection)


def grant(connection: Connection, name: str) -> None:
    """Let the role read and write the rows of all current and future tables, but nothing else."""
    schema = connection.execute("SELECT quote_ident(current_schema()), quote_ident(current_database())").fetchone()
    assert schema is not None  # the query returns one row
    names = {"role": sql.Identifier(name), "schema": sql.SQL(schema[0]), "database": sql.SQL(schema[1])}
    for statement in (
        "REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {role}",
        "REVOKE CREATE, TEMPORARY ON DATABASE {database} FROM PUBLIC, {role}",
        "GRANT CONNECT ON DATABASE {database} TO {role}",
        "GRANT USAGE ON SCHEMA {schema} TO {role}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
        # With this, running processes can use the tables of a later migration at once.
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {role}",
    ):
        connection.execute(sql.SQL(statement).format(**names))
    for tables, rights in ((APPEND_ONLY, "UPDATE, DELETE"), (READ_ONLY, "INSERT, UPDATE, DELETE")):
        for table in _existing(connection, tables):
            connection.execute(
                sql.SQL("REVOKE {rights} ON {table} FROM {role}").format(
                    rights=sql.SQL(rights), table=sql.Identifier(table), **names
                )
            )


def _is_missing(connection: Connection, name: str) -> bool:
    """Return whether the role is missing and the logged-in role may create it."""
    row = connection.execute(
        "SELECT NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = %s) AND rolsuper FROM pg_roles"
        " WHERE rolname = current_user",
        (name,),
    ).fetchone()
    assert row is not None  # the current role always exists
    return bool(row[0])


def _existing(connection: Connection, tables: tuple[str, ...]) -> list[str]:
    """Return which of these tables exist. Before the first migration, none do."""
    found = connection.execute(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL", [list(tables)]
    )
    return [str(name) for (name,) in found]


def limit(connection: Connection) -> None:
    """Set the limits of the logged-in role. They apply to connections that it opens later."""
    for setting, value in LIMITS.items():
        connection.execute(
            sql.SQL("ALTER ROLE CURRENT_USER SET {} = {}").format(sql.Identifier(setting), sql.Literal(value))
        )


def may_write(connection: Connection) -> bool:
    """Return whether the logged-in role may store rows.

    Before the first migration, no privileges have been granted yet, so this is True.
    """
    row = connection.execute(
        "SELECT coalesce(has_table_privilege(to_regclass('chat_message'), 'INSERT'), true)"
    ).fetchone()
    assert row is not None  # the query returns one row
    return bool(row[0])


def weaknesses(connection: Connection) -> str:
    """Return which privileges the logged-in role has but does not need, as text; "" if there are none."""
    row = connection.execute(
        "SELECT r.rolsuper OR r.rolbypassrls, has_schema_privilege(current_schema(), 'CREATE'),"
        " coalesce(has_table_privilege(to_regclass('actions_auditentry'), 'UPDATE'), false)"
        " FROM pg_roles r WHERE r.rolname = current_user"
    ).fetchone()
    assert row is not None  # the current role always exists
    is_almighty, may_create, may_rewrite = row
    if is_almighty:
        return gettext("it is a superuser")
    if may_create or may_rewrite:
        return gettext("it may alter tables and change the audit trail")
    return ""
