"""`manage.py merchant_connect URL`: connect a workspace to a merchant's API. The secret comes from standard input, so
it appears neither in the process list nor in the shell's history."""

import getpass
import sys
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from actions.merchant_connection import connect_merchant
from actions.models import ActionPolicy
from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.models import Workspace


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Connect a workspace to its merchant's API. Asks for the Standard Webhooks secret, or reads it from a pipe."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("url", metavar="URL", help=gettext("base URL of the merchant API"))

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        secret = (
            getpass.getpass(gettext("Secret ({prefix}):").format(prefix="whsec_…") + " ")
            if sys.stdin.isatty()
            else sys.stdin.readline()
        )
        connection = connect_merchant(options["url"], secret.strip(), actor=operator())
        switches = dict(ActionPolicy.objects.order_by("action").values_list("action", "is_enabled"))
        return {
            "workspace": workspace.slug,
            "merchant": connection.base_url,
            "actions": list(switches),
            "switched_off": [action for action, is_enabled in switches.items() if not is_enabled],
        }
