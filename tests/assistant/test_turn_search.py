"""The searches of a turn: follow-ups with the earlier question, each of two questions, and corrected typing errors."""

from collections.abc import Callable

import pytest
from django.db import transaction
from pytest_django.fixtures import Settings

from kb.access import Viewer
from kb.embedders.packaged import PackagedEmbedder
from kb.models import Audience
from kb.ports import EarlierMessage
from kb.search import Retrieval
from kb.search.query_preparation import MAX_PARTS
from kb.testing import HashEmbedder, hashed_vector
from supportbot.accounts.models import User
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant import turn_search
from supportbot.assistant.runner import carry_out
from supportbot.assistant.sentence_verdicts import MAX_VECTORS
from supportbot.assistant.turn_search import seek
from supportbot.async_db import db
from supportbot.chat.event_log import lock_conversation
from supportbot.chat.models import Conversation
from supportbot.chat.retrieval_trace import traces_of
from supportbot.chat.services import add_agent_message, add_customer_message, give_back, hand_over
from supportbot.chat.signals import EventView
from supportbot.language.detection import detect
from supportbot.llm.testing import Says, ScriptedModel, answering
from tests.assistant.conftest import payloads, say

pytestmark = pytest.mark.django_db(transaction=True)
Log = Callable[[], list[EventView]]
QUOTE = "You can return unused items within 60 days of delivery."


async def test_a_follow_up_is_searched_for_with_its_context(conversation: Conversation, log: Log) -> None:
    with answering(ScriptedModel(Says(f"{QUOTE} [1]"), Says("The label is free within Germany. [1]"))) as model:
        await carry_out(await db(say, conversation, "How long can I return unused items after delivery?"))
        await carry_out(await db(say, conversation, "and is the label free?"))
    roles = [message.role for message in model.requests[1].messages]
    assert roles == ["system", "user", "assistant", "user"]
    assert model.requests[1].sources


async def test_a_follow_up_after_an_agent_is_searched_for_with_the_question_before(
    conversation: Conversation, bob: User
) -> None:
    def talk_to_an_agent() -> None:
        with workspace_scope(conversation.workspace_id), transaction.atomic():
            hand_over(lock_conversation(conversation.pk), mode=Conversation.Mode.PERSON, agent=bob)
            add_customer_message(conversation.pk, text="I would like to talk to a person", client_id="person")
            add_agent_message(conversation.pk, text="Yes, they are refunded.", author=bob, client_id="agent")
            give_back(lock_conversation(conversation.pk), note="")

    await carry_out(await db(say, conversation, "Can unused items be returned?"))
    await db(talk_to_an_agent)
    with answering(ScriptedModel(Says("Within 60 days. [1]"), Says("The label is free. [1]"))) as model:
        for said in ("and how long does it take?", "and for boots?"):
            await carry_out(await db(say, conversation, said))
    before = "Can unused items be returned?"
    assert model.requests[0].looked_up == f"{before} and how long does it take?"
    assert model.requests[1].looked_up == f"{before} and how long does it take? and for boots?"
    assert [message.role for message in model.requests[0].messages] == ["system", "user"]  # an agent settled the rest


@pytest.mark.long
async def test_a_withdrawn_question_is_not_searched_for(conversation: Conversation) -> None:
    await carry_out(await db(say, conversation, "never mind"))
    assert not await db(traces_of, conversation)
    await carry_out(await db(say, conversation, "How long can I return unused items after delivery?"))
    assert len(await db(traces_of, conversation)) == 1


@pytest.mark.long
async def test_a_no_to_a_models_question_is_searched_for_with_that_question(conversation: Conversation) -> None:
    with answering(ScriptedModel(Says("Is it unused?"), Says(f"{QUOTE} [1]"))) as model:
        await carry_out(await db(say, conversation, "How long can I return items after delivery?"))
        await carry_out(await db(say, conversation, "no"))
    assert model.requests[1].sources


@pytest.mark.parametrize(
    ("question", "has_context"),
    [("Do you sell helicopters?", False), ("Verkaufen Sie Hubschrauber?", True), ("And for boots?", True)],
)
def test_a_complete_question_in_another_language_is_searched_for_without_context(
    question: str, has_context: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[tuple[str, str]] = []

    def search(text: str, *, context: str, **_: object) -> Retrieval:
        searched.append((text, context))
        return Retrieval(passages=(), confidence=0.5, is_answerable=False, took_ms=0.0)

    monkeypatch.setattr(turn_search, "search", search)
    said = [
        EarlierMessage("Wie wasche ich den Schlafsack?", is_customer=True),
        EarlierMessage("Bei 30 Grad.", is_customer=False),
        EarlierMessage("blub blub", is_customer=True),  # its language is unknown
    ]
    seek(question, Viewer(Audience.PUBLIC, detect(question, "de")), earlier_messages=said)
    assert {context for _, context in searched} == {"Bei 30 Grad." if has_context else ""}
    assert has_context or [text for text, _ in searched] == [question]


@pytest.mark.parametrize(
    ("question", "alone", "is_answerable"),
    [("Do you sell boats?", 0.05, False), ("Do you need the box?", 0.2, True), ("And for boots?", 0.0, True)],
)
def test_passages_of_an_earlier_question_do_not_answer_the_next_one(
    question: str, alone: float, is_answerable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def search(text: str, **_: object) -> Retrieval:
        confidence = alone if text == question else 0.9
        return Retrieval(passages=(), confidence=confidence, is_answerable=confidence > 0.5, took_ms=0.0)

    monkeypatch.setattr(turn_search, "search", search)
    said = [EarlierMessage("How long can I return things?", is_customer=True)]
    found = seek(question, Viewer(Audience.PUBLIC, "en"), earlier_messages=said)
    assert found.retrieval.is_answerable is is_answerable
    assert found.text.startswith("How long can I return")  # a model still gets the passages


@pytest.mark.parametrize(
    ("question", "own"),
    [
        ("And for boots?", 0.3),
        ("Do you need the box?", 0.3),
        ("And then?", None),
        ("How long can I return things for free?", None),
    ],
    ids=["incomplete", "complete", "names nothing", "found alone"],
)
@pytest.mark.parametrize("has_model", [False, True])
def test_a_follow_up_is_also_found_alone_to_judge_it(
    question: str, own: float | None, has_model: bool, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.OPENAI_MODEL = "some-model" if has_model else ""

    def search(text: str, **_: object) -> Retrieval:
        confidence = 0.3 if text == question and own else 0.9
        return Retrieval(passages=(), confidence=confidence, is_answerable=confidence > 0.5, took_ms=0.0)

    monkeypatch.setattr(turn_search, "search", search)
    said = [EarlierMessage("How long can I return things?", is_customer=True)]
    found = seek(question, Viewer(Audience.PUBLIC, "en"), earlier_messages=said)
    assert found.retrieval.is_answerable
    assert (found.own.confidence if found.own else None) == (None if has_model else own)


@pytest.mark.parametrize(
    ("said", "before"),
    [
        (["Where is my order?", "Thanks!"], "Where is my order?"),
        (["Where is my order?", "And the boots?"], "And the boots?"),
        (["My long story. " * 40], ""),
    ],
    ids=["thanks ask nothing", "the last one", "too long for one vector"],
)
def test_a_search_knows_the_question_before_it(said: list[str], before: str, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []

    def search(text: str, *, asked_before: str, **_: object) -> Retrieval:
        searched.append(asked_before)
        return Retrieval(passages=(), confidence=0.5, is_answerable=True, took_ms=0.0)

    monkeypatch.setattr(turn_search, "search", search)
    earlier = [EarlierMessage(text, is_customer=True) for text in said]
    seek("How long can I return things?", Viewer(Audience.PUBLIC, "en"), earlier_messages=earlier)
    assert searched == [before]


async def test_each_of_two_questions_has_its_answer(conversation: Conversation, log: Log) -> None:
    two = "Within how many days can I return unused items? And within how many working days is a refund paid?"
    await carry_out(await db(say, conversation, two))
    [final] = payloads(await db(log), "assistant.final")
    assert final["citations"][0]["quote"].startswith(QUOTE)  # a paragraph counts as one citation
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


@pytest.mark.one_in(2)
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
