"""`manage.py connection_rotate NAME`: replace a connection's secret with one from standard input."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from actions.connections import services
from actions.connections.auth import Auth
from actions.connections.auth_kinds import KINDS
from actions.connections.models import Environment
from actions.connections.selectors import connection_named
from actions.management.commands.connection_add import read_secret
from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.models import Workspace


class Command(WorkspaceCommand):
    help = gettext_noop("Replace a connection's secret. Asks for the new one, or reads it from a pipe.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--environment", choices=Environment.values, default=Environment.LIVE.value)
        parser.add_argument(
            "--keep-hours",
            type=int,
            default=24,
            help=gettext("for Standard Webhooks: hours during which calls are also signed with the old secret (24)"),
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        found = connection_named(options["name"], options["environment"])
        secret = read_secret(str(KINDS[Auth(found.auth)].secret_label))
        actor = operator()
        changed = services.rotate(found.pk, secret, keep_hours=options["keep_hours"], actor=actor)
        until = changed.previous_until
        return {
            "workspace": workspace.slug,
            "connection": changed.name,
            "environment": changed.environment,
            "old_secret_until": until.isoformat() if until else None,
        }
