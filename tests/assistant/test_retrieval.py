"""What a turn searches for: a follow-up with what it leans on, each of two questions, what was meant by a slip."""

from collections.abc import Callable

import pytest

from supportbot.assistant.runner import carry_out
from supportbot.asyncdb import db
from supportbot.chat.models import Conversation
from supportbot.chat.signals import EventView
from supportbot.llm.testing import Says, ScriptedModel, answering
from tests.assistant.conftest import payloads, say

pytestmark = pytest.mark.django_db(transaction=True)
Log = Callable[[], list[EventView]]
QUOTE = "You can return unused items within 60 days of delivery."


async def test_a_follow_up_is_searched_with_its_context(conversation: Conversation, log: Log) -> None:
    with answering(ScriptedModel(Says(f"{QUOTE} [1]"), Says("The label is free within Germany. [1]"))) as model:
        await carry_out(await db(say, conversation, "How long can I return unused items after delivery?"))
        await carry_out(await db(say, conversation, "and is the label free?"))
    roles = [message.role for message in model.requests[1].messages]
    assert roles == ["system", "user", "assistant", "user"]
    assert model.requests[1].sources


async def test_each_of_two_questions_has_its_answer(conversation: Conversation, log: Log) -> None:
    two = "Within how many days can I return unused items? And within how many working days is a refund paid?"
    await carry_out(await db(say, conversation, two))
    [final] = payloads(await db(log), "assistant.final")
    assert final["citations"][0]["quote"].startswith(QUOTE)  # a paragraph is one citation
    assert "paid within 5 working days" in final["text"]


@pytest.mark.parametrize("said", ["Within how many days can i retrun unsued itmes?", "Can i retrun boats?"])
async def test_typos_are_corrected_before_the_search(conversation: Conversation, said: str, log: Log) -> None:
    await carry_out(await db(say, conversation, said))
    [final] = payloads(await db(log), "assistant.final")
    assert (QUOTE in final["text"]) == ("boats" not in said)
