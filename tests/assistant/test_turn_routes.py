"""A turn whose model fails, stalls or breaks off uses another route, makes another attempt, or fails visibly."""

import asyncio
import threading

import pytest

from supportbot.assistant.runner import carry_out
from supportbot.assistant.turn import Turn as TurnInHand
from supportbot.assistant.turn_limits import LEAN_PASSAGES
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.signals import StopRequested
from supportbot.chat.turns import Claim, restart_attempt
from supportbot.llm.errors import ProviderRefused, Reason
from supportbot.llm.testing import Says, ScriptedModel, answering
from tests.assistant.conftest import payloads, say
from tests.assistant.test_turn import QUOTE, Log, Reader
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_broken_route_is_replaced_before_any_text_is_shown(conversation: Conversation, log: Log) -> None:
    claim = await db(say, conversation, "Within how many days can I return unused items?")
    with answering(ScriptedModel(Says(fails=ProviderRefused(Reason.NOT_AUTHORISED))), with_builtin=True):
        await carry_out(claim)

    events = await db(log)
    assert [event.event for event in events] == ["message", "assistant.started", "assistant.final"]
    assert events[-1].payload["by"] == "builtin"
    assert QUOTE in events[-1].payload["text"]


async def test_a_route_that_breaks_mid_answer_starts_a_new_attempt(conversation: Conversation, log: Log) -> None:
    claim = await db(say, conversation, "Within how many days can I return unused items?")
    reader = await Reader()(conversation)
    broken = Says(
        "You can return unused items within 60 days. The label ", fails=ProviderRefused(Reason.NOT_AUTHORISED)
    )
    with answering(ScriptedModel(broken), with_builtin=True):
        await carry_out(claim)

    events = await db(log)
    assert [started["attempt"] for started in payloads(events, "assistant.started")] == [1, 2]
    [final] = payloads(events, "assistant.final")
    assert final["by"] == "builtin"
    assert reader.text(1).startswith("You can return")
    assert reader.text(2) == final["text"]


async def test_a_stop_while_another_route_takes_over_is_a_stop(
    conversation: Conversation, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_restarting, may_restart = threading.Event(), threading.Event()

    def slow_restart(claim: Claim) -> Claim:
        is_restarting.set()
        assert may_restart.wait(timeout=PATIENCE_SECONDS)
        return restart_attempt(claim)

    monkeypatch.setattr("supportbot.assistant.turn.restart_attempt", slow_restart)
    turn = TurnInHand(await db(say, conversation, "Within how many days can I return unused items?"))
    broken = Says(
        "You can return unused items within 60 days. The label ", fails=ProviderRefused(Reason.NOT_AUTHORISED)
    )
    with answering(ScriptedModel(broken), with_builtin=True):
        running = asyncio.create_task(turn.run())
        assert await asyncio.to_thread(is_restarting.wait, PATIENCE_SECONDS)
        turn._on_signal(StopRequested(str(turn.claim.turn_id)))
        await asyncio.sleep(0)
        may_restart.set()
        await running
    events = await db(log)
    assert [started["attempt"] for started in payloads(events, "assistant.started")] == [1, 2]
    assert [final["stopped"] for final in payloads(events, "assistant.final")] == [True]


async def test_a_turn_without_a_working_route_fails_visibly(conversation: Conversation, log: Log) -> None:
    claim = await db(say, conversation, "How long can I return something?")
    with answering(ScriptedModel(Says(fails=ProviderRefused(Reason.NOT_AUTHORISED)))):
        await carry_out(claim)

    [failed] = payloads(await db(log), "assistant.failed")
    assert failed == {"message": str(claim.message_id), "code": "model_unavailable", "retry": True}


async def test_a_truncated_text_ends_with_its_last_complete_sentence(conversation: Conversation, log: Log) -> None:
    claim = await db(say, conversation, "How long can I return something?")
    said = Says(f"{QUOTE} [1] You can return unused items", finish_reason="length")
    with answering(ScriptedModel(said)):
        await carry_out(claim)
    assert payloads(await db(log), "assistant.final")[0]["text"] == f"{QUOTE} [1]"


async def test_a_timed_out_request_is_retried_with_fewer_sources(conversation: Conversation, log: Log) -> None:
    claim = await db(say, conversation, "How long can I return something?")
    refusal = Says(fails=ProviderRefused(Reason.TOO_LONG))
    with answering(ScriptedModel(refusal, Says(f"{QUOTE} [1]"))) as model:
        await carry_out(claim)
    [final] = payloads(await db(log), "assistant.final")
    assert (final["text"], final["by"]) == (f"{QUOTE} [1]", "model")
    whole, short = (request.messages[0].content for request in model.requests)
    assert short.count("<source number=") <= LEAN_PASSAGES
    assert short.startswith(whole.partition("<sources>")[0])
