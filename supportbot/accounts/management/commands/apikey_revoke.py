"""`manage.py apikey_revoke PREFIX`: revoke an API key."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.api_keys import revoke_api_key
from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.models import Workspace


class Command(WorkspaceCommand):
    help = gettext_noop("Revoke an API key immediately.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "prefix", metavar="PREFIX", help=gettext("the key up to its second underscore, as in sk_1a2b3c4d")
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        key = revoke_api_key(options["prefix"], actor=operator())
        return {
            "workspace": workspace.slug,
            "prefix": key.prefix,
            "name": key.name,
            "revoked": key.prefix,
            "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
        }
