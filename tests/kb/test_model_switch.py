"""Changing the embedding model while everything runs: the new index is built next to the old one, then used at once."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.db.models import Q
from django.utils.timezone import now

from kb.errors import EmbeddingUnavailable, SwitchUnderWay
from kb.importing.importer import import_documents
from kb.importing.parsed_document import Document
from kb.indexing import reindex as reindexing
from kb.indexing.build_lock import LOCK
from kb.indexing.model_switch import KEPT_AFTER_FLIP, cancel_switch, carry_on, progress_of, start_switch
from kb.indexing.models import Chunk, IndexSwitch, Recipe
from kb.indexing.recipes import active_recipe, embedder_in_use, embedder_of, forget_embedder_in_use
from kb.indexing.sync import outdated_articles, sync_article
from kb.indexing.vector_file import VectorFile
from kb.models import Article
from kb.ports import RecipeSpec
from kb.revisions import lock_articles, publish_articles, write_revisions
from kb.tasks import sweep, switch_index
from kb.testing import HashEmbedder
from kb.validation import ArticleText
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from tests.kb.switching import Served, beginning, elsewhere, found, until, used
from tests.kb.switching import row as row
from tests.kb.switching import served as served
from tests.kb.switching import town_articles as town_articles
from tests.kb.test_index import published
from tests.locks import has_waiting_locks
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)


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


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
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


def test_a_file_of_vectors_belongs_to_the_model_in_use(row: Article, served: Served, tmp_path: Path) -> None:
    start_switch(Served.recipe, is_chosen=True)
    carry_on()
    forget_embedder_in_use()  # as in a new process
    file = tmp_path / "vectors"
    VectorFile(file, HashEmbedder.recipe).add([("ab" * 32, [0.0] * 384)])
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


@pytest.mark.long
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
    """A worker that has built the new index. Calling it lets it switch; the call returns once it waits for a lock."""
    start_switch(Served.recipe, is_chosen=True)
    built, may_switch, activate = Event(), Event(), reindexing._activate

    def activating(*args: Any) -> None:
        built.set()
        assert may_switch.wait(PATIENCE_SECONDS)
        activate(*args)

    monkeypatch.setattr(reindexing, "_activate", activating)
    thread, outcomes = beginning(carry_on)
    assert built.wait(PATIENCE_SECONDS)

    def go_on() -> None:
        may_switch.set()
        until(lambda: has_waiting_locks("advisory"))

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


@pytest.mark.one_in(2)
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


def test_the_model_in_use_can_be_chosen_again_while_another_is_built(row: Article, served: Served) -> None:
    """For example, with different fallbacks."""
    start_switch(Served.recipe, is_chosen=True)
    assert start_switch(HashEmbedder.recipe, is_chosen=False) is None
    assert IndexSwitch.objects.get().state == "building" and carry_on()
