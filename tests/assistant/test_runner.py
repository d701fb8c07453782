"""The runner of a process: wakes, claims, drains."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
from django.db import InterfaceError

from supportbot.accounts.scope import workspace_scope
from supportbot.assistant import runner as runner_module
from supportbot.assistant.admission import Admission
from supportbot.assistant.runner import Runner
from supportbot.async_db import db
from supportbot.chat.models import Conversation, Turn
from supportbot.chat.services import start_conversation
from supportbot.chat.signal_broker import signal_broker
from supportbot.chat.signals import TurnWaiting
from supportbot.chat.turns import Claim, claim_turn
from supportbot.llm.ports import ProviderEvent
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ModelRequest
from supportbot.observing.logs import about, concerning
from tests.assistant.conftest import payloads
from tests.assistant.runners import (
    Log,
    a_first_claim_that_waits,
    claimed,
    final_of,
    let_leases_run_out,
    state_of,
    until,
    write,
    write_in_two,
)
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest_asyncio.fixture
async def runner(conversation: Conversation) -> AsyncIterator[Runner]:
    running = Runner()
    running.start()
    yield running
    await running.stop()


async def test_a_message_wakes_the_runner(runner: Runner, conversation: Conversation, log: Log) -> None:
    await final_of(conversation)
    assert len(payloads(await db(log), "assistant.final")) == 1


@pytest.mark.long
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


@pytest.mark.long
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
