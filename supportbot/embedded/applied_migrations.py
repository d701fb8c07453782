"""Reads which migrations have been applied to a database, with a plain connection, before Django has one."""

from django.apps import apps
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.utils.translation import gettext

from supportbot.commands import OWN_PACKAGES
from supportbot.embedded.servers.external_servers import connect
from supportbot.installation.errors import StartRefused


def pending_migrations(database_url: str) -> list[str]:
    """Return the migrations that `migrate` would apply. Takes 0.1 s, while the command takes a second."""
    return sorted(f"{app}.{name}" for app, name in _on_disk().keys() - applied_migrations(database_url))


def refuse_newer_schema(database_url: str) -> None:
    """Raise StartRefused if a newer version has migrated this database, which older code would corrupt."""
    refuse_newer(applied_migrations(database_url), gettext("The database"))


def refuse_newer(applied: set[tuple[str, str]], what: str) -> None:
    """Raise StartRefused if `applied` includes one of our migrations that this version does not know.

    `what` names the database or backup.
    """
    if unknown := newer_migration(applied):
        raise StartRefused(
            gettext(
                "{what} was migrated by a newer version of SupportBot ({unknown} is unknown here). Start the newer "
                "version, or restore the backup from before the upgrade."
            ).format(what=what, unknown=unknown)
        )


def newer_migration(applied: set[tuple[str, str]]) -> str:
    """Return the last of the applied migrations that is ours but unknown to this version; "" if there is none."""
    on_disk = _on_disk()
    replaced = {old for migration in on_disk.values() for old in migration.replaces}
    unknown = sorted(f"{app}.{name}" for app, name in ours(applied - on_disk.keys() - replaced))
    return unknown[-1] if unknown else ""


def ours(applied: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return only the migrations of our own apps. A database may be shared, and libraries come and go."""
    labels = {app.label for app in apps.get_app_configs() if app.name.partition(".")[0] in OWN_PACKAGES}
    return {(app, name) for app, name in applied if app in labels}


def _on_disk() -> dict[tuple[str, str], Migration]:
    return MigrationLoader(None, ignore_no_migrations=True).disk_migrations


def applied_migrations(database_url: str) -> set[tuple[str, str]]:
    """Return every applied migration as (app, name); none for an empty database."""
    with connect(database_url) as connection:
        known = connection.execute("SELECT to_regclass('django_migrations') IS NOT NULL").fetchone()
        rows = connection.execute("SELECT app, name FROM django_migrations").fetchall() if known == (True,) else []
    return {(str(app), str(name)) for app, name in rows}
