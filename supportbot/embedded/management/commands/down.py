"""`manage.py down [--purge]`: stop the instance that is running on this DATA_DIR, from any terminal."""

import json
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.commands import TranslatedCommand
from supportbot.embedded.child_processes import terminate
from supportbot.embedded.data_dir import DataDir, purge
from supportbot.embedded.process_registry import ProcessRegistry
from supportbot.installation.errors import InstallationError

# Running turns finish first; then each process has its own time-out.
STOP_SECONDS = 60.0


class Command(TranslatedCommand):
    help = gettext_noop("Stop what `up` started on this DATA_DIR. With --purge, also delete its data permanently.")
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--purge", action="store_true", help=gettext("delete DATA_DIR and its database"))
        parser.add_argument("--json", action="store_true", help=gettext("print the result as JSON"))

    def handle(self, *args: Any, **options: Any) -> None:
        data = DataDir(settings.DATA_DIR)
        try:
            data.check()
            has_stopped = stop_instance(data)
            has_purged = options["purge"] and purge(data)
        except InstallationError as refusal:
            raise CommandError(str(refusal)) from refusal
        if options["json"]:
            self.stdout.write(json.dumps({"stopped": has_stopped, "purged": has_purged}))
        else:
            self.stdout.write(
                gettext("Stopped.") if has_stopped else gettext("Nothing is running in {path}.").format(path=data.path)
            )
            if options["purge"]:
                self.stdout.write(
                    gettext("Deleted the data.") if has_purged else gettext("There was no data to delete.")
                )


def stop_instance(data: DataDir) -> bool:
    """Stop the supervisor, which stops everything else, then end orphans. Return whether anything was running."""
    registry = ProcessRegistry(data.processes_file)
    running = registry.running()
    supervisor = running.get("supervisor")
    if supervisor is not None and not terminate(supervisor, seconds=STOP_SECONDS, first=signal.SIGTERM):
        raise InstallationError(
            gettext(
                "This user is not allowed to stop process {pid}. Run the command as the user that started SupportBot."
            ).format(pid=supervisor.pid)
        )
    registry.end_orphans()
    return bool(running)
