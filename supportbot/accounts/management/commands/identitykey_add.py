"""`manage.py identitykey_add CHANNEL`: a second secret to sign identities with, so that a change needs no pause."""

from typing import Any

from django.core.management.base import CommandParser

from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.identitykeys import add_identity_key, channel_named
from supportbot.accounts.models import Workspace


class Command(WorkspaceCommand):
    help = "Add a signing secret to a channel; it is printed once and stored encrypted."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("channel", metavar="CHANNEL", help="the channel's public key, pk_…")

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        channel = channel_named(options["channel"])
        new = add_identity_key(channel)
        return {
            "workspace": workspace.slug,
            "channel": channel.key,
            "kid": new.kid,
            "identity_secret": new.secret,
        }
