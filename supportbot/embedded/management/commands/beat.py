"""`manage.py beat`: run only the scheduler of an installation. Exactly one must be running."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.commands import TranslatedCommand, a_path
from supportbot.embedded.data_dir import require_writable
from supportbot.embedded.separate_processes import beat
from supportbot.embedded.setting_checks import require_part_settings


class Command(TranslatedCommand):
    help = gettext_noop("Check the settings, then schedule periodic tasks until SIGTERM. Run exactly one.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--schedule",
            type=a_path,
            default=Path(settings.DATA_DIR) / "beat" / "schedule",
            metavar="FILE",
            help=gettext("file that records which tasks were started; losing it does no harm"),
        )

    def handle(self, *args: Any, **options: Any) -> None:
        require_part_settings()
        if options["schedule"].is_relative_to(settings.DATA_DIR):
            require_writable(settings.DATA_DIR)
        beat(options["schedule"])
