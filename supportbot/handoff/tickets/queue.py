"""Who is served next. Values in, values out: no database, no clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

NEARLY_LATE_AFTER: Final = timedelta(minutes=3)
LATE_AFTER: Final = timedelta(minutes=5)
SILENT_AFTER: Final = timedelta(minutes=10)
EXPIRES_AFTER: Final = timedelta(hours=24)
REOPEN_WITHIN: Final = timedelta(minutes=10)
MAX_SNOOZE: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class WaitingTicket:
    """One ticket in the queue."""

    ticket_id: UUID
    priority: int
    since: datetime


def serving_order(queue: Iterable[WaitingTicket]) -> list[WaitingTicket]:
    """Return the queue as it is served: higher priority first, then whoever has waited longest."""
    return sorted(queue, key=lambda one: (-one.priority, one.since, one.ticket_id))


def position_of(ticket_id: UUID, queue: Iterable[WaitingTicket]) -> int | None:
    """Return the place of a ticket, 1 for the next one; None when it does not wait."""
    for place, one in enumerate(serving_order(queue), start=1):
        if one.ticket_id == ticket_id:
            return place
    return None


def is_late(since: datetime, now: datetime) -> bool:
    """Say whether somebody has waited longer than a customer should."""
    return now - since >= LATE_AFTER


def is_nearly_late(since: datetime, now: datetime) -> bool:
    return now - since >= NEARLY_LATE_AFTER


def is_recently_ended(ended_at: datetime, now: datetime) -> bool:
    """Say whether a conversation was resolved so lately that its customer still speaks to the person who had it."""
    return now - ended_at < REOPEN_WITHIN


def has_expired(since: datetime, now: datetime, *, has_address: bool) -> bool:
    """Say whether a wait has come to nothing: nobody came for a day, and there is no address to answer to later."""
    return not has_address and now - since >= EXPIRES_AFTER
