"""Slots of a runner: each claim takes one, before or after its message is stored."""

import asyncio
import threading
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from supportbot.accounts.scope import workspace_scope
from supportbot.assistant import runner as runner_module
from supportbot.assistant.runner import Runner
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation
from supportbot.chat.signal_broker import signal_broker
from supportbot.chat.signals import TurnWaiting
from supportbot.chat.turns import Claim, claim_turn
from supportbot.llm.testing import Says, ScriptedModel, answering
from tests.assistant.conftest import payloads
from tests.assistant.runners import (
    Log,
    a_first_claim_that_waits,
    let_leases_run_out,
    state_of,
    until,
    write,
    write_in_two,
)
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)


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


async def test_every_wakeup_that_was_missed_is_made_up_for(
    conversation: Conversation, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TURNS_PER_PROCESS = 3
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 600.0)
    monkeypatch.setattr(runner_module, "DRAIN_SECONDS", 0.05)

    def three() -> list[Conversation]:
        with workspace_scope(conversation.workspace_id):
            return [start_conversation(conversation.customer_id) for _ in range(3)]

    running = Runner()
    running.start()
    await until(lambda: bool(signal_broker()._turn_listeners) and not running._claiming)
    with answering(ScriptedModel(*[Says(waits_for=asyncio.Event()) for _ in range(3)])) as model:
        with running.slot(), running.slot(), running.slot():  # slots of messages that start no turn
            for each in await db(three):
                await db(write, each)
            await until(lambda: running._was_wakeup_missed)
        await until(lambda: model.active == 3)
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
