"""Changing the embedding model while everything runs: the new index is built next to the old one, then used at once."""

from collections.abc import Callable, Iterator
from contextvars import copy_context
from itertools import count
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.db.models import Q
from django.utils.timezone import now
from pytest_django.fixtures import Settings

from kb.access import Viewer
from kb.documents import ArticleText, Document
from kb.errors import EmbeddingUnavailable, IndexBeingBuilt, IndexReplaced, SwitchUnderWay
from kb.importing.importer import import_documents
from kb.indexing import reindex as reindexing
from kb.indexing.build_lock import LOCK
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
from kb.indexing.reindex import KEPT_AFTER_FLIP, delete_retired_rows, reindex
from kb.indexing.switching import cancel_switch, carry_on, progress_of, start_switch
from kb.indexing.vector_file import VectorCache
from kb.models import Article
from kb.ports import Embedder, RecipeSpec
from kb.revisions import lock_articles, publish_articles, write_revisions
from kb.search.retrieval import search
from kb.tasks import sweep, switch_index
from kb.testing import HashEmbedder
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from tests.kb.test_index import published

pytestmark = pytest.mark.django_db(transaction=True)


class Served(HashEmbedder):
    """An embedder like one of the console's page, with short vectors."""

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
def town_articles(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    """Create articles that take four commits, two of which are computed at the same time; return their number."""
    monkeypatch.setattr("kb.indexing.vectors.CHUNKS_PER_COMMIT", 2)
    for number in range(8):
        sync_article(published(f"Delivery to town {number} takes {number} days.", title=f"Town {number}").pk)
    return 8


def found() -> set[str]:
    return {passage.title for passage in search("delivery", viewer=Viewer()).passages}


def used() -> str:
    return Recipe.objects.get(is_active=True).name


def elsewhere(do: Callable[[], object]) -> object:
    """Return the result or error of a call in another process, with its own database connection."""
    thread, outcomes = beginning(do)
    thread.join(30)
    assert outcomes, "the call waits"
    return outcomes[0]


def beginning(do: Callable[[], object]) -> tuple[Thread, list[object]]:
    """Start a call in another process; return its thread, and the list that will contain its outcome."""
    outcomes: list[object] = []
    context = copy_context()  # contains the workspace scope

    def run() -> None:
        try:
            outcomes.append(do())
        except Exception as error:  # noqa: BLE001  # the test looks at it
            outcomes.append(error)
        finally:
            connection.close()

    thread = Thread(target=lambda: context.run(run))
    thread.start()
    return thread, outcomes


def waiting_for(kind: str) -> int:
    """Return how many statements wait for a lock of this kind."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = %s", [kind])
        (found,) = cursor.fetchone()
    return int(found)


def until(is_true: Callable[[], object]) -> None:
    ends = monotonic() + 20
    while not is_true():
        assert monotonic() < ends, "the condition was never met"
        sleep(0.02)


def during(monkeypatch: pytest.MonkeyPatch, model: HashEmbedder, do: Callable[[], object]) -> list[object]:
    """Make a call once while a model embeds passages; return the list that will contain its outcome."""
    passages, outcomes = model.passages, []

    def embedding(texts: list[str]) -> list[list[float]]:
        if not outcomes:
            outcomes.append(None)
            outcomes[0] = elsewhere(do)
        return passages(texts)

    monkeypatch.setattr(model, "passages", embedding)
    return outcomes


def test_the_new_index_is_used_only_when_it_is_complete(row: Article, served: Served) -> None:
    switch = start_switch(Served.recipe, is_chosen=True)
    assert switch is not None
    served.fail_after(0)
    assert not carry_on()
    switch.refresh_from_db()
    assert (used(), switch.problem, found()) == ("hash-384", "embedding_unavailable", {"Delivery"})
    assert embedder_in_use().recipe.name == "hash-384"
    served.recover()
    assert not carry_on() and served.embedded == [], "the build is retried after a minute"
    IndexSwitch.objects.update(tries_again_at=now())
    switch_index()
    switch.refresh_from_db()
    assert (used(), switch.state, switch.problem) == (Served.recipe.name, "done", "")
    assert found() == {"Delivery"} and embedder_in_use() is served
    assert outdated_articles() == []


def test_a_search_reads_which_index_is_used(row: Article, served: Served) -> None:
    """Every process switches with the commit, and a search that began before it continues with the old index."""
    before = active_recipe()
    start_switch(Served.recipe, is_chosen=True)
    carry_on()
    assert embedder_of(before).recipe.name == "hash-384"
    assert embedder_of(active_recipe()) is served


def test_a_killed_worker_loses_only_its_last_passages(town_articles: int, served: Served) -> None:
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
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        outcome = elsewhere(carry_on)
        cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    assert (outcome, served.embedded, used()) == (False, [], "hash-384")
    assert carry_on()


def test_cancelling_keeps_the_old_index_and_deletes_the_new_one(
    town_articles: int, served: Served, monkeypatch: pytest.MonkeyPatch
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
    assert len(served.embedded) < town_articles and used() == "hash-384"
    assert not cancel_switch() and not carry_on()
    Recipe.objects.filter(name=Served.recipe.name).update(retired_at=now() - KEPT_AFTER_FLIP)
    sweep()
    assert set(Chunk.objects.values_list("recipe__name", flat=True)) == {"hash-384"}
    assert len(found()) > 0


def test_a_cancellation_at_the_last_moment_takes_effect(
    row: Article, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_switch(Served.recipe, is_chosen=True)
    passages = served.passages
    monkeypatch.setattr(served, "passages", lambda texts: [cancel_switch(), passages(texts)][1])
    assert not carry_on()
    assert used() == "hash-384"


def test_articles_published_meanwhile_are_in_the_new_index(
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


def test_the_former_model_can_be_chosen_again(row: Article, served: Served) -> None:
    start_switch(Served.recipe, is_chosen=True)
    carry_on()
    assert start_switch(Served.recipe, is_chosen=True) is None, "the model is already in use"
    start_switch(HashEmbedder.recipe, is_chosen=False)
    assert carry_on()
    recipe = active_recipe()
    assert (recipe.name, recipe.is_chosen, found()) == ("hash-384", False, {"Delivery"})
    assert embedder_in_use().recipe.name == "hash-384"


def test_kb_reindex_builds_the_index_chosen_in_the_console(row: Article, served: Served) -> None:
    """For example as the owner of the tables, if the worker is not their owner."""
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
    assert not has_embedder(active_recipe()) and found() == {"Delivery"}, "search uses words only"
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


def test_without_its_server_a_search_uses_words_only(
    row: Article, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_switch(Served.recipe, is_chosen=True)
    carry_on()

    def away(_text: str) -> list[float]:
        raise EmbeddingUnavailable

    monkeypatch.setattr(served, "query", away)
    assert found() == {"Delivery"}


def other_model(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> HashEmbedder:
    """Configure another model with KB_EMBEDDER, and return it."""
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


def test_a_retry_keeps_the_rows_of_the_new_index(town_articles: int, served: Served) -> None:
    start_switch(Served.recipe, is_chosen=True)
    served.fail_after(0)
    assert not carry_on()
    rows = Chunk.objects.filter(recipe__name=Served.recipe.name)
    before = set(rows.values_list("pk", flat=True))
    assert before
    IndexSwitch.objects.update(tries_again_at=None)
    assert not carry_on()
    assert set(rows.values_list("pk", flat=True)) == before
    served.recover()
    late = published("Changed meanwhile.", title="Late")
    IndexSwitch.objects.update(tries_again_at=None)
    assert carry_on()
    assert before < set(rows.values_list("pk", flat=True)) and rows.filter(article=late).exists()


@pytest.fixture
def at_the_switch(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A worker that has built the new index; the call has it switch, and returns once it waits for the recipes."""
    start_switch(Served.recipe, is_chosen=True)
    built, may_switch, activate = Event(), Event(), reindexing._activate

    def activating(*args: Any) -> None:
        built.set()
        assert may_switch.wait(20)
        activate(*args)

    monkeypatch.setattr(reindexing, "_activate", activating)
    thread, outcomes = beginning(carry_on)
    assert built.wait(20)

    def go_on() -> None:
        may_switch.set()
        until(lambda: waiting_for("advisory"))

    yield go_on
    may_switch.set()
    thread.join(30)
    assert outcomes == [True] and used() == Served.recipe.name


def test_publishing_and_the_switch_never_wait_for_each_other(row: Article, at_the_switch: Callable[[], None]) -> None:
    """A publisher that has locked its article needs the index while the switch needs all locks."""
    with transaction.atomic():
        (article,) = lock_articles(Q(pk=row.pk))
        write_revisions([(article, ArticleText("Delivery", "Delivery takes four days."))])
        at_the_switch()
        publish_articles([article])
    until(lambda: used() == Served.recipe.name)
    texts = Chunk.objects.filter(article=row, recipe__is_active=True).values_list("text", flat=True)
    assert ["four days" in text for text in texts] == [True]


def test_an_import_and_the_switch_never_wait_for_each_other(
    row: Article, at_the_switch: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def pictures(group: list[Document]) -> list[Document]:  # the import locks the articles, then stores their pictures
        at_the_switch()
        return group

    monkeypatch.setattr("kb.importing.importer.store_pictures", pictures)
    wording = ArticleText("Delivery", "Delivery takes four days.")
    report = import_documents([Document(origin="x", external_id=row.external_id, wording=wording)])
    assert report.count("updated") == 1


@pytest.mark.parametrize("error", [OperationalError("the server is gone"), ValueError("no such thing")])
def test_an_unexpected_error_is_shown_and_retried_after_a_minute(
    row: Article, served: Served, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    switch = start_switch(Served.recipe, is_chosen=True)
    assert switch is not None

    def fail(_texts: list[str]) -> list[list[float]]:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(served, "passages", fail)
        assert not carry_on()
    switch.refresh_from_db()
    assert (switch.state, switch.problem, used()) == ("building", "unexpected", "hash-384")
    assert switch.tries_again_at is not None and switch.tries_again_at > now()
    assert elsewhere(carry_on) is False, "the build waits, and another worker could start it"
    IndexSwitch.objects.update(tries_again_at=now())
    assert elsewhere(carry_on) is True


def test_a_failure_after_the_switch_is_not_shown_as_its_problem(
    row: Article, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = start_switch(Served.recipe, is_chosen=True)
    assert switch is not None
    passages, late = served.passages, []

    def publishing(texts: list[str]) -> list[list[float]]:
        if late:
            raise EmbeddingUnavailable
        late.append(published("Written while the index was being built.", title="Late"))
        return passages(texts)

    with monkeypatch.context() as patch:
        patch.setattr(served, "passages", publishing)
        assert carry_on(), "the new model is in use"
    switch.refresh_from_db()
    assert (switch.state, switch.problem, switch.tries_again_at) == ("done", "", None)
    sweep()
    assert outdated_articles() == []


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


def test_the_model_in_use_can_be_chosen_again_while_another_is_built(row: Article, served: Served) -> None:
    """For example with other fallbacks."""
    start_switch(Served.recipe, is_chosen=True)
    assert start_switch(HashEmbedder.recipe, is_chosen=False) is None
    assert IndexSwitch.objects.get().state == "building" and carry_on()
