"""`manage.py work`: run one worker of an installation on its own."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.commands import TranslatedCommand
from supportbot.embedded.data_dir import require_writable
from supportbot.embedded.separate_processes import work
from supportbot.embedded.setting_checks import require_part_settings


class Command(TranslatedCommand):
    help = gettext_noop("Check the settings, then run background tasks until SIGTERM.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--queues", default="", metavar="A,B", help=gettext("run only tasks of these queues"))

    def handle(self, *args: Any, **options: Any) -> None:
        require_part_settings()
        require_writable(settings.DATA_DIR)
        work(options["queues"])
