"""`manage.py cost_report`: what the models of a workspace cost, per day and purpose."""

from argparse import ArgumentTypeError
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace
from supportbot.llm.selectors import daily_costs

DAYS_MOST = 3660


class Command(WorkspaceCommand):
    help = "Print calls, tokens and cost of the models, per UTC day and purpose, newest first."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--days", type=days, default=30, metavar="N", help="how far back, today included (30)")

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        rows = [
            {**asdict(cost), "day": cost.day.isoformat(), "cost": f"{cost.cost:.6f}"}
            for cost in daily_costs(days=options["days"])
        ]
        return {"workspace": workspace.slug, "days": options["days"], "rows": rows}

    def words(self, facts: dict[str, Any]) -> str:
        if not facts["rows"]:
            return f"No model was called in the last {facts['days']} days."
        return "\n".join(map(_in_words, facts["rows"]))


def days(text: str) -> int:
    """Parse a number of days; what is no sensible one becomes a sentence."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= DAYS_MOST):
        raise ArgumentTypeError(f"{text!r} is not a number of days from 1 to {DAYS_MOST}")
    return int(text)


def _in_words(row: dict[str, Any]) -> str:
    tokens = f"{row['input_tokens']} tokens in, {row['output_tokens']} out"
    cost = f"{row['cost']} {row['currency']}".rstrip() + (
        f", {row['unpriced']} without a price" if row["unpriced"] else ""
    )
    failed = f", {row['failed']} failed" if row["failed"] else ""
    who = f"{row['purpose']:<10} {row['provider']} {row['model']}"
    return f"{row['day']}  {who}: {row['calls']} calls{failed}, {tokens}, {cost}"
