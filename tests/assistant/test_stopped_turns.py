"""Turns interrupted by the customer, by an agent or by the end of the conversation."""

import asyncio

import pytest

from supportbot.accounts.models import User
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.runner import carry_out
from supportbot.assistant.turn import Turn as TurnInHand
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.signals import StopRequested
from supportbot.chat.turns import request_stop
from supportbot.handoff.tickets import services as handoff
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ToolCall
from supportbot.widget.services import end_conversation
from tests.assistant.conftest import payloads, say
from tests.assistant.test_turn import QUOTE, Log, Reader

pytestmark = pytest.mark.django_db(transaction=True)


async def asked(model: ScriptedModel, *, times: int) -> None:
    """Return once the model has been called this many times."""
    for _ in range(3_000):
        if len(model.requests) >= times:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"the model was asked {len(model.requests)} times")


def stop(conversation: Conversation) -> None:
    with workspace_scope(conversation.workspace_id):
        request_stop(conversation.pk)


async def test_a_stopped_answer_ends_with_the_text_that_was_shown(conversation: Conversation, log: Log) -> None:
    claim = await db(say, conversation, "How long can I return something?")
    reader = await Reader()(conversation)
    never = asyncio.Event()
    with answering(
        ScriptedModel(Says(("The label is free within Germany. [1] ", "And so on")), Says(waits_for=never))
    ) as model:
        call = ToolCall("1", "no_such_tool", "{}")
        model._steps[0] = Says(("The label is free within Germany. [1] ", "And so on"), calls=(call,))
        running = asyncio.create_task(carry_out(claim))
        await reader.has_text.wait()
        await asked(model, times=2)
        await db(stop, conversation)
        await running

    [final] = payloads(await db(log), "assistant.final")
    assert final["stopped"]
    assert final["text"] == reader.text(1).strip()
    assert final["text"].startswith("The label is free")


async def test_nothing_is_added_after_the_end_of_a_conversation(conversation: Conversation, log: Log) -> None:
    claim = await db(say, conversation, "How long can I return something?")
    reader = await Reader()(conversation)
    call = ToolCall("1", "no_such_tool", "{}")
    script = ScriptedModel(Says("The label is free. [1] ", calls=(call,)), Says(waits_for=asyncio.Event()))

    def end() -> None:
        with workspace_scope(conversation.workspace_id):
            end_conversation(conversation.pk)

    with answering(script):
        running = asyncio.create_task(carry_out(claim))
        await reader.has_text.wait()
        await asked(script, times=2)
        await db(end)
        await running
    events = await db(log)
    assert [event.event for event in events] == ["message", "assistant.started", "assistant.final", "message"]
    assert (events[-2].payload["stopped"], events[-1].payload["ends"]) == (True, True)
    assert script.active == 0


async def test_a_takeover_silences_the_assistant(conversation: Conversation, bob: User, log: Log) -> None:
    claim = await db(say, conversation, "How long can I return something?")
    reader = await Reader()(conversation)
    never = asyncio.Event()
    call = ToolCall("1", "no_such_tool", "{}")
    script = ScriptedModel(Says("The label is free within Germany. [1] ", calls=(call,)), Says(waits_for=never))

    def take_over() -> None:
        with workspace_scope(conversation.workspace_id):
            ticket = handoff.request(conversation.pk, reason="customer_asked", by="customer")
            handoff.claim(ticket.pk, agent=bob)

    with answering(script):
        running = asyncio.create_task(carry_out(claim))
        await reader.has_text.wait()
        await asked(script, times=2)
        await db(take_over)
        await running

    events = [event.event for event in await db(log)]
    assert events[-1] == "handoff.joined"
    assert "assistant.final" not in events
    assert "assistant.failed" not in events


async def test_a_stop_before_the_first_step_shows_nothing(conversation: Conversation, log: Log) -> None:
    claim = await db(say, conversation, "How long can I return something?")
    turn = TurnInHand(claim)
    turn._on_signal(StopRequested(str(claim.turn_id)))
    with answering(ScriptedModel()):
        await turn.run()
    [final] = payloads(await db(log), "assistant.final")
    assert (final["text"], final["stopped"]) == ("", True)


async def test_an_empty_stopped_answer_is_not_sent_to_the_model(
    conversation: Conversation,
) -> None:
    claim = await db(say, conversation, "How long can I return something?")
    turn = TurnInHand(claim)
    turn._on_signal(StopRequested(str(claim.turn_id)))
    with answering(ScriptedModel()):
        await turn.run()
    claim = await db(say, conversation, "And in Austria?")
    with answering(ScriptedModel(Says(f"{QUOTE} [1]"))) as model:
        await carry_out(claim)
    assert [message.role for message in model.requests[0].messages] == ["system", "user", "user"]
