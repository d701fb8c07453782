"""`manage.py identitykey_revoke CHANNEL KID`: revoke a signing key."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.channels import channel_named
from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.identity_keys import revoke_identity_key
from supportbot.accounts.models import Workspace


class Command(WorkspaceCommand):
    help = gettext_noop("Revoke a channel's signing key immediately.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("channel", metavar="CHANNEL", help=gettext("the channel's public key, pk_…"))
        parser.add_argument("kid", metavar="KID", help=gettext("the key's name; the first key is 1"))

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        channel = channel_named(options["channel"])
        revoked_at = revoke_identity_key(channel, options["kid"], actor=operator())
        return {
            "workspace": workspace.slug,
            "channel": channel.key,
            "revoked": options["kid"],
            "revoked_at": revoked_at.isoformat(),
        }
