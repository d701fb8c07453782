"""Management commands that a start runs to their end, each in a process of its own with its output in the logs."""

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from supportbot.embedded.external import connect
from supportbot.embedded.processes import spawn, stop
from supportbot.installation.errors import StartRefused

OWN_PACKAGES = {"supportbot", "kb", "actions"}


@dataclass(frozen=True)
class CommandRunner:
    logs: Path
    environment: Mapping[str, str]

    def run(self, name: str, *options: str) -> str:
        """Return what the command printed. Raises StartRefused with its last words when it fails."""
        answer, log = self.logs / f"{name}.out", self.logs / f"{name}.log"
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), name, *options]
        with answer.open("wb") as output, log.open("wb") as errors:
            process = spawn(command, output=output, errors=errors, environment=self.environment)
            try:
                code = process.wait()
            finally:  # a stop signal in the middle: the command goes first, the database after it
                stop(process, (signal.SIGTERM, 5.0))
        text = answer.read_text(encoding="utf-8")
        answer.unlink()  # it may hold an API key; a log must not
        if code != 0:
            raise StartRefused(f"`manage.py {name}` failed: {last_words(log)} (the whole log is in {log}).")
        return text


def pending_migrations(database_url: str) -> list[str]:
    """Return what `migrate` would apply, told from files and one query: 0.1 s instead of a second for nothing."""
    return sorted(f"{app}.{name}" for app, name in _on_disk().keys() - applied_migrations(database_url))


def refuse_newer_schema(database_url: str) -> None:
    """Raise StartRefused when a newer version has migrated this database: old code would write what it breaks."""
    refuse_newer(applied_migrations(database_url), "The database")


def refuse_newer(applied: set[tuple[str, str]], what: str) -> None:
    """Raise StartRefused when migrations of ours are among these that this version does not know."""
    on_disk = _on_disk()
    replaced = {old for migration in on_disk.values() for old in migration.replaces}
    # Other apps' rows in the table are none of ours: a database may be shared, and libraries come and go.
    ours = {app.label for app in apps.get_app_configs() if app.name.partition(".")[0] in OWN_PACKAGES}
    unknown = sorted(f"{app}.{name}" for app, name in applied - on_disk.keys() - replaced if app in ours)
    if unknown:
        raise StartRefused(
            f"{what} was migrated by a newer version of SupportBot ({unknown[-1]} is not known here): start the "
            "newer version, or restore the back-up from before the upgrade."
        )


def _on_disk() -> dict[tuple[str, str], Migration]:
    return MigrationLoader(None, ignore_no_migrations=True).disk_migrations


def applied_migrations(database_url: str) -> set[tuple[str, str]]:
    """Return (app, name) of every migration the database has seen; none for an empty one."""
    with connect(database_url) as connection:
        known = connection.execute("SELECT to_regclass('django_migrations') IS NOT NULL").fetchone()
        rows = connection.execute("SELECT app, name FROM django_migrations").fetchall() if known == (True,) else []
    return {(str(app), str(name)) for app, name in rows}


def last_words(log: Path) -> str:
    """Return the last line of a log, which is where Python says what went wrong."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1].strip().rstrip(".") if lines else "it ended without a word"
