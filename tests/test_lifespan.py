"""The work of a web process at its start."""

import gc
from collections.abc import Iterator

import pytest

from kb import ports
from kb.indexing import recipes
from kb.indexing.models import Recipe
from kb.testing import HashEmbedder
from supportbot.assistant.checks.sentence_kinds import by_pieces, weights_shipped
from supportbot.lifespan import prepare

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.long
def test_objects_loaded_at_the_start_are_excluded_from_garbage_collection() -> None:
    loaded = len(gc.get_objects())

    prepare()

    assert gc.get_freeze_count() > loaded / 2
    assert len(gc.get_objects()) < loaded / 2


@pytest.mark.long
def test_the_first_answer_finds_the_tables_of_the_checks_loaded() -> None:
    by_pieces.cache_clear()
    weights_shipped.cache_clear()

    prepare()

    assert weights_shipped.cache_info().currsize == 1
    assert by_pieces.cache_info().currsize  # a sentence has been judged


@pytest.mark.long
def test_the_model_that_was_chosen_for_search_is_loaded_and_not_the_configured_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    class Chosen(HashEmbedder):
        def query(self, text: str) -> list[float]:
            asked.append(text)
            return super().query(text)

    def configured() -> None:
        raise AssertionError("the index has no vectors of it")

    recipe = recipes.recipe_for(Chosen().recipe)
    Recipe.objects.filter(pk=recipe.pk).update(is_active=True, is_chosen=True)
    monkeypatch.setattr(recipes, "packaged_embedder", Chosen)
    monkeypatch.setattr(ports, "embedder", configured)
    monkeypatch.setattr(recipes, "embedder", configured)

    prepare()

    assert asked == ["ready"]


@pytest.mark.long
def test_the_models_of_the_checks_are_loaded_if_a_model_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[bool] = []
    monkeypatch.setattr("supportbot.lifespan.is_remote_configured", lambda: True)
    monkeypatch.setattr("supportbot.assistant.vectors_for_checks.load", lambda: loaded.append(True))

    prepare()

    assert loaded == [True]
