"""`manage.py down [--purge]`: end what runs on this DATA_DIR, from any terminal."""

import json
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from supportbot.embedded.datadir import DataDir, purge
from supportbot.embedded.processes import end_leftover
from supportbot.embedded.register import Register
from supportbot.installation.errors import EmbeddedError

# Running turns are drained, then every process has its own patience.
STOP_SECONDS = 60.0


class Command(BaseCommand):
    help = "Stop what `up` started on this DATA_DIR; with --purge also delete its data for good."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--purge", action="store_true", help="delete DATA_DIR and the database that belongs to it")
        parser.add_argument("--json", action="store_true", help="print what was done as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        data = DataDir(settings.DATA_DIR)
        try:
            data.check()
            has_stopped = stop_instance(data)
            has_purged = options["purge"] and purge(data)
        except EmbeddedError as refusal:
            raise CommandError(str(refusal)) from refusal
        if options["json"]:
            self.stdout.write(json.dumps({"stopped": has_stopped, "purged": has_purged}))
        else:
            self.stdout.write("Stopped." if has_stopped else f"Nothing runs on {data.path}.")
            if options["purge"]:
                self.stdout.write("Deleted the data." if has_purged else "There was no data to delete.")


def stop_instance(data: DataDir) -> bool:
    """End the supervisor, which ends the rest, then whatever a killed one left. True if something ran."""
    register = Register(data.register)
    running = register.running()
    supervisor = running.get("supervisor")
    if supervisor is not None and not end_leftover(supervisor, seconds=STOP_SECONDS, first=signal.SIGTERM):
        raise EmbeddedError(
            f"Process {supervisor.pid} cannot be ended by this user: run the command as the one who started it."
        )
    register.end_leftovers()
    return bool(running)
