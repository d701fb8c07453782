"""A second look: one call to a separate model, which decides only about the doubtful sentences."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from actions.testing import FakeShop
from supportbot.assistant.runner import carry_out
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.signals import EventView
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ToolCall
from tests.assistant.conftest import payloads, say

pytestmark = pytest.mark.django_db(transaction=True)
Log = Callable[[], list[EventView]]
BORNE = "You can return unused items within 60 days of delivery [1]. "
TURNED = "You cannot return unused items within 60 days of delivery [1]."


async def answered(conversation: Conversation, log: Log, look: ScriptedModel, *steps: Says) -> dict[str, Any]:
    claim = await db(say, conversation, "How long can I return unused items?")
    with answering(ScriptedModel(*steps), verifying=look):
        await carry_out(claim)
    return payloads(await db(log), "assistant.final")[-1]


def verdict(word: str) -> Says:
    return Says(json.dumps({"verdicts": [{"sentence": 1, "verdict": word}]}))


@pytest.mark.parametrize(("word", "is_shown"), [("contradicted", False), ("supported", True), ("absent", True)])
async def test_the_verdict_decides_about_the_sentence(
    conversation: Conversation, log: Log, word: str, is_shown: bool
) -> None:
    look = ScriptedModel(verdict(word))
    final = await answered(conversation, log, look, Says(BORNE + TURNED))
    assert final["text"].startswith(BORNE.strip())
    assert ("cannot" in final["text"]) is is_shown
    [request] = look.requests
    asked = request.messages[-1].content
    assert "1. You cannot return unused items" in asked and "60 days of delivery." in asked
    assert "2. " not in asked.partition("<sentences>")[2]  # sentences that the page supports are not sent


@pytest.mark.parametrize("said", ["I cannot say.", '{"verdicts": [{"sentence": 7, "verdict": "contradicted"}]}', "[]"])
async def test_without_a_verdict_the_local_score_applies(conversation: Conversation, log: Log, said: str) -> None:
    final = await answered(conversation, log, ScriptedModel(Says(said)), Says(BORNE + TURNED))
    assert "cannot" in final["text"]


async def test_the_second_look_knows_the_look_ups(conversation: Conversation, shop: FakeShop, log: Log) -> None:
    look = ScriptedModel(verdict("supported"))
    call = ToolCall("1", "order_status", '{"order_id": "A-1001"}')
    await answered(conversation, log, look, Says(calls=(call,)), Says("Your order A-1001 has not been delivered."))
    records = look.requests[0].messages[-1].content.partition("<records>")[2].partition("</records>")[0]
    assert "A-1001: delivered" in records
