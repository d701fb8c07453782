"""The runner of a process: wakes, claims, drains."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from django.db import InterfaceError, connections
from pytest_django.fixtures import Settings

from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.assistant import runner as runner_module
from supportbot.assistant import turn_leases
from supportbot.assistant.admission import Admission
from supportbot.assistant.runner import Runner, Slot
from supportbot.async_db import db
from supportbot.chat.models import Conversation, Turn
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.chat.signals import EventView, NewEvent, Signal, TurnWaiting
from supportbot.chat.stream import signal_broker
from supportbot.chat.turns import Claim, Heartbeat, claim_turn, extend_leases
from supportbot.llm.ports import ProviderEvent
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ModelRequest
from supportbot.observing.logs import about, concerning
from tests.assistant.conftest import payloads
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)
Log = Callable[[], list[EventView]]


@pytest_asyncio.fixture
async def runner(conversation: Conversation) -> AsyncIterator[Runner]:
    running = Runner()
    running.start()
    yield running
    await running.stop()


def write(
    conversation: Conversation,
    text: str = "Within how many days can I return unused items?",
    *,
    slot: Slot | None = None,
) -> None:
    with workspace_scope(conversation.workspace_id):
        add_customer_message(conversation.pk, text=text, client_id=f"c-{len(text)}-{hash(text)}", slot=slot)


async def until(is_true: Callable[[], bool], *, in_thread: bool = False) -> None:
    """Wait for a condition that sends no signal; the time limit only ends a failing test."""
    async with asyncio.timeout(20):
        while not (await db(is_true) if in_thread else is_true()):  # noqa: ASYNC110  # nothing rings here
            await asyncio.sleep(0.02)


async def final_of(conversation: Conversation) -> None:
    """Wait until a reader in this process gets the signal of an answer's end."""
    ended = asyncio.Event()

    def hear(signal: Signal) -> None:
        if isinstance(signal, NewEvent) and signal.event and signal.event.event == "assistant.final":
            ended.set()

    await signal_broker().listen(conversation.pk, hear)
    await db(write, conversation)
    async with asyncio.timeout(20):
        await ended.wait()


async def test_a_message_wakes_the_runner(runner: Runner, conversation: Conversation, log: Log) -> None:
    await final_of(conversation)
    assert len(payloads(await db(log), "assistant.final")) == 1


async def test_a_turn_that_was_claimed_for_a_slot_begins_when_its_message_is_stored(
    conversation: Conversation, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "claim_turn", lambda *_, **__: None)
    running = Runner()
    running.start()
    with answering(ScriptedModel(Says("Hello! How can I help?"))):
        with running.slot() as slot:
            await db(write, conversation, slot=slot)
        await until(lambda: len(payloads(log(), "assistant.final")) == 1, in_thread=True)
    await running.stop()


async def test_only_a_started_runner_has_slots() -> None:
    running = Runner()
    with running.slot() as slot:
        assert slot is None
    running.start()
    with running.slot() as slot:
        assert slot is not None
    await running.stop()
    with running.slot() as slot:
        assert slot is None


async def test_a_claim_whose_runner_stopped_meanwhile_is_released(conversation: Conversation) -> None:
    running = Runner()
    running.start()
    with running.slot() as slot:
        await db(write, conversation, slot=slot)
        await running.stop()
    await until(lambda: state_of(conversation) == ("running", "", 0), in_thread=True)


async def test_a_slot_is_taken_until_its_message_is_stored_and_then_free_again(
    conversation: Conversation, log: Log, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TURNS_PER_PROCESS = 1
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 600.0)
    running = Runner()
    running.start()
    await until(lambda: bool(signal_broker()._turn_listeners) and not running._claiming)
    with running.slot(), running.slot() as second:
        assert second is None
        await db(write, conversation, slot=second)
        await until(lambda: running._was_wakeup_missed)
    await until(lambda: len(payloads(log(), "assistant.final")) == 1, in_thread=True)
    await running.stop()


async def test_a_claim_in_a_slot_is_not_lost(
    conversation: Conversation, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runner, "_loop", lambda _: asyncio.Event().wait())  # the only claim is the one below
    running = Runner()
    running.start()
    with running.slot() as slot:
        await db(write, conversation, slot=slot)
        await db(let_leases_run_out)  # as if the machine had been too busy
        assert not await running._claim_next()
    await until(lambda: len(payloads(log(), "assistant.final")) == 1, in_thread=True)
    await running.stop()
    assert [started["attempt"] for started in payloads(await db(log), "assistant.started")] == [1]


async def test_messages_during_an_answer_are_answered_next_without_waiting_for_a_poll(
    conversation: Conversation, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 600.0)
    running = Runner()
    running.start()
    await until(lambda: bool(signal_broker()._turn_listeners))
    gate = asyncio.Event()
    with answering(ScriptedModel(Says("Hello! How can I help?", waits_for=gate), Says("Sure."))) as model:
        await db(write, conversation, "First")
        await until(lambda: model.active == 1)
        await db(write, conversation, "Second")
        gate.set()
        await until(lambda: len(payloads(log(), "assistant.final")) == 2, in_thread=True)
    await running.stop()


async def test_a_runner_does_not_claim_its_own_running_turn(conversation: Conversation, log: Log) -> None:
    running = Runner()
    running.start()
    gate = asyncio.Event()
    with answering(ScriptedModel(Says("Hello! How can I help?", waits_for=gate))) as model:
        await db(write, conversation)
        await until(lambda: model.active == 1)
        await db(let_leases_run_out)  # as if the machine had been too busy for the heartbeat
        assert not await running._claim_next()
        gate.set()
        await until(lambda: len(payloads(log(), "assistant.final")) == 1, in_thread=True)
    await running.stop()
    assert [started["attempt"] for started in payloads(await db(log), "assistant.started")] == [1]


def let_leases_run_out() -> None:
    with across_workspaces("a busy machine"):
        Turn.objects.update(lease_until=datetime.now(UTC) - timedelta(seconds=1))


async def test_many_conversations_are_answered_concurrently(runner: Runner, conversation: Conversation) -> None:
    def more() -> list[Conversation]:
        with workspace_scope(conversation.workspace_id):
            return [start_conversation(conversation.customer_id) for _ in range(10)]

    conversations = await db(more)
    gate = asyncio.Event()
    steps = [Says("Hello! How can I help?", waits_for=gate) for _ in conversations]
    with answering(ScriptedModel(*steps)) as model:
        waiting = [asyncio.create_task(final_of(each)) for each in conversations]
        await until(lambda: model.active == len(conversations))
        gate.set()
        await asyncio.gather(*waiting)


async def test_shutdown_releases_the_turn_to_the_next_runner(
    conversation: Conversation, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "DRAIN_SECONDS", 0.05)
    first = Runner()
    first.start()
    with answering(ScriptedModel(Says(waits_for=asyncio.Event()))) as model:
        await db(write, conversation)
        await until(lambda: model.active == 1)
        await first.stop()
        assert model.active == 0

    second = Runner()
    second.start()
    await until(lambda: "assistant.final" in [event.event for event in log()], in_thread=True)
    await second.stop()
    events = await db(log)
    assert [started["attempt"] for started in payloads(events, "assistant.started")] == [1, 2]
    assert len(payloads(events, "assistant.final")) == 1


async def test_a_claim_in_progress_at_shutdown_is_released(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_claiming, may_go_on = threading.Event(), threading.Event()

    def slow_claim(name: str, **how: Any) -> Claim | None:
        is_claiming.set()
        assert may_go_on.wait(timeout=PATIENCE_SECONDS)
        return claim_turn(name, **how)

    monkeypatch.setattr(runner_module, "claim_turn", slow_claim)
    await db(write, conversation)
    running = Runner()
    running.start()
    await until(is_claiming.is_set)
    stopping = asyncio.create_task(running.stop())
    await asyncio.sleep(0)
    may_go_on.set()
    await stopping
    await until(lambda: state_of(conversation)[0] == "running", in_thread=True)
    assert await db(state_of, conversation) == ("running", "", 0)


async def test_a_stopping_runner_releases_every_claim_in_progress(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 600.0)
    has_looked, gates, places = threading.Event(), (threading.Event(), threading.Event()), count()
    are_claiming = threading.Barrier(3)

    def slow_claim(name: str, **how: Any) -> Claim | None:
        if not has_looked.is_set():
            has_looked.set()
            return None
        gate = gates[next(places)]
        are_claiming.wait(timeout=PATIENCE_SECONDS)
        assert gate.wait(timeout=PATIENCE_SECONDS)
        return claim_turn(name, **how)

    monkeypatch.setattr(runner_module, "claim_turn", slow_claim)
    await db(write_in_two, conversation)
    running = Runner()
    running.start()
    await until(has_looked.is_set)
    for _ in gates:
        signal_broker().publish(conversation.pk, TurnWaiting())
    await asyncio.to_thread(are_claiming.wait, timeout=PATIENCE_SECONDS)
    stopping = asyncio.create_task(running.stop())
    gates[0].set()
    await until(lambda: in_hand(conversation) == [False], in_thread=True)
    assert not stopping.done()
    gates[1].set()
    await stopping
    assert not any(await db(in_hand, conversation))


def write_in_two(conversation: Conversation) -> None:
    """Write as the customer in this conversation and in another one."""
    write(conversation)
    with workspace_scope(conversation.workspace_id):
        other = start_conversation(conversation.customer_id)
    write(other)


def in_hand(conversation: Conversation) -> list[bool]:
    """Return for each started turn whether a runner has claimed it."""
    with workspace_scope(conversation.workspace_id):
        return [turn.runner != "" for turn in Turn.objects.filter(state="running")]


async def test_a_turn_without_a_wakeup_is_found_among_many_with_one(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await db(lambda: (write(conversation), claimed())[1])
    waiting = 0

    def claim_next(name: str, **how: Any) -> Claim | None:
        nonlocal waiting
        waiting -= waiting > 0
        return claim if waiting else None

    async def ended(claim: Claim, admission: Admission) -> None:
        """Carry out nothing."""

    monkeypatch.setattr(runner_module, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(runner_module, "claim_turn", claim_next)
    monkeypatch.setattr(runner_module, "carry_out", ended)
    running = Runner()
    running.start()
    await until(lambda: bool(signal_broker()._turn_listeners))
    waiting = 3  # like the turns of a process that was killed

    async def be_busy() -> None:
        nonlocal waiting
        while True:
            waiting += 1
            signal_broker().publish(conversation.pk, TurnWaiting())
            await asyncio.sleep(0.01)

    busy = asyncio.create_task(be_busy())
    await until(lambda: waiting == 0)
    busy.cancel()
    await running.stop()


def a_first_claim_that_waits() -> tuple[Callable[..., Claim | None], threading.Event, threading.Event]:
    """Return a claim whose first call waits and finds nothing, and two events: it has begun, and it may end."""
    is_claiming, may_go_on = threading.Event(), threading.Event()

    def claim(name: str, **how: Any) -> Claim | None:
        if is_claiming.is_set():
            return claim_turn(name, **how)
        is_claiming.set()
        assert may_go_on.wait(timeout=PATIENCE_SECONDS)
        return None  # it looked before the message was stored

    return claim, is_claiming, may_go_on


async def test_a_slow_claim_delays_no_other(
    conversation: Conversation, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 600.0)
    claim, is_claiming, may_go_on = a_first_claim_that_waits()
    running = Runner()
    running.start()
    await until(lambda: bool(signal_broker()._turn_listeners))
    monkeypatch.setattr(runner_module, "claim_turn", claim)
    signal_broker().publish(conversation.pk, TurnWaiting())
    await until(is_claiming.is_set)
    with answering(ScriptedModel(Says("Hello! How can I help?"))):
        await final_of(conversation)
    may_go_on.set()
    await running.stop()
    assert len(payloads(await db(log), "assistant.final")) == 1


async def test_a_wakeup_is_not_lost_while_all_slots_are_taken(
    conversation: Conversation, log: Log, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TURNS_PER_PROCESS = 1
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 600.0)
    claim, is_claiming, may_go_on = a_first_claim_that_waits()
    running = Runner()
    running.start()
    await until(lambda: bool(signal_broker()._turn_listeners))
    monkeypatch.setattr(runner_module, "claim_turn", claim)
    signal_broker().publish(conversation.pk, TurnWaiting())
    await until(is_claiming.is_set)
    with answering(ScriptedModel(Says("Hello! How can I help?"))):
        await db(write, conversation)
        await until(lambda: running._was_wakeup_missed)
        may_go_on.set()
        await until(lambda: len(payloads(log(), "assistant.final")) == 1, in_thread=True)
    await running.stop()


async def test_a_claim_made_by_a_poll_takes_up_a_slot_too(
    conversation: Conversation, log: Log, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TURNS_PER_PROCESS = 1
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 600.0)
    claims, may_go_on = list[str](), threading.Event()

    def slow_claim(name: str, **how: Any) -> Claim | None:
        claims.append(name)
        assert may_go_on.wait(timeout=PATIENCE_SECONDS)
        return claim_turn(name, **how)

    monkeypatch.setattr(runner_module, "claim_turn", slow_claim)
    await db(write_in_two, conversation)
    running, gate = Runner(), asyncio.Event()
    with answering(ScriptedModel(*(Says("Hello! How can I help?", waits_for=gate) for _ in range(2)))) as model:
        running.start()
        await until(lambda: len(claims) == 1)  # the claim of the first round
        signal_broker().publish(conversation.pk, TurnWaiting())
        await until(lambda: running._was_wakeup_missed)
        may_go_on.set()
        await until(lambda: model.active == 1)
        assert (len(claims), len(running._running)) == (1, 1)
        gate.set()
        await until(lambda: not model.left_over and not model.active)
    await until(lambda: not running._running)
    await running.stop()


async def test_a_turn_begins_without_the_trace_ids_of_the_caller_that_woke_the_runner(
    conversation: Conversation, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 600.0)
    ids = list[dict[str, str]]()

    def claim(name: str, **how: Any) -> Claim | None:
        ids.append(about())
        return claim_turn(name, **how)

    class Noting(ScriptedModel):
        async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
            ids.append(about())
            async for event in super().stream(request):
                yield event

    monkeypatch.setattr(runner_module, "claim_turn", claim)
    running = Runner()
    running.start()
    await until(lambda: len(ids) == 1)  # the first round found nothing
    with answering(Noting(Says("Hello! How can I help?"))):
        with concerning(request="that of the message"):
            await db(write, conversation)
        await until(lambda: len(payloads(log(), "assistant.final")) == 1, in_thread=True)
    await running.stop()
    [*claims, answer] = ids
    assert claims == [{}, {}]
    assert answer.keys() == {"turn", "conversation", "workspace"}


async def test_a_claim_is_retried_at_once_if_the_database_connection_is_lost(
    conversation: Conversation, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = iter((InterfaceError("the connection is closed"),))

    def claim(name: str, **how: Any) -> Claim | None:
        for error in claims:
            raise error
        return claim_turn(name, **how)

    await db(write, conversation)
    monkeypatch.setattr(runner_module, "claim_turn", claim)
    running = Runner()
    assert not await running._claim_next()
    assert await running._claim_next()
    await until(lambda: len(payloads(log(), "assistant.final")) == 1, in_thread=True)
    await running.stop()


async def test_a_failed_heartbeat_keeps_the_turn(
    conversation: Conversation, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = list[int]()

    def beat(turns: Sequence[Heartbeat]) -> Mapping[UUID, bool]:
        beats.extend(turn.index for turn in turns)
        if len(beats) == 1:
            raise InterfaceError("the connection is closed")
        return extend_leases(turns)

    monkeypatch.setattr(turn_leases, "SAVE_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(turn_leases, "extend_leases", beat)
    gate = asyncio.Event()
    await db(write, conversation)
    with answering(ScriptedModel(Says("Hello! How can I help?", waits_for=gate))):
        running = asyncio.create_task(runner_module.carry_out(await db(claimed)))
        await until(lambda: len(beats) > 2)
        gate.set()
        await running
    assert len(payloads(await db(log), "assistant.final")) == 1


async def test_a_turn_keeps_its_lease_while_the_event_loop_is_starved(
    conversation: Conversation, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_leases, "SAVE_EVERY_SECONDS", 0.01)
    gate = asyncio.Event()
    await db(write, conversation)
    with answering(ScriptedModel(Says("Hello! How can I help?", waits_for=gate))):
        running = asyncio.create_task(runner_module.carry_out(await db(claimed)))
        await asyncio.sleep(0)
        await db(expire_lease, conversation)
        # The loop does nothing else meanwhile, as if the machine gave it no processor time.
        asyncio.get_running_loop().call_soon(wait_for_lease, conversation)
        await asyncio.sleep(0)
        gate.set()
        await running
    assert len(payloads(await db(log), "assistant.final")) == 1


async def test_a_stop_whose_signal_was_lost_ends_the_answer(
    conversation: Conversation, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_leases, "SAVE_EVERY_SECONDS", 0.01)
    await db(write, conversation)
    with answering(ScriptedModel(Says("Hello! How can I help?", waits_for=asyncio.Event()))) as model:
        running = asyncio.create_task(runner_module.carry_out(await db(claimed)))
        await until(lambda: not model.left_over)
        with workspace_scope(conversation.workspace_id):
            await db(lambda: Turn.objects.update(stop_requested=True))
        await running
    (final,) = payloads(await db(log), "assistant.final")
    assert final["stopped"] is True


def expire_lease(conversation: Conversation) -> None:
    with workspace_scope(conversation.workspace_id):
        Turn.objects.update(lease_until=datetime.now(UTC) - timedelta(seconds=1))


def wait_for_lease(conversation: Conversation) -> None:
    """Wait until the lease is extended, without giving the event loop a turn."""

    def is_extended() -> bool:
        with workspace_scope(conversation.workspace_id):
            return Turn.objects.filter(lease_until__gt=datetime.now(UTC)).exists()

    with ThreadPoolExecutor(1) as elsewhere:
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while not elsewhere.submit(is_extended).result():
            assert time.monotonic() < ends_at, "nobody extended the lease"
            time.sleep(0.01)
        elsewhere.submit(connections.close_all).result()


def claimed() -> Claim:
    claim = claim_turn("test")
    assert claim is not None
    return claim


def state_of(conversation: Conversation) -> tuple[str, str, int]:
    with workspace_scope(conversation.workspace_id):
        return Turn.objects.values_list("state", "runner", "losses").get()


async def test_an_unexpected_error_is_shown_and_the_runner_continues(
    runner: Runner, conversation: Conversation, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("supportbot.assistant.turn.build_context", broken)
        await db(write, conversation, "First")
        await until(lambda: "assistant.failed" in [event.event for event in log()], in_thread=True)
    [failed] = payloads(await db(log), "assistant.failed")
    assert failed["code"] == "internal"
    await final_of(conversation)

    def states() -> list[str]:
        with workspace_scope(conversation.workspace_id):
            return list(Turn.objects.order_by("created_at").values_list("state", flat=True))

    assert await db(states) == ["failed", "done"]
