"""The rules of the queue. Pure: no database, no clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

NEARLY_LATE_AFTER: Final = timedelta(minutes=3)
LATE_AFTER: Final = timedelta(minutes=5)
SILENT_AFTER: Final = timedelta(minutes=10)
EXPIRES_AFTER: Final = timedelta(hours=24)
LEAST_WAIT: Final = timedelta(
    hours=12
)  # a ticket that returns to the queue has at least this long left before it expires
REOPEN_WITHIN: Final = timedelta(minutes=10)
MAX_SNOOZE: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class WaitingTicket:
    """One ticket in the queue."""

    ticket_id: UUID
    priority: int
    since: datetime


def serving_order(queue: Iterable[WaitingTicket]) -> list[WaitingTicket]:
    """Return the queue in the order it is served: highest priority first, then longest wait."""
    return sorted(queue, key=lambda one: (-one.priority, one.since, one.ticket_id))


def position_of(ticket_id: UUID, queue: Iterable[WaitingTicket]) -> int | None:
    """Return a ticket's position, where 1 is served next; None if it is not waiting."""
    for position, one in enumerate(serving_order(queue), start=1):
        if one.ticket_id == ticket_id:
            return position
    return None


def is_late(since: datetime, now: datetime) -> bool:
    """Return whether a customer has been waiting too long."""
    return now - since >= LATE_AFTER


def is_nearly_late(since: datetime, now: datetime) -> bool:
    return now - since >= NEARLY_LATE_AFTER


def is_recently_ended(ended_at: datetime, now: datetime) -> bool:
    """Return whether a ticket was resolved so recently that a new message still belongs to it."""
    return now - ended_at < REOPEN_WITHIN


def has_expired(since: datetime, now: datetime, *, has_address: bool) -> bool:
    """Return whether a wait has expired, because nobody answered for a day and there is no address for a later
    reply.
    """
    return not has_address and now - since >= EXPIRES_AFTER


def since_on_return(since: datetime, now: datetime, *, has_address: bool) -> datetime:
    """Return the time that counts as the start of the wait of a ticket that returns to the queue.

    The ticket keeps its age, and therefore its position in the queue. Without an address, its age is reduced if less
    than LEAST_WAIT would be left before it expires.
    """
    return since if has_address else max(since, now - (EXPIRES_AFTER - LEAST_WAIT))
