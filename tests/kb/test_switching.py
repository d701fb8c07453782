"""Changing the embedding model while everything runs: the new index is built beside the old one, then used at once."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils.timezone import now
from pytest_django.fixtures import Settings

from kb.access import Viewer
from kb.errors import EmbeddingUnavailable, SwitchUnderWay
from kb.indexing import switching
from kb.indexing.index import outdated_articles, sync_article
from kb.indexing.models import Chunk, IndexSwitch, Recipe
from kb.indexing.recipes import (
    ROUTED,
    active_recipe,
    embedder_in_use,
    embedder_of,
    forget_embedder_in_use,
    has_embedder,
)
from kb.indexing.reindex import KEPT_AFTER_FLIP, reindex
from kb.indexing.switching import cancel_switch, carry_on, progress_of, start_switch
from kb.indexing.vector_file import VectorCache
from kb.models import Article
from kb.ports import Embedder, RecipeSpec
from kb.search.retrieval import search
from kb.tasks import sweep, switch_index
from kb.testing import HashEmbedder
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from tests.kb.test_index import published

pytestmark = pytest.mark.django_db(transaction=True)


class Served(HashEmbedder):
    """An embedder as the console's page names it, with short vectors."""

    recipe = RecipeSpec(name=f"{ROUTED}served:48", model="served", dimensions=48)


_served = Served()


def routed(recipe: RecipeSpec) -> Embedder:
    assert recipe == Served.recipe
    return _served


@pytest.fixture(autouse=True)
def served(settings: Settings) -> Iterator[Served]:
    settings.KB_ROUTED_EMBEDDER = f"{__name__}.routed"
    _served.__init__()  # type: ignore[misc]  # as new
    yield _served
    forget_embedder_in_use()


@pytest.fixture
def row(workspace: Workspace) -> Article:
    made = published()
    sync_article(made.pk)
    return made


@pytest.fixture
def towns(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    """Articles that take four commits, of which two are computed at the same time; return their number."""
    monkeypatch.setattr("kb.indexing.vectors.CHUNKS_PER_COMMIT", 2)
    for number in range(8):
        sync_article(published(f"Delivery to town {number} takes {number} days.", title=f"Town {number}").pk)
    return 8


def found() -> set[str]:
    return {passage.title for passage in search("delivery", viewer=Viewer()).passages}


def used() -> str:
    return Recipe.objects.get(is_active=True).name


def test_the_new_index_is_used_only_when_it_is_complete(row: Article, served: Served) -> None:
    switch = start_switch(Served.recipe, is_chosen=True)
    assert switch is not None
    served.fail_after(0)
    assert not carry_on()
    switch.refresh_from_db()
    assert (used(), switch.problem, found()) == ("hash-384", "embedding_unavailable", {"Delivery"})
    assert embedder_in_use().recipe.name == "hash-384"
    served.recover()
    assert not carry_on() and served.embedded == [], "it is tried again after a minute"
    IndexSwitch.objects.update(tries_again_at=now())
    switch_index()
    switch.refresh_from_db()
    assert (used(), switch.state, switch.problem) == (Served.recipe.name, "done", "")
    assert found() == {"Delivery"} and embedder_in_use() is served
    assert outdated_articles() == []


def test_a_search_reads_which_index_is_used(row: Article, served: Served) -> None:
    """So every process switches with the commit, and a search that began before it goes on with what it has."""
    before = active_recipe()
    start_switch(Served.recipe, is_chosen=True)
    carry_on()
    assert embedder_of(before).recipe.name == "hash-384"
    assert embedder_of(active_recipe()) is served


def test_a_killed_worker_has_lost_nothing_but_its_last_passages(towns: int, served: Served) -> None:
    switch = start_switch(Served.recipe, is_chosen=True)
    assert switch is not None
    served.fail_after(4)
    carry_on()
    half = progress_of(switch)
    assert 0 < half.done < half.total == Chunk.objects.filter(recipe__name="hash-384").count()
    served.recover()
    served.embedded.clear()
    IndexSwitch.objects.update(tries_again_at=None)
    assert carry_on()
    assert len(served.embedded) == half.total - half.done
    assert used() == Served.recipe.name


def test_only_one_worker_builds(row: Article, served: Served) -> None:
    start_switch(Served.recipe, is_chosen=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [switching._LOCK])
        outcomes: list[bool] = []

        def other() -> None:
            try:
                outcomes.append(carry_on())
            finally:
                connection.close()

        thread = Thread(target=other)
        thread.start()
        thread.join()
        cursor.execute("SELECT pg_advisory_unlock(%s)", [switching._LOCK])
    assert (outcomes, served.embedded, used()) == ([False], [], "hash-384")
    assert carry_on()


def test_cancelling_keeps_the_old_index_and_deletes_the_new_one(
    towns: int, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_switch(Served.recipe, is_chosen=True)
    with pytest.raises(SwitchUnderWay):
        start_switch(RecipeSpec("other", "other", 3), is_chosen=True)
    passages, calls = served.passages, count()

    def cancelled_meanwhile(texts: list[str]) -> list[list[float]]:
        if next(calls) == 0:
            assert cancel_switch()
        return passages(texts)

    monkeypatch.setattr(served, "passages", cancelled_meanwhile)
    assert not carry_on()
    assert len(served.embedded) < towns and used() == "hash-384"
    assert not cancel_switch() and not carry_on()
    Recipe.objects.filter(name=Served.recipe.name).update(retired_at=now() - KEPT_AFTER_FLIP)
    sweep()
    assert set(Chunk.objects.values_list("recipe__name", flat=True)) == {"hash-384"}
    assert len(found()) > 0


def test_a_cancellation_at_the_last_moment_is_obeyed(
    row: Article, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_switch(Served.recipe, is_chosen=True)
    passages = served.passages
    monkeypatch.setattr(served, "passages", lambda texts: [cancel_switch(), passages(texts)][1])
    assert not carry_on()
    assert used() == "hash-384"


def test_what_is_published_meanwhile_is_in_the_new_index(
    row: Article, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_switch(Served.recipe, is_chosen=True)
    passages = served.passages
    late: list[Article] = []

    def publishing(texts: list[str]) -> list[list[float]]:
        if not late:
            late.append(published("Written while the index was being built.", title="Late"))
        return passages(texts)

    monkeypatch.setattr(served, "passages", publishing)
    assert carry_on()
    assert Chunk.objects.filter(article=late[0], recipe__is_active=True).exclude(embedding=None).exists()
    assert outdated_articles() == []


def test_all_workspaces_switch_together(row: Article, other_workspace: Workspace, served: Served) -> None:
    with workspace_scope(other_workspace.pk):
        sync_article(published("Delivery elsewhere.", title="Elsewhere").pk)
    start_switch(Served.recipe, is_chosen=True)
    assert carry_on()
    with workspace_scope(other_workspace.pk):
        assert found() == {"Elsewhere"}
        assert not Chunk.objects.filter(recipe__is_active=True, embedding=None).exists()


def test_the_way_back_and_the_model_in_use(row: Article, served: Served) -> None:
    start_switch(Served.recipe, is_chosen=True)
    carry_on()
    assert start_switch(Served.recipe, is_chosen=True) is None, "it is in use already"
    start_switch(HashEmbedder.recipe, is_chosen=False)
    assert carry_on()
    recipe = active_recipe()
    assert (recipe.name, recipe.is_chosen, found()) == ("hash-384", False, {"Delivery"})
    assert embedder_in_use().recipe.name == "hash-384"


def test_kb_reindex_builds_what_the_console_has_chosen(row: Article, served: Served) -> None:
    """As the owner of the tables, say, which a worker may not be."""
    start_switch(Served.recipe, is_chosen=True)
    reindex()
    assert (used(), IndexSwitch.objects.get().state) == (Served.recipe.name, "done")
    assert reindex().embedded == 0 and used() == Served.recipe.name, "KB_EMBEDDER is not asked"


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
    assert not has_embedder(active_recipe()) and found() == {"Delivery"}, "by words alone"
    reindex()
    recipe = active_recipe()
    assert (recipe.name, recipe.is_chosen, has_embedder(recipe)) == ("newer", True, True)


def test_a_file_of_vectors_belongs_to_the_model_in_use(row: Article, served: Served, tmp_path: Path) -> None:
    start_switch(Served.recipe, is_chosen=True)
    carry_on()
    forget_embedder_in_use()  # as in a new process
    file = tmp_path / "vectors"
    VectorCache(file, HashEmbedder.recipe).add([("ab" * 32, [0.0] * 384)])
    with pytest.raises(CommandError, match="hash-384"):
        call_command("kb_import", str(tmp_path), vectors=file, workspace=Workspace.objects.get().slug)


def test_a_server_that_is_away_is_searched_by_words_alone(
    row: Article, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_switch(Served.recipe, is_chosen=True)
    carry_on()

    def away(_text: str) -> list[float]:
        raise EmbeddingUnavailable

    monkeypatch.setattr(served, "query", away)
    assert found() == {"Delivery"}
