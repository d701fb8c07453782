"""Who is served next. Values in, values out: no database, no clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

SOON_LATE_AFTER: Final = timedelta(minutes=3)
LATE_AFTER: Final = timedelta(minutes=5)
SILENT_AFTER: Final = timedelta(minutes=10)
EXPIRES_AFTER: Final = timedelta(hours=24)
REOPENS_WITHIN: Final = timedelta(minutes=10)
ASIDE_FOR_AT_MOST: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One ticket in the queue."""

    ticket_id: UUID
    priority: int
    since: datetime


def in_order(queue: Iterable[Waiting]) -> list[Waiting]:
    """Return the queue as it is served: higher priority first, then whoever has waited longest."""
    return sorted(queue, key=lambda one: (-one.priority, one.since, one.ticket_id))


def place_of(ticket_id: UUID, queue: Iterable[Waiting]) -> int | None:
    """Return the place of a ticket, 1 for the next one; None when it does not wait."""
    for place, one in enumerate(in_order(queue), start=1):
        if one.ticket_id == ticket_id:
            return place
    return None


def is_late(since: datetime, now: datetime) -> bool:
    """Say whether somebody has waited longer than a customer should."""
    return now - since >= LATE_AFTER


def is_soon_late(since: datetime, now: datetime) -> bool:
    return now - since >= SOON_LATE_AFTER


def is_just_ended(ended_at: datetime, now: datetime) -> bool:
    """Say whether a conversation was resolved so lately that its customer still speaks to the person who had it."""
    return now - ended_at < REOPENS_WITHIN


def is_given_up(since: datetime, now: datetime, *, has_address: bool) -> bool:
    """Say whether a wait has come to nothing: nobody came for a day, and there is no address to answer to later."""
    return not has_address and now - since >= EXPIRES_AFTER
