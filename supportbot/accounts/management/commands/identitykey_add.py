"""`manage.py identitykey_add CHANNEL`: add a signing key, to rotate keys without downtime."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.channels import channel_named
from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.identity_keys import add_identity_key, add_public_key
from supportbot.accounts.models import Workspace
from supportbot.commands import a_path


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Add a signing key to a channel: a secret (HS256), printed once and stored encrypted, or a public key (ES256)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("channel", metavar="CHANNEL", help=gettext("the channel's public key, pk_…"))
        parser.add_argument(
            "--public-key",
            metavar="FILE",
            type=a_path,
            help=gettext("your own public key (PEM, P-256), for tokens signed with ES256"),
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        channel = channel_named(options["channel"])
        path = options["public_key"]
        if path is None:
            new = add_identity_key(channel, actor=operator())
        else:
            new = add_public_key(channel, _read(path), actor=operator())
        algorithm = "HS256" if path is None else "ES256"
        facts = {"workspace": workspace.slug, "channel": channel.key, "kid": new.kid, "algorithm": algorithm}
        return facts | ({"identity_secret": new.secret} if new.secret else {})


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError as error:
        raise CommandError(
            gettext("{path} cannot be read: {strerror}.").format(path=path, strerror=error.strerror)
        ) from error
    except UnicodeDecodeError as error:
        raise CommandError(gettext("{path} is not a PEM file.").format(path=path)) from error
