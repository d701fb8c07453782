"""The signal broker: signals within the process, through the channel layer, and without it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
import redis

from supportbot.accounts.scope import workspace_scope
from supportbot.async_db import db
from supportbot.chat import channel_layer
from supportbot.chat.answers import Answer
from supportbot.chat.models import Conversation
from supportbot.chat.services import add_customer_message
from supportbot.chat.signal_broker import TURNS_GROUP, SignalBroker, _group, _message, signal_broker
from supportbot.chat.signals import (
    Delta,
    DeskNotified,
    NewEvent,
    Signal,
    Status,
    TurnWaiting,
    Typing,
    WatchRequested,
    signal_from_wire,
    signal_to_wire,
)
from supportbot.chat.turns import claim_turn, finish_turn
from supportbot.ids import uuid7
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)


class Listener:
    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self._received = asyncio.Event()

    def __call__(self, signal: Signal) -> None:
        self.signals.append(signal)
        self._received.set()

    async def next(self, count: int = 1) -> list[Signal]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.signals) < count:
                self._received.clear()
                await self._received.wait()
        return self.signals


@pytest_asyncio.fixture
async def broker(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SignalBroker]:
    """The broker of this loop, without its poll, which would add signals on a busy machine."""
    monkeypatch.setattr("supportbot.chat.signal_broker.HEAD_POLL_SECONDS", PATIENCE_SECONDS)
    here = signal_broker()
    yield here
    await here.close()


async def from_elsewhere(conversation_id: UUID, signal: Signal, *, group: str = "") -> None:
    """Send a signal as another process would."""
    message = _message(conversation_id, signal) | {"process": "another"}
    await channel_layer.send(group or _group(conversation_id), message)


def write(conversation: Conversation, number: int) -> None:
    with workspace_scope(conversation.workspace_pk):
        add_customer_message(conversation.pk, text="Hello", client_id=f"c{number}")


async def test_a_commit_is_published_with_its_event(broker: SignalBroker, conversation: Conversation) -> None:
    listener = Listener()
    await broker.listen(conversation.pk, listener)
    await db(write, conversation, 1)
    [news] = await listener.next()
    assert isinstance(news, NewEvent)
    assert news.event is not None
    assert (news.seq, news.event.payload["text"]) == (2, "Hello")


async def test_events_of_one_transaction_leave_the_process_as_one_signal(
    broker: SignalBroker, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: asyncio.Queue[Any] = asyncio.Queue()

    async def send(group: str, message: dict[str, Any]) -> None:
        await sent.put(message["signal"])

    monkeypatch.setattr(channel_layer, "send", send)
    listener = Listener()
    await broker.listen(conversation.pk, listener)
    for seq in (2, 3):
        broker.publish(conversation.pk, NewEvent(seq, None))
    broker.publish(conversation.pk, Typing("Bob", "agent"))
    assert listener.signals == [NewEvent(2, None), NewEvent(3, None), Typing("Bob", "agent")]
    assert [await sent.get(), await sent.get()] == [
        {"kind": "Typing", "who": "Bob", "source": "agent"},
        {"kind": "NewEvent", "seq": 3},
    ]
    assert sent.empty()


async def test_signals_of_another_conversation_are_not_delivered(
    broker: SignalBroker, conversation: Conversation
) -> None:
    listener, other = Listener(), Listener()
    await broker.listen(conversation.pk, listener)
    await broker.listen(uuid7(), other)
    await db(write, conversation, 1)
    await listener.next()
    assert other.signals == []


async def test_signals_from_another_process_arrive_without_the_payload(
    broker: SignalBroker, conversation: Conversation
) -> None:
    listener = Listener()
    await broker.listen(conversation.pk, listener)
    await from_elsewhere(conversation.pk, NewEvent(7, None))
    await from_elsewhere(conversation.pk, Delta("m", 2, 5, "text", 30))
    assert await listener.next(2) == [NewEvent(7, None), Delta("m", 2, 5, "text", 30)]


async def test_a_listener_that_has_left_receives_nothing(broker: SignalBroker, conversation: Conversation) -> None:
    listener, staying = Listener(), Listener()
    await broker.listen(conversation.pk, listener)
    await broker.listen(conversation.pk, staying)
    broker.unlisten(conversation.pk, listener)
    await db(write, conversation, 1)
    await staying.next()
    assert listener.signals == []


async def test_a_listener_that_comes_back_at_once_still_receives(
    broker: SignalBroker, conversation: Conversation
) -> None:
    listener = Listener()
    await broker.listen(conversation.pk, listener)
    broker.unlisten(conversation.pk, listener)  # the process leaves the group a moment later
    await broker.listen(conversation.pk, listener)
    await asyncio.sleep(0)
    await from_elsewhere(conversation.pk, NewEvent(7, None))
    assert NewEvent(7, None) in await listener.next()


async def test_nothing_is_stored_for_a_conversation_without_listeners(
    broker: SignalBroker, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supportbot.chat.signal_broker.HEAD_POLL_SECONDS", 0.05)
    broker.publish(conversation.pk, NewEvent(1_000, None))
    listener = Listener()
    await broker.listen(conversation.pk, listener)
    # a poll reports the head of the log, wherever other readers are
    assert await listener.next() == [NewEvent(1, None)]


async def test_a_waiting_turn_of_another_process_wakes_the_runner(broker: SignalBroker) -> None:
    woken = asyncio.Event()
    await broker.listen_for_turns(woken.set)
    await from_elsewhere(uuid7(), TurnWaiting(), group=TURNS_GROUP)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await woken.wait()


async def test_the_end_of_an_answer_wakes_the_runner_for_the_next_turn(
    broker: SignalBroker, conversation: Conversation
) -> None:
    await db(write, conversation, 1)
    claim = await db(claim_turn, "runner")
    assert claim is not None
    await db(write, conversation, 2)
    woken = asyncio.Event()
    await broker.listen_for_turns(woken.set)
    await asyncio.sleep(0)  # the signal of that message has been sent
    woken.clear()
    with workspace_scope(conversation.workspace_pk):
        await db(finish_turn, claim, Answer("On Thursday.", (), "builtin"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await woken.wait()


async def test_deltas_and_the_status_leave_the_process_only_on_request(
    broker: SignalBroker, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []

    async def keep(group: str, message: dict[str, Any]) -> None:
        sent.append(message["signal"])

    await broker.listen(conversation.pk, Listener())
    monkeypatch.setattr(channel_layer, "send", keep)
    broker.publish(conversation.pk, Delta("m", 1, 0, "nobody elsewhere", 0))
    broker.publish(conversation.pk, Status("m", "Reading"))
    broker._watched_elsewhere[conversation.pk] = float("inf")
    broker.publish(conversation.pk, Status("m", "Still reading"))
    broker.publish(conversation.pk, Delta("m", 1, 1, "somebody elsewhere", 16))
    await asyncio.sleep(0)
    assert [signal.get("text") for signal in sent] == ["Still reading", "somebody elsewhere"]


@pytest.mark.parametrize("loss", [redis.ConnectionError(), RuntimeError("the handler is closed")])
async def test_a_dead_layer_fails_no_caller_and_the_poll_replaces_lost_signals(
    loss: Exception, broker: SignalBroker, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supportbot.chat.signal_broker.HEAD_POLL_SECONDS", 0.05)

    class Dead:
        def __getattr__(self, name: str) -> Any:
            async def fail(*args: Any) -> None:
                raise loss

            return fail

    listener = Listener()
    await broker.listen(conversation.pk, listener)
    monkeypatch.setattr(channel_layer, "_layer", Dead)
    await broker.listen(uuid7(), listener)
    monkeypatch.setattr("supportbot.chat.signal_broker.publish", lambda *args: None)  # as if the signal were lost
    await db(write, conversation, 1)
    while NewEvent(2, None) not in listener.signals:  # a poll may have found the beginning of the log before
        await listener.next(len(listener.signals) + 1)
    monkeypatch.undo()


async def test_an_unresponsive_layer_delays_no_caller(
    broker: SignalBroker, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_layer, "PATIENCE_SECONDS", 0.02)
    monkeypatch.setattr("supportbot.chat.signal_broker.HEAD_POLL_SECONDS", 0.05)

    class Mute:
        def __getattr__(self, name: str) -> Any:
            async def wait(*args: Any) -> None:
                await asyncio.Event().wait()

            return wait

    early, late = Listener(), Listener()
    await broker.listen(uuid7(), early)  # sent while the layer still answered
    monkeypatch.setattr(channel_layer, "_layer", Mute)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await broker.listen(conversation.pk, late)
        await late.next()  # a poll has read the heads
        assert await channel_layer.new_channel() == ""
        await channel_layer.send("any", {})
        await channel_layer.leave("any", "")
    monkeypatch.undo()


async def test_a_layer_that_starts_late_is_joined_then(
    broker: SignalBroker, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_back = asyncio.Event()
    working = channel_layer._layer()

    class Late:
        def __getattr__(self, name: str) -> Any:
            if is_back.is_set():
                return getattr(working, name)

            async def fail(*args: Any) -> None:
                raise redis.ConnectionError

            return fail

    monkeypatch.setattr(channel_layer, "RECEIVE_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(channel_layer, "_layer", Late)
    listener, woken = Listener(), asyncio.Event()
    await broker.listen(conversation.pk, listener)
    await broker.listen_for_turns(woken.set)
    await db(write, conversation, 1)
    [news] = await listener.next()
    assert isinstance(news, NewEvent)

    is_back.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (woken.is_set() and NewEvent(9, None) in listener.signals):  # groups are joined one after another
            await from_elsewhere(uuid7(), TurnWaiting(), group=TURNS_GROUP)
            await from_elsewhere(conversation.pk, NewEvent(9, None))
            await asyncio.sleep(0.01)


async def test_a_signal_of_a_newer_version_is_skipped(broker: SignalBroker, conversation: Conversation) -> None:
    listener = Listener()
    await broker.listen(conversation.pk, listener)
    await from_elsewhere(conversation.pk, NewEvent(7, None))
    await listener.next()
    unknown = _message(conversation.pk, NewEvent(8, None)) | {"process": "another", "signal": {"kind": "Smell"}}
    await channel_layer.send(_group(conversation.pk), unknown)
    await from_elsewhere(conversation.pk, NewEvent(9, None))
    assert await listener.next(2) == [NewEvent(7, None), NewEvent(9, None)]


@pytest.mark.parametrize(("signal", "name"), [(WatchRequested(), "Watched"), (DeskNotified("1"), "DeskRings")])
def test_renamed_signals_keep_their_former_names_between_processes(signal: Signal, name: str) -> None:
    wire = signal_to_wire(signal)
    assert wire["kind"] == name
    assert signal_from_wire(wire) == signal
