"""`manage.py connection_test NAME`: call a connection's test path and report each step; fails if the test does."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext_noop

from actions.connections import services
from actions.connections.models import Environment
from actions.connections.selectors import connection_named
from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.models import Workspace


class Command(WorkspaceCommand):
    help = gettext_noop("Call a connection's test path and report each step.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--environment", choices=Environment.values, default=Environment.LIVE.value)

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        found = connection_named(options["name"], options["environment"])
        report = services.test(found, actor=operator())
        return {
            "workspace": workspace.slug,
            "connection": found.name,
            "environment": found.environment,
            "works": report.is_ok,
            "outcome": report.outcome,
            "steps": [{"works": step.is_ok, "words": step.words} for step in report.steps],
        }

    def words(self, facts: dict[str, Any]) -> str:
        return "\n".join(f"{'ok' if step['works'] else 'FAILED':<7} {step['words']}" for step in facts["steps"])

    def show(self, facts: dict[str, Any], *, as_json: bool) -> None:
        super().show(facts, as_json=as_json)
        if not facts["works"]:
            raise SystemExit(1)
