"""Customers who wait for an agent get their position and an estimated wait, which only counts down."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from django.utils.timezone import now

from supportbot.accounts.channels import NewChannel
from supportbot.accounts.models import Customer, User
from supportbot.async_db import db
from supportbot.chat.models import Conversation, Turn
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.handoff.models import Priority, Ticket
from supportbot.handoff.tickets import services as handoff
from supportbot.handoff.tickets.presence import set_away
from supportbot.widget.socket.waiting_time import minutes_left, queue_frames
from tests.widget.page import greeted, ticket
from tests.widget.serving import check_sockets

SINCE = datetime(2026, 11, 25, 12, tzinfo=UTC)


def waits(*minutes: float, ended: datetime = SINCE) -> list[tuple[datetime, timedelta]]:
    return [(ended, timedelta(minutes=one)) for one in minutes]


def after(minutes: float) -> datetime:
    return SINCE + timedelta(minutes=minutes)


def test_the_estimate_comes_from_recent_waits() -> None:
    assert minutes_left(SINCE, waits(2, 3, 4, 6, 20), SINCE) == {"min": 3, "max": 6}
    assert minutes_left(SINCE, waits(4, 4, 4), SINCE) == {"min": 4, "max": 4}


def test_too_few_waits_give_no_estimate() -> None:
    assert minutes_left(SINCE, waits(2, 3), SINCE) is None
    assert minutes_left(SINCE, [], SINCE) is None


def test_the_estimate_counts_down_and_never_grows() -> None:
    history = waits(2, 3, 4, 6, 20)
    estimates = [minutes_left(SINCE, history, after(minute / 4)) for minute in range(60)]
    shown = [wait for wait in estimates if wait is not None]
    assert shown[0] == {"min": 3, "max": 6} and shown[-1] == {"min": 1, "max": 1}
    assert all(one["max"] >= two["max"] and one["min"] >= two["min"] for one, two in pairwise(shown))
    assert estimates[24:] == [None] * 36  # the time has run out, so there is no estimate
    assert estimates.index(None) == 24


def test_later_waits_do_not_move_the_estimate() -> None:
    later = waits(60, 60, 60, 60, ended=after(1))
    assert minutes_left(SINCE, [*later, *waits(2, 3, 4)], after(1)) == minutes_left(SINCE, waits(2, 3, 4), after(1))


def _ask(conversation: str) -> str:
    return str(handoff.request(UUID(conversation), reason="customer_asked", by="customer").pk)


def _somebody_waits(customer: Customer, **fields: Any) -> Ticket:
    asked = handoff.request(start_conversation(customer.pk).pk, reason="customer_asked", by="customer")
    Ticket.objects.filter(pk=asked.pk).update(waiting_since=asked.waiting_since - timedelta(minutes=1), **fields)
    return asked


def _claim(ticket_id: Any, agent: User) -> None:
    handoff.claim(ticket_id, agent=agent)


@pytest.fixture(autouse=True)
def _frequent_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    check_sockets(monkeypatch, every_seconds=0.05)


@pytest.mark.django_db
def test_there_is_no_estimate_while_no_agent_is_available(alice: Customer, bob: User) -> None:
    for _ in range(3):
        _claim(_somebody_waits(alice).pk, bob)
    Ticket.objects.update(claimed_at=now() - timedelta(seconds=5))
    mine = start_conversation(alice.pk).pk
    _ask(str(mine))
    assert queue_frames([mine])[mine].wait is not None
    set_away(bob, is_away=True)
    assert (queue_frames([mine])[mine].wait, queue_frames([mine])[mine].away) == (None, True)


@pytest.mark.django_db(transaction=True)
async def test_the_position_is_sent_when_it_changes(
    server: str, channel: NewChannel, alice: Customer, bob: User
) -> None:
    before = await db(_somebody_waits, alice)
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        mine = await db(_ask, granted["conversation"])
        first = await socket.until("queue")
        assert (first["ticket"], first["place"], first["away"], "wait" in first) == (mine, 2, True, False)
        await db(_claim, before.pk, bob)  # an agent who claims is available
        frame = await socket.until("queue")
        if "away" in frame:  # this check read presence just before the claim: the next one corrects it
            frame = await socket.until("queue")
        assert (frame["place"], "away" in frame) == (1, False)
        urgent = await db(_somebody_waits, alice, priority=Priority.URGENT)
        assert (await socket.until("queue"))["place"] == 2
        await db(_claim, urgent.pk, bob)
        assert (await socket.until("queue"))["place"] == 1
        await db(_claim, UUID(mine), bob)
        await socket.until("handoff.joined")
        seen = len(socket.frames)
        for _ in range(3):
            await socket.quiet()
        assert not [frame for frame in socket.frames[seen:] if frame["type"] == "queue"]


@pytest.mark.django_db(transaction=True)
async def test_a_reloaded_page_gets_its_position_soon_after_the_welcome(
    server: str, channel: NewChannel, bob: User, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_sockets(monkeypatch, every_seconds=600.0)  # so the check does not send it
    granted = await db(ticket, channel)
    await db(_claimed_after_minutes, alice, bob, 3)
    mine = await db(_ask, granted["conversation"])
    async with greeted(server, granted) as socket:
        frame = await socket.until("queue")
    assert (frame["ticket"], frame["place"], frame["wait"]) == (mine, 1, {"min": 3, "max": 3})


def _claimed_after_minutes(customer: Customer, agent: User, minutes: int) -> None:
    for _ in range(3):
        asked = _somebody_waits(customer)
        handoff.claim(asked.pk, agent=agent)
        claimed = Ticket.objects.get(pk=asked.pk)
        assert claimed.claimed_at is not None
        Ticket.objects.filter(pk=asked.pk).update(waiting_since=claimed.claimed_at - timedelta(minutes=minutes))


def _says(conversation: str) -> None:
    add_customer_message(UUID(conversation), text="Still there?", client_id="m1")


@pytest.mark.django_db(transaction=True)
async def test_a_customer_can_stop_waiting(server: str, channel: NewChannel) -> None:
    """The assistant takes over again, and does not answer messages to an agent."""
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        mine = await db(_ask, granted["conversation"])
        await db(_says, granted["conversation"])
        for _ in range(2):
            await socket.say("cancel_human")
            await socket.quiet()
        assert await db(_mode_and_turns, granted["conversation"]) == ("assistant", 0)
        await socket.say("message", client_id="m2", text="How long is delivery?")
        await socket.until("ack")
    ended = [frame["payload"] for frame in socket.events if frame["event"] == "handoff.ended"]
    assert ended == [{"ticket": mine, "outcome": "returned", "by": "customer"}]
    assert await db(_mode_and_turns, granted["conversation"]) == ("assistant", 1)


@pytest.mark.django_db(transaction=True)
async def test_cancelling_does_not_remove_an_agent_who_has_joined(server: str, channel: NewChannel, bob: User) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        mine = await db(_ask, granted["conversation"])
        await db(_claim, UUID(mine), bob)
        await socket.say("cancel_human")
        await socket.quiet()
    assert "handoff.ended" not in [frame["event"] for frame in socket.events]
    assert await db(_mode_and_turns, granted["conversation"]) == ("person", 0)


def _mode_and_turns(conversation: str) -> tuple[str, int]:
    return Conversation.objects.get(pk=conversation).mode, Turn.objects.count()


@pytest.mark.django_db(transaction=True)
async def test_a_customer_who_does_not_wait_gets_no_position(server: str, channel: NewChannel, alice: Customer) -> None:
    await db(_somebody_waits, alice)
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        for _ in range(4):
            assert await socket.quiet() == []
    assert await db(Conversation.objects.count) == 2
