"""The order of the queue, as a table."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from supportbot.handoff.tickets.queue_rules import (
    EXPIRES_AFTER,
    LATE_AFTER,
    WaitingTicket,
    has_expired,
    is_late,
    position_of,
    serving_order,
    since_on_return,
)

NINE = datetime(2026, 11, 24, 9, tzinfo=UTC)


def waiting(number: int, *, priority: int = 0, minutes: int = 0) -> WaitingTicket:
    return WaitingTicket(UUID(int=number), priority, NINE + timedelta(minutes=minutes))


def test_priority_decides_first_then_the_longest_wait() -> None:
    queue = [waiting(1, minutes=5), waiting(2), waiting(3, priority=1, minutes=9), waiting(4, priority=2, minutes=20)]
    assert [one.ticket_id.int for one in serving_order(queue)] == [4, 3, 2, 1]


def test_equally_long_waits_have_a_stable_order() -> None:
    assert [one.ticket_id.int for one in serving_order([waiting(2), waiting(1)])] == [1, 2]


def test_positions_count_from_one_and_only_for_waiting_tickets() -> None:
    queue = [waiting(1, minutes=5), waiting(2)]
    assert [position_of(UUID(int=number), queue) for number in (1, 2, 3)] == [2, 1, None]


@pytest.mark.parametrize(("waited", "late"), [(LATE_AFTER - timedelta(seconds=1), False), (LATE_AFTER, True)])
def test_a_wait_becomes_late(waited: timedelta, late: bool) -> None:
    assert is_late(NINE, NINE + waited) is late


@pytest.mark.parametrize(
    ("waited", "has_address", "given_up"),
    [(EXPIRES_AFTER, False, True), (EXPIRES_AFTER, True, False), (EXPIRES_AFTER - timedelta(seconds=1), False, False)],
)
def test_a_wait_expires(waited: timedelta, has_address: bool, given_up: bool) -> None:
    assert has_expired(NINE, NINE + waited, has_address=has_address) is given_up


@pytest.mark.parametrize(
    ("waited", "has_address", "counted"),
    [(1, False, 1), (12, False, 12), (13, False, 12), (60, False, 12), (60, True, 60)],
)
def test_a_ticket_that_returns_keeps_its_age_as_long_as_it_does_not_expire_soon(
    waited: int, has_address: bool, counted: int
) -> None:
    since = since_on_return(NINE - timedelta(hours=waited), NINE, has_address=has_address)
    assert since == NINE - timedelta(hours=counted)
