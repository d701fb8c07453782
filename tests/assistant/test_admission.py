"""Turns start while the process keeps up; the others wait in order, and their customers are informed."""

import asyncio
import threading
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from supportbot.assistant import delta_buffer
from supportbot.assistant.admission import MAX_LAG_SECONDS, TURNS_PER_TICK, Admission, searches_at_once
from supportbot.assistant.context import TurnContext, build_context
from supportbot.assistant.runner import carry_out
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation
from supportbot.chat.signal_broker import signal_broker
from supportbot.chat.signals import Signal, Status
from supportbot.chat.turns import Claim
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.observing.metrics import LOOP_LAG
from tests.assistant.conftest import payloads, say
from tests.patience import PATIENCE_SECONDS

BUSY = "Many customers are asking questions right now. You will get an answer in a moment."


async def burst(admission: Admission, turns: int) -> tuple[list[int], list[asyncio.Task[None]]]:
    """Request admission for turns; return the list of started turns, which grows, and their tasks."""
    begun: list[int] = []

    async def begin(number: int) -> None:
        await admission.enter()
        begun.append(number)

    tasks = [asyncio.create_task(begin(number)) for number in range(turns)]
    await settled()
    return begun, tasks


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def measured(admission: Admission, late_seconds: float, *, is_overdue: bool = False) -> None:
    admission.measure(late_seconds, is_overdue=is_overdue)
    await settled()


async def test_a_burst_starts_in_order_a_few_turns_at_a_time() -> None:
    admission = Admission()
    begun, _ = await burst(admission, 2 * TURNS_PER_TICK + 1)
    assert begun == list(range(TURNS_PER_TICK))
    await measured(admission, 0.0)
    assert begun == list(range(2 * TURNS_PER_TICK))
    await measured(admission, 0.0)
    assert begun == list(range(2 * TURNS_PER_TICK + 1))


async def test_few_turns_start_while_the_loop_is_late() -> None:
    admission = Admission()
    await measured(admission, 4 * MAX_LAG_SECONDS)
    begun, _ = await burst(admission, 3)
    assert begun == []
    await measured(admission, 0.0, is_overdue=True)
    assert begun == [0]
    await measured(admission, 0.0)
    await measured(admission, 0.0)
    assert begun == [0, 1, 2], "the delay counts less with each tick"


async def test_a_stopped_turn_takes_up_no_slot() -> None:
    admission = Admission()
    begun, tasks = await burst(admission, TURNS_PER_TICK + 2)
    tasks[TURNS_PER_TICK].cancel()
    await settled()
    admission._room = 0
    await measured(admission, 4 * MAX_LAG_SECONDS, is_overdue=True)
    assert begun[TURNS_PER_TICK:] == [TURNS_PER_TICK + 1]


async def test_turns_start_even_if_the_delay_cannot_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, value: float) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(type(LOOP_LAG), "set", fail)
    admission = Admission()
    begun, _ = await burst(admission, TURNS_PER_TICK + 1)
    await measured(admission, 0.0)
    assert len(begun) == TURNS_PER_TICK + 1


async def test_the_delay_of_the_loop_is_measured_while_it_runs() -> None:
    admission = Admission()
    admission.start()
    begun, tasks = await burst(admission, 3 * TURNS_PER_TICK)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*tasks)
    assert begun == list(range(3 * TURNS_PER_TICK))
    await admission.stop()


@pytest.mark.django_db(transaction=True)
async def test_a_customer_whose_turn_waits_is_informed_and_then_answered(
    conversation: Conversation, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta_buffer, "STATUS_AFTER_SECONDS", 0.0)
    told: asyncio.Queue[str] = asyncio.Queue()

    def hear(signal: Signal) -> None:
        if isinstance(signal, Status):
            told.put_nowait(signal.text)

    admission = Admission()
    admission.measure(10.0, is_overdue=False)
    claim = await db(say, conversation, "Within how many days can I return unused items?")
    await signal_broker().listen(conversation.pk, hear)
    with answering(ScriptedModel(Says("Could you tell me a little more?"))) as model:
        turn = asyncio.create_task(carry_out(claim, admission))
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await told.get() == BUSY
            assert model.active == 0
            admission.measure(0.0, is_overdue=True)
            await turn
    assert len(payloads(await db(log), "assistant.final")) == 1
    assert told.get_nowait() != BUSY, "from here on, the status names the current step"


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
async def test_searches_leave_database_threads_for_others(
    conversation: Conversation, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    are_searching, may_go_on = threading.Semaphore(0), threading.Event()

    def search(claim: Claim) -> TurnContext:
        are_searching.release()
        assert may_go_on.wait(timeout=PATIENCE_SECONDS)
        return build_context(claim)

    def asked() -> list[Claim]:
        """As many customers as there are database threads have asked a question."""
        others = [start_conversation(conversation.customer_id) for _ in range(settings.DATABASE_POOL_SIZE)]
        return [say(one, "Within how many days can I return unused items?") for one in others]

    monkeypatch.setattr("supportbot.assistant.turn.build_context", search)
    admission = Admission()
    claims = await db(asked)
    with answering(ScriptedModel(*[Says("Could you tell me a little more?") for _ in claims])):
        turns = [asyncio.create_task(carry_out(claim, admission)) for claim in claims]
        for _ in range(searches_at_once()):
            assert await asyncio.to_thread(are_searching.acquire, timeout=PATIENCE_SECONDS)
        for _ in range(len(claims) - TURNS_PER_TICK):
            admission.measure(0.0, is_overdue=True)
            await settled()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await db(is_stored, conversation)
        finally:
            may_go_on.set()
        await asyncio.gather(*turns)


def is_stored(conversation: Conversation) -> bool:
    return Conversation.objects.filter(pk=conversation.pk).exists()
