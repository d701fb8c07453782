"""Leases of running turns: a separate thread extends them, and notices a stop whose signal was lost."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import InterfaceError, connections

from supportbot.accounts.scope import workspace_scope
from supportbot.assistant import lease_thread
from supportbot.assistant import runner as runner_module
from supportbot.async_db import db
from supportbot.chat.models import Conversation, Turn
from supportbot.chat.turns import Heartbeat, extend_leases
from supportbot.llm.testing import Says, ScriptedModel, answering
from tests.assistant.conftest import payloads
from tests.assistant.runners import Log, claimed, until, write
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_failed_heartbeat_keeps_the_turn(
    conversation: Conversation, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = list[int]()

    def beat(turns: Sequence[Heartbeat]) -> Mapping[UUID, bool]:
        beats.extend(turn.index for turn in turns)
        if len(beats) == 1:
            raise InterfaceError("the connection is closed")
        return extend_leases(turns)

    monkeypatch.setattr(lease_thread, "SAVE_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(lease_thread, "extend_leases", beat)
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
    monkeypatch.setattr(lease_thread, "SAVE_EVERY_SECONDS", 0.01)
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
    monkeypatch.setattr(lease_thread, "SAVE_EVERY_SECONDS", 0.01)
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
