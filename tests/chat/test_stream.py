"""The signal broker: news within the process, through the channel layer, and without it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
import redis

from supportbot.accounts.scope import workspace_scope
from supportbot.asyncdb import db
from supportbot.chat import layer, stream
from supportbot.chat.answers import Answer
from supportbot.chat.models import Conversation
from supportbot.chat.services import add_customer_message
from supportbot.chat.signals import Delta, NewEvent, Signal, Status, TurnWaiting
from supportbot.chat.stream import SignalBroker, signal_broker
from supportbot.chat.turns import claim_turn, finish_turn
from supportbot.ids import uuid7

pytestmark = pytest.mark.django_db(transaction=True)


class Ear:
    def __init__(self) -> None:
        self.heard: list[Signal] = []
        self._rang = asyncio.Event()

    def __call__(self, signal: Signal) -> None:
        self.heard.append(signal)
        self._rang.set()

    async def next(self, count: int = 1) -> list[Signal]:
        async with asyncio.timeout(10):
            while len(self.heard) < count:
                self._rang.clear()
                await self._rang.wait()
        return self.heard


@pytest_asyncio.fixture
async def broker() -> AsyncIterator[SignalBroker]:
    here = signal_broker()
    yield here
    await here.close()


async def from_elsewhere(conversation_id: UUID, signal: Signal, *, group: str = "") -> None:
    """Send what another process would."""
    message = stream._message(conversation_id, signal) | {"process": "another"}
    await layer.send(group or stream._group(conversation_id), message)


def write(conversation: Conversation, number: int) -> None:
    with workspace_scope(conversation.workspace_pk):
        add_customer_message(conversation.pk, text="Hello", client_id=f"c{number}")


async def test_a_commit_is_heard_with_its_event(broker: SignalBroker, conversation: Conversation) -> None:
    ear = Ear()
    await broker.listen(conversation.pk, ear)
    await db(write, conversation, 1)
    [news] = await ear.next()
    assert isinstance(news, NewEvent)
    assert news.event is not None
    assert (news.seq, news.event.payload["text"]) == (2, "Hello")


async def test_another_conversation_is_not_heard(broker: SignalBroker, conversation: Conversation) -> None:
    ear, other = Ear(), Ear()
    await broker.listen(conversation.pk, ear)
    await broker.listen(uuid7(), other)
    await db(write, conversation, 1)
    await ear.next()
    assert other.heard == []


async def test_news_of_another_process_arrive_without_their_payload(
    broker: SignalBroker, conversation: Conversation
) -> None:
    ear = Ear()
    await broker.listen(conversation.pk, ear)
    await from_elsewhere(conversation.pk, NewEvent(7, None))
    await from_elsewhere(conversation.pk, Delta("m", 2, 5, "text", 30))
    assert await ear.next(2) == [NewEvent(7, None), Delta("m", 2, 5, "text", 30)]


async def test_who_left_hears_nothing_more(broker: SignalBroker, conversation: Conversation) -> None:
    ear, staying = Ear(), Ear()
    await broker.listen(conversation.pk, ear)
    await broker.listen(conversation.pk, staying)
    broker.unlisten(conversation.pk, ear)
    await db(write, conversation, 1)
    await staying.next()
    assert ear.heard == []


async def test_who_comes_back_at_once_is_not_left_out(broker: SignalBroker, conversation: Conversation) -> None:
    ear = Ear()
    await broker.listen(conversation.pk, ear)
    broker.unlisten(conversation.pk, ear)  # the group is left a moment later
    await broker.listen(conversation.pk, ear)
    await asyncio.sleep(0)
    await from_elsewhere(conversation.pk, NewEvent(7, None))
    assert NewEvent(7, None) in await ear.next()


async def test_nothing_is_kept_of_a_conversation_that_nobody_hears(
    broker: SignalBroker, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEAD_POLL_SECONDS", 0.05)
    broker.publish(conversation.pk, NewEvent(1_000, None))
    ear = Ear()
    await broker.listen(conversation.pk, ear)
    assert await ear.next() == [NewEvent(1, None)]  # a round tells the head of the log, however far others were


async def test_a_waiting_turn_of_another_process_wakes_the_runner(broker: SignalBroker) -> None:
    woken = asyncio.Event()
    await broker.listen_for_turns(woken.set)
    await from_elsewhere(uuid7(), TurnWaiting(), group=stream.TURNS_GROUP)
    async with asyncio.timeout(10):
        await woken.wait()


async def test_the_end_of_an_answer_wakes_the_runner_for_what_waited_behind_it(
    broker: SignalBroker, conversation: Conversation
) -> None:
    await db(write, conversation, 1)
    claim = await db(claim_turn, "runner")
    assert claim is not None
    await db(write, conversation, 2)
    woken = asyncio.Event()
    await broker.listen_for_turns(woken.set)
    await asyncio.sleep(0)  # the ring of that message has sounded
    woken.clear()
    with workspace_scope(conversation.workspace_pk):
        await db(finish_turn, claim, Answer("On Thursday.", (), "builtin"))
    async with asyncio.timeout(10):
        await woken.wait()


async def test_deltas_leave_the_process_only_when_asked_for(
    broker: SignalBroker, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []

    async def keep(group: str, message: dict[str, Any]) -> None:
        sent.append(message["signal"])

    await broker.listen(conversation.pk, Ear())
    monkeypatch.setattr(layer, "send", keep)
    broker.publish(conversation.pk, Delta("m", 1, 0, "nobody elsewhere", 0))
    broker.publish(conversation.pk, Status("m", "Reading"))
    broker._watched_elsewhere[conversation.pk] = float("inf")
    broker.publish(conversation.pk, Delta("m", 1, 1, "somebody elsewhere", 16))
    await asyncio.sleep(0)
    assert [signal.get("text") for signal in sent] == ["Reading", "somebody elsewhere"]


@pytest.mark.parametrize("loss", [redis.ConnectionError(), RuntimeError("the handler is closed")])
async def test_a_dead_layer_fails_nobody_and_the_poll_heals_what_it_lost(
    loss: Exception, broker: SignalBroker, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEAD_POLL_SECONDS", 0.05)

    class Dead:
        def __getattr__(self, name: str) -> Any:
            async def fail(*args: Any) -> None:
                raise loss

            return fail

    ear = Ear()
    await broker.listen(conversation.pk, ear)
    monkeypatch.setattr(layer, "_layer", Dead)
    await broker.listen(uuid7(), ear)
    monkeypatch.setattr(stream, "publish", lambda *args: None)  # as if the ring were lost
    await db(write, conversation, 1)
    while NewEvent(2, None) not in ear.heard:  # the poll may have found the log's beginning before
        await ear.next(len(ear.heard) + 1)
    monkeypatch.undo()


async def test_a_layer_that_answers_nothing_holds_nobody_up(
    broker: SignalBroker, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layer, "PATIENCE_SECONDS", 0.02)
    monkeypatch.setattr(stream, "HEAD_POLL_SECONDS", 0.05)

    class Mute:
        def __getattr__(self, name: str) -> Any:
            async def wait(*args: Any) -> None:
                await asyncio.Event().wait()

            return wait

    early, late = Ear(), Ear()
    await broker.listen(uuid7(), early)  # while it still answered
    monkeypatch.setattr(layer, "_layer", Mute)
    async with asyncio.timeout(10):
        await broker.listen(conversation.pk, late)
        await late.next()  # a round came as far as the heads
        assert await layer.new_channel() == ""
        await layer.send("any", {})
        await layer.leave("any", "")
    monkeypatch.undo()


async def test_a_layer_that_comes_late_is_joined_then(
    broker: SignalBroker, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_back = asyncio.Event()
    working = layer._layer()

    class Late:
        def __getattr__(self, name: str) -> Any:
            if is_back.is_set():
                return getattr(working, name)

            async def fail(*args: Any) -> None:
                raise redis.ConnectionError

            return fail

    monkeypatch.setattr(layer, "RECEIVE_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(layer, "_layer", Late)
    ear, woken = Ear(), asyncio.Event()
    await broker.listen(conversation.pk, ear)
    await broker.listen_for_turns(woken.set)
    await db(write, conversation, 1)
    [news] = await ear.next()
    assert isinstance(news, NewEvent)

    is_back.set()
    async with asyncio.timeout(10):
        while not (woken.is_set() and NewEvent(9, None) in ear.heard):  # it joins one group after the other
            await from_elsewhere(uuid7(), TurnWaiting(), group=stream.TURNS_GROUP)
            await from_elsewhere(conversation.pk, NewEvent(9, None))
            await asyncio.sleep(0.01)


async def test_a_signal_of_a_newer_version_is_passed_over(broker: SignalBroker, conversation: Conversation) -> None:
    ear = Ear()
    await broker.listen(conversation.pk, ear)
    await from_elsewhere(conversation.pk, NewEvent(7, None))
    await ear.next()
    unknown = stream._message(conversation.pk, NewEvent(8, None)) | {"process": "another", "signal": {"kind": "Smell"}}
    await layer.send(stream._group(conversation.pk), unknown)
    await from_elsewhere(conversation.pk, NewEvent(9, None))
    assert await ear.next(2) == [NewEvent(7, None), NewEvent(9, None)]
