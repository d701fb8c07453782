"""What a turn searches for: a follow-up with the earlier question, each of two questions, a typing error corrected."""

from collections.abc import Callable

import pytest

from kb.embedders.packaged import PackagedEmbedder
from kb.search.questions import MAX_PARTS
from kb.testing import HashEmbedder, hashed_vector
from supportbot.assistant.judging import MAX_VECTORS
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


MANY_QUESTIONS = " ".join(f"Is the lantern {number} waterproof?" for number in range(110))
MANY_TYPOS = " ".join(
    f"On day {number} I wanted to retrun the unsued itmes after their delivery." for number in range(60)
)


@pytest.mark.parametrize("said", [MANY_QUESTIONS, MANY_TYPOS], ids=["questions", "typos"])
async def test_a_long_message_takes_a_bounded_number_of_vectors(
    conversation: Conversation, said: str, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []

    def query(self: object, text: str) -> list[float]:
        taken.append(text)
        return hashed_vector(text, 384)

    for embedder in (HashEmbedder, PackagedEmbedder):
        monkeypatch.setattr(embedder, "query", query)
    with answering(ScriptedModel(Says("Could you tell me a little more?"))):
        await carry_out(await db(say, conversation, said[:4_000]))
    assert len(payloads(await db(log), "assistant.final")) == 1
    assert len(set(taken)) <= MAX_PARTS + MAX_VECTORS
