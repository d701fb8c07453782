"""`kb_reindex` and a switch of the embedding model, which may run at the same time: neither undoes the other."""

import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import now
from pytest_django.fixtures import Settings

from kb.errors import IndexBeingBuilt, IndexReplaced
from kb.indexing.model_switch import carry_on, delete_retired_rows, start_switch
from kb.indexing.models import IndexSwitch, Recipe
from kb.indexing.recipes import active_recipe, embedder_of, has_embedder
from kb.indexing.reindex import reindex
from kb.models import Article
from kb.ports import RecipeSpec
from kb.testing import HashEmbedder
from tests.kb.switching import Served, during, found, used
from tests.kb.switching import row as row
from tests.kb.switching import served as served

pytestmark = pytest.mark.django_db(transaction=True)


def test_kb_reindex_builds_the_index_chosen_in_the_console(row: Article, served: Served) -> None:
    """For example, as the owner of the tables, if the worker is not their owner."""
    start_switch(Served.recipe, is_chosen=True)
    reindex()
    assert (used(), IndexSwitch.objects.get().state) == (Served.recipe.name, "done")
    assert reindex().embedded == 0 and used() == Served.recipe.name, "KB_EMBEDDER is not asked"


@pytest.mark.long
def test_a_version_that_ships_another_model_replaces_the_chosen_one(
    row: Article, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ship(name: str) -> None:
        shipped = Served()
        monkeypatch.setattr(shipped, "recipe", RecipeSpec(name, name, 48))
        for module in ("recipes", "reindex"):
            monkeypatch.setattr(f"kb.indexing.{module}.packaged_embedder", lambda: shipped)

    ship("older")
    start_switch(RecipeSpec("older", "older", 48), is_chosen=True)
    assert carry_on() and has_embedder(active_recipe())
    ship("newer")
    assert not has_embedder(active_recipe()) and found() == {"Delivery"}, "search uses words only"
    reindex()
    recipe = active_recipe()
    assert (recipe.name, recipe.is_chosen, has_embedder(recipe)) == ("newer", True, True)


def other_model(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> HashEmbedder:
    """Configure a different model with KB_EMBEDDER, and return it."""
    other = HashEmbedder()
    monkeypatch.setattr(other, "recipe", RecipeSpec("other", "other", 384), raising=False)
    for module in ("recipes", "reindex"):
        monkeypatch.setattr(f"kb.indexing.{module}.embedder", lambda: other)
    return other


def test_no_model_is_chosen_while_kb_reindex_runs(
    row: Article, served: Served, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = other_model(monkeypatch, settings)
    chosen = during(monkeypatch, other, lambda: start_switch(Served.recipe, is_chosen=True))
    reindex()
    assert isinstance(chosen[0], IndexBeingBuilt) and used() == "other"
    assert not IndexSwitch.objects.exists()
    assert start_switch(Served.recipe, is_chosen=True) is not None and carry_on()


@pytest.mark.long
def test_kb_reindex_keeps_the_index_that_a_switch_has_built(
    row: Article, served: Served, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a switch began at the same time anyway, its rows and its choice survive the end of `kb_reindex`."""
    other = other_model(monkeypatch, settings)

    def begin() -> bool:
        recipe = Recipe.objects.create(name=Served.recipe.name, model="served", dimensions=48, is_chosen=True)
        IndexSwitch.objects.create(recipe=recipe)
        return carry_on()

    is_done = during(monkeypatch, other, begin)
    reindex()
    recipe = Recipe.objects.get(name=Served.recipe.name)
    assert (is_done, used()) == ([False], "other"), "the worker waits for kb_reindex"
    assert (recipe.is_chosen, recipe.retired_at) == (True, None)
    assert carry_on()
    recipe = active_recipe()
    assert (recipe.name, recipe.is_chosen, embedder_of(recipe)) == (Served.recipe.name, True, served)
    assert found() == {"Delivery"}


def test_kb_reindex_does_not_undo_a_switch_that_it_has_not_seen(
    row: Article, served: Served, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = other_model(monkeypatch, settings)

    def switch() -> None:
        Recipe.objects.update(is_active=False)
        Recipe.objects.create(name="new", model="new", dimensions=48, is_active=True)

    during(monkeypatch, other, switch)
    with pytest.raises(IndexReplaced):
        reindex()
    assert used() == "new"


def test_kb_reindex_is_refused_while_a_worker_builds(
    row: Article, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_switch(Served.recipe, is_chosen=True)
    refused = during(monkeypatch, served, lambda: call_command("kb_reindex"))
    assert carry_on()
    assert isinstance(refused[0], CommandError) and "Try again when it is done" in str(refused[0])
    recipe = active_recipe()
    assert (recipe.name, recipe.is_chosen, IndexSwitch.objects.get().state) == (Served.recipe.name, True, "done")


def test_a_switch_finished_by_another_process_is_not_a_cancellation(
    row: Article, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_switch(Served.recipe, is_chosen=True)

    def finish() -> None:
        IndexSwitch.objects.update(state=IndexSwitch.State.DONE, finished_at=now())
        Recipe.objects.update(is_active=False)
        Recipe.objects.filter(name=Served.recipe.name).update(is_active=True)

    during(monkeypatch, served, finish)
    reindex()
    assert used() == Served.recipe.name and delete_retired_rows() == 0
