"""A model's tool calls: requests for a person, and calls that are refused."""

import json
from collections.abc import Callable

import pytest

from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.runner import carry_out
from supportbot.assistant.tool_results import Place
from supportbot.assistant.tools import REQUEST_HUMAN, Tools
from supportbot.async_db import db
from supportbot.chat.errors import LeaseLost
from supportbot.chat.models import Conversation
from supportbot.chat.turns import Claim, restart_attempt
from supportbot.handoff.models import Ticket
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ToolCall
from supportbot.widget.services import end_conversation
from tests.assistant.conftest import payloads
from tests.assistant.test_turn import QUOTE, Log, say

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_assistant_hands_off_on_request(conversation: Conversation, log: Log) -> None:
    claim = await db(say, conversation, "I want to talk to a person please")
    await carry_out(claim)

    events = await db(log)
    [requested] = payloads(events, "handoff.requested")
    assert requested["reason"] == "customer_asked"
    [final] = payloads(events, "assistant.final")
    assert "person" in final["text"]
    assert not final["abstained"]

    def ticket() -> Ticket:
        with workspace_scope(conversation.workspace_id):
            return Ticket.objects.get()

    assert str((await db(ticket)).pk) == requested["ticket"]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "arguments", ["{", '{"reason": 7}', '{"reason": "a", "reason": "b"}', '{"customer": "cus_2"}', "[" * 20_000, "NaN"]
)
async def test_malformed_arguments_are_explained_back_and_move_nothing(
    conversation: Conversation, log: Log, arguments: str
) -> None:
    claim = await db(say, conversation, "How long can I return something?")
    call = ToolCall("1", "request_human", arguments)
    with answering(ScriptedModel(Says(calls=(call,)), Says(f"{QUOTE} [1]"))) as model:
        await carry_out(claim)

    assert payloads(await db(log), "handoff.requested") == []
    assert "JSON" in model.requests[1].messages[-1].content


@pytest.mark.parametrize(
    "happens",
    [restart_attempt, lambda claim: end_conversation(claim.conversation_id)],
    ids=["another has the turn", "its customer ends the conversation"],
)
def test_a_turn_whose_lease_is_lost_requests_no_handoff(
    happens: Callable[[Claim], object], conversation: Conversation
) -> None:
    claim = say(conversation, "May I talk to a person?")
    happens(claim)
    with pytest.raises(LeaseLost):
        Tools((REQUEST_HUMAN,)).use(ToolCall("1", "request_human", "{}"), Place(claim, 0, 0, "en"))
    assert not Ticket.objects.exists()


@pytest.mark.long
async def test_a_model_that_only_calls_tools_is_stopped(conversation: Conversation, log: Log) -> None:
    claim = await db(say, conversation, "How long can I return something?")
    loop = [Says(calls=(ToolCall(str(step), "again", json.dumps({"step": step})),)) for step in range(8)]
    with answering(ScriptedModel(*loop)):
        await carry_out(claim)
    [final] = payloads(await db(log), "assistant.final")
    assert final["abstained"]
