"""`manage.py serve`: run only the web processes of an installation."""

from argparse import SUPPRESS
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.commands import TranslatedCommand
from supportbot.embedded.data_dir import require_writable
from supportbot.embedded.product_processes import APPLICATION
from supportbot.embedded.separate_processes import serve_here, serve_with_several
from supportbot.embedded.setting_checks import require_part_settings
from supportbot.installation.errors import StartRefused
from supportbot.installation.start_plan import plan_from_environment


class Command(TranslatedCommand):
    help = gettext_noop("Check the settings, then serve pages and chats on HOST and PORT until SIGTERM.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--processes", type=int, metavar="N", help=gettext("number of web processes (default: WEB_PROCESSES)")
        )
        # `serve` uses these to start its own processes; measurements and tests use them to run other applications.
        parser.add_argument("application", nargs="?", default=APPLICATION, help=SUPPRESS)
        parser.add_argument("--lifespan", choices=["on", "off"], default="on", help=SUPPRESS)
        parser.add_argument("--share-port", action="store_true", help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        require_part_settings()
        require_writable(settings.DATA_DIR)
        processes = settings.WEB_PROCESSES if options["processes"] is None else options["processes"]
        if processes < 1:
            raise StartRefused(gettext("--processes must be at least 1; otherwise, nothing would be served."))
        plan = replace(plan_from_environment(), web_processes=processes)
        application, lifespan = options["application"], options["lifespan"]
        if processes > 1:
            serve_with_several(plan, application, lifespan=lifespan)
        else:
            serve_here(plan, application, lifespan=lifespan, is_shared=options["share_port"])
