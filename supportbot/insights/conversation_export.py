"""The export: a row for each conversation, also as CSV. All figures in the console can be recomputed from it."""

import csv
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any, Final, Protocol

from actions.cards import iso_datetime
from supportbot.insights.outcomes import ConversationOutcome

COLUMNS: Final = (
    "conversation",
    "customer",
    "began_at",
    "day",
    "hour",
    "channel",
    "channel_name",
    "language",
    "ending",
    "came_back",
    "reopened",
    "first_response_seconds",
    "resolution_seconds",
    "waits_seconds",
    "agent",
    "agent_name",
    "assistant_scores",
    "person_scores",
    "costs",
)


def row_of(one: ConversationOutcome, *, sees_cost: bool) -> Mapping[str, Any]:
    """Return a conversation's row by the names in `COLUMNS`. Its day and hour are in the workspace's time zone;
    `began_at` is in UTC, like all times of the API.
    """
    outcome = one.outcome
    waits = (request.waited for request in outcome.requests)
    costs = {currency: f"{spent:f}" for currency, spent in sorted(outcome.costs.items())}
    values = (
        str(one.conversation),
        str(one.customer),
        iso_datetime(one.began_at.astimezone(UTC)),
        one.began_at.date().isoformat(),
        one.began_at.hour,
        str(one.channel) if one.channel else None,
        one.channel_name,
        one.language,
        str(outcome.ending),
        outcome.is_recontact,
        outcome.is_reopened,
        outcome.first_response_seconds,
        outcome.resolution_seconds,
        [wait.total_seconds() for wait in waits if wait is not None],
        str(outcome.agent) if outcome.agent else None,
        outcome.agent_name,
        [score.score for score in outcome.scores if score.agent is None],
        [score.score for score in outcome.scores if score.agent is not None],
        costs if sees_cost else None,
    )
    return dict(zip(COLUMNS, values, strict=True))


class Writable(Protocol):
    def write(self, text: str, /) -> object: ...


def write_csv(file: Writable, conversations: Iterable[ConversationOutcome], *, sees_cost: bool) -> None:
    """Write the column names, then a row for each conversation."""
    sheet = csv.writer(file)
    sheet.writerow(COLUMNS)
    for one in conversations:
        sheet.writerow([_cell(value) for value in row_of(one, sees_cost=sees_cost).values()])


def _cell(value: Any) -> Any:
    """Return a value as a cell. Lists become text, and no text begins like a spreadsheet formula."""
    if isinstance(value, dict):
        return ", ".join(f"{amount} {currency}" for currency, amount in value.items())
    if isinstance(value, list):
        return " ".join(str(part) for part in value)
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
