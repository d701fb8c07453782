"""Shared by tests of the runner: write to a conversation, wait for a condition, and read or change its turns."""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.assistant.runner import Slot
from supportbot.async_db import db
from supportbot.chat.models import Conversation, Turn
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.chat.signal_broker import signal_broker
from supportbot.chat.signals import EventView, NewEvent, Signal
from supportbot.chat.turns import Claim, claim_turn
from tests.patience import PATIENCE_SECONDS

Log = Callable[[], list[EventView]]


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
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (await db(is_true) if in_thread else is_true()):  # noqa: ASYNC110  # no event is set
            await asyncio.sleep(0.02)


async def final_of(conversation: Conversation) -> None:
    """Wait until a reader in this process gets the signal of an answer's end."""
    ended = asyncio.Event()

    def hear(signal: Signal) -> None:
        if isinstance(signal, NewEvent) and signal.event and signal.event.event == "assistant.final":
            ended.set()

    await signal_broker().listen(conversation.pk, hear)
    await db(write, conversation)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await ended.wait()


def state_of(conversation: Conversation) -> tuple[str, str, int]:
    with workspace_scope(conversation.workspace_id):
        return Turn.objects.values_list("state", "runner", "losses").get()


def let_leases_run_out() -> None:
    with across_workspaces("a busy machine"):
        Turn.objects.update(lease_until=datetime.now(UTC) - timedelta(seconds=1))


def write_in_two(conversation: Conversation) -> None:
    """Write as the customer in this conversation and in another one."""
    write(conversation)
    with workspace_scope(conversation.workspace_id):
        other = start_conversation(conversation.customer_id)
    write(other)


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


def claimed() -> Claim:
    claim = claim_turn("test")
    assert claim is not None
    return claim
