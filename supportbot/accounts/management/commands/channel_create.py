"""`manage.py channel_create NAME`: create a channel and print its embed code."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.channels import create_channel, snippet
from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.models import Workspace


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Create a channel. Prints its public key, the signing secret for identities (once) and the embed code."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name")
        parser.add_argument(
            "--origin",
            action="append",
            default=[],
            metavar="URL",
            help=gettext("a site that embeds the widget; may be repeated"),
        )
        parser.add_argument("--locale", default="")
        parser.add_argument("--greeting", default="")

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        new = create_channel(
            workspace,
            options["name"],
            allowed_origins=options["origin"],
            locale=options["locale"],
            greeting=options["greeting"],
            actor=operator(),
        )
        return {
            "workspace": workspace.slug,
            "channel": new.channel.key,
            "identity_secret": new.identity_secret,
            "snippet": snippet(new.channel),
        }
