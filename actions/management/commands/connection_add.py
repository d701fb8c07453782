"""`manage.py connection_add NAME URL`: connect the workspace to an API. The secret comes from standard input, so it
appears neither in the process list nor in the shell's history."""

import getpass
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from actions.connections import services
from actions.connections.auth import Auth
from actions.connections.auth_kinds import KINDS
from actions.connections.models import Environment
from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.models import Workspace


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Connect a workspace to an API for its defined actions. Asks for the secret, or reads it from a pipe."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME", help=gettext("the connection's name in definitions, such as shop"))
        parser.add_argument("url", metavar="URL", help=gettext("base URL of the API, such as https://shop.example/api"))
        parser.add_argument("--environment", choices=Environment.values, default=Environment.LIVE.value)
        parser.add_argument("--auth", choices=Auth.values, default=Auth.NONE.value)
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="; ".join(
                f"{auth.value}: {', '.join(setting.name for setting in kind.settings)}"
                for auth, kind in KINDS.items()
                if kind.settings
            ),
        )
        parser.add_argument(
            "--test-path", default="/", help=gettext("the path that connection_test requests, such as /health")
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        kind = KINDS[Auth(options["auth"])]
        draft = services.Draft(
            name=options["name"],
            base_url=options["url"],
            environment=options["environment"],
            auth=options["auth"],
            settings=dict(_setting(text) for text in options["set"]),
            secret=read_secret(str(kind.secret_label)) if kind.secret_label else "",
            test_path=options["test_path"],
        )
        made = services.create(draft, actor=operator())
        return {
            "workspace": workspace.slug,
            "connection": made.name,
            "environment": made.environment,
            "url": made.base_url,
            "auth": made.auth,
        }


def _setting(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise CommandError(gettext("“{text}” is not a setting. Write NAME=VALUE.").format(text=text))
    return name, value


def read_secret(label: str) -> str:
    """Return a secret, either typed without being shown or read from a pipe."""
    return getpass.getpass(f"{label}: ") if sys.stdin.isatty() else sys.stdin.read().strip()
