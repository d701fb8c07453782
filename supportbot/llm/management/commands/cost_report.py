"""`manage.py cost_report`: print the cost of a workspace's model calls, per day and purpose."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop, ngettext

from supportbot.accounts.commands import WorkspaceCommand, days
from supportbot.accounts.models import Workspace
from supportbot.llm.selectors import currency_of_costs, daily_costs


class Command(WorkspaceCommand):
    help = gettext_noop("Print the calls, tokens and cost of models, per UTC day and purpose, newest first.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--days", type=days, default=30, metavar="N", help=gettext("number of days, including today (30)")
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        costs, own = daily_costs(days=options["days"]), currency_of_costs()
        rows = [
            {
                **asdict(cost),
                "day": cost.day.isoformat(),
                "cost": f"{cost.cost:.6f}",
                "currency": cost.currency or (own if cost.has_price else ""),
            }
            for cost in costs
        ]
        return {"workspace": workspace.slug, "days": options["days"], "rows": rows}

    def words(self, facts: dict[str, Any]) -> str:
        if not facts["rows"]:
            return gettext("No calls in the last {days} days.").format(days=facts["days"])
        return "\n".join(map(_in_words, facts["rows"]))


def _in_words(row: dict[str, Any]) -> str:
    who = f"{row['purpose']:<10} {row['provider']} {row['model']}"
    figures = [
        ngettext("{number} call", "{number} calls", row["calls"]).format(number=row["calls"]),
        gettext("{number} failed").format(number=row["failed"]) if row["failed"] else "",
        gettext("{number} skipped because of the budget").format(number=row["skipped"]) if row["skipped"] else "",
        gettext("tokens: {incoming} in, {outgoing} out").format(
            incoming=row["input_tokens"], outgoing=row["output_tokens"]
        ),
        *_cost_in_words(row),
    ]
    return f"{row['day']}  {who}: {', '.join(filter(None, figures))}"


def _cost_in_words(row: dict[str, Any]) -> list[str]:
    if not row["currency"]:
        return [gettext("no price")]
    unpriced = gettext("{number} without a price").format(number=row["unpriced"]) if row["unpriced"] else ""
    return [f"{row['cost']} {row['currency']}", unpriced]
