"""The index stays in sync with the articles, whatever fails."""

from collections.abc import Sequence
from itertools import count
from threading import Barrier
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection
from django.utils.timezone import now

from kb import ports
from kb.errors import EmbeddingUnavailable, RecipeMismatch
from kb.indexing import chunking, embedding
from kb.indexing.embedding import embed_missing, lock_free_articles
from kb.indexing.model_switch import KEPT_AFTER_FLIP, delete_retired_rows
from kb.indexing.models import Chunk, Recipe
from kb.indexing.recipes import active_recipe
from kb.indexing.reindex import reindex
from kb.indexing.sync import outdated_articles, repair_index, sync_article, sync_articles
from kb.indexing.vector_index import LOCK, create_vector_index
from kb.models import Article
from kb.ports import RecipeSpec
from kb.services import Change, archive, create_article, publish, save_draft
from kb.tasks import index_article, repair, sweep
from kb.testing import HashEmbedder
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from tests.embedded.test_checks import database_url
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db

FILLER = " ".join(f"word{number} explains something about parcels" for number in range(30))
TWO_SECTIONS = f"## Costs\n\nDelivery costs 4.90 euros. {FILLER}\n\n## Times\n\nA parcel takes two days. {FILLER}"


def published(body: str = TWO_SECTIONS, title: str = "Delivery") -> Article:
    return publish(create_article(Change(title=title, body=body)).pk)


class VectorBook:
    """A vector store that keeps all embedded vectors."""

    def __init__(self) -> None:
        self.vectors: dict[str, Sequence[float]] = {}

    def get(self, content_hash: str, /) -> Sequence[float] | None:
        return self.vectors.get(content_hash)

    def add(self, vectors: Sequence[tuple[str, Sequence[float]]], /) -> None:
        self.vectors.update(vectors)


def without_vector() -> int:
    return Chunk.objects.filter(embedding=None).count()


def indexed(pk: UUID) -> int | None:
    return Article.objects.get(pk=pk).indexed_revision


def test_a_sync_gives_every_passage_a_vector_and_marks_the_article(workspace: Workspace) -> None:
    row = published()
    report = sync_article(row.pk)
    assert report.embedded == Chunk.objects.count() >= 2
    assert without_vector() == 0
    assert indexed(row.pk) == 1


def test_a_second_sync_embeds_nothing(workspace: Workspace, embedder: HashEmbedder) -> None:
    row = published()
    sync_article(row.pk)
    asked = len(embedder.embedded)
    assert sync_article(row.pk).chunks == 0
    assert len(embedder.embedded) == asked


def test_an_edit_embeds_only_the_passage_that_changed(workspace: Workspace, embedder: HashEmbedder) -> None:
    row = published()
    sync_article(row.pk)
    embedder.embedded.clear()
    save_draft(row.pk, Change(body=TWO_SECTIONS.replace("two days", "three days")))
    publish(row.pk)
    assert without_vector() == 1
    sync_article(row.pk)
    assert ["three days" in text for text in embedder.embedded] == [True]
    assert indexed(row.pk) == 2


def test_a_failing_model_leaves_old_vectors_and_the_next_sync_completes(
    workspace: Workspace, embedder: HashEmbedder
) -> None:
    row = published()
    sync_article(row.pk)
    save_draft(row.pk, Change(body=TWO_SECTIONS.replace("two days", "three days")))
    publish(row.pk)
    embedder.fail_after(0)
    with pytest.raises(EmbeddingUnavailable):
        sync_article(row.pk)
    assert Chunk.objects.exclude(embedding=None).exists()
    assert Chunk.objects.filter(search_vector=None).count() == 0
    assert (indexed(row.pk), outdated_articles()) == (None, [row.pk])
    embedder.recover()
    assert repair_index().articles == 1
    assert (without_vector(), indexed(row.pk), outdated_articles()) == (0, 2, [])


@pytest.mark.long
def test_vectors_from_before_a_failure_are_kept(
    workspace: Workspace, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "CHUNKS_PER_COMMIT", 4)
    rows = [published(title=f"Delivery {number}") for number in range(6)]
    total = without_vector()
    assert total > 10
    embedder.fail_after(6)
    with pytest.raises(EmbeddingUnavailable):
        sync_articles([row.pk for row in rows])
    assert 0 < total - without_vector() <= 6


def test_the_model_is_not_called_for_known_vectors(workspace: Workspace, embedder: HashEmbedder) -> None:
    book, row = VectorBook(), published()
    sync_articles([row.pk], known=book)
    Chunk.objects.update(embedding=None)
    embedder.embedded.clear()
    report = sync_articles([row.pk], known=book)
    assert (report.embedded, report.reused, embedder.embedded) == (0, len(book.vectors), [])


def test_a_publication_during_embedding_is_not_marked_as_indexed(workspace: Workspace, embedder: HashEmbedder) -> None:
    row = published()

    class Publishing(VectorBook):
        """A store during whose look-up another text is published: after rows are read, before they are embedded."""

        def get(self, content_hash: str, /) -> Sequence[float] | None:
            if embedder._left is None:
                embedder.fail_after(without_vector())
                save_draft(row.pk, Change(body=f"Another text altogether. {FILLER}"))
                publish(row.pk)
            return super().get(content_hash)

    with pytest.raises(EmbeddingUnavailable):
        sync_articles([row.pk], known=Publishing())
    assert indexed(row.pk) is None
    assert set(Chunk.objects.values_list("revision_number", flat=True)) == {2}


@pytest.mark.long
def test_the_model_starts_the_next_passages_before_the_last_ones_are_stored(
    workspace: Workspace, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "CHUNKS_PER_COMMIT", 4)
    rows = [published(title=f"Delivery {number}") for number in range(8)]
    passages, both, calls = embedder.passages, Barrier(2), count()

    def waiting_for_each_other(texts: list[str]) -> list[list[float]]:
        if next(calls) < 2:
            both.wait(PATIENCE_SECONDS)
        return passages(texts)

    monkeypatch.setattr(embedder, "passages", waiting_for_each_other)
    assert sync_articles([row.pk for row in rows]).embedded == len(embedder.embedded)
    assert (without_vector(), outdated_articles()) == (0, [])


def test_a_row_of_an_older_revision_is_embedded_with_its_own_title(
    workspace: Workspace, embedder: HashEmbedder
) -> None:
    row = published(title="Delivery at home")
    stored = list(Chunk.objects.values_list("content_hash", flat=True))
    save_draft(row.pk, Change(title="Delivery abroad"))
    row.refresh_from_db()
    # As in a process that read the rows just before the publication.
    Article.objects.filter(pk=row.pk).update(live_revision=row.latest_revision)
    book = VectorBook()
    embed_missing([row.pk], active_recipe(), known=book)
    assert embedder.embedded
    assert all(text.startswith("Delivery at home") for text in embedder.embedded)
    assert sorted(book.vectors) == sorted(stored)


@pytest.mark.long
def test_the_nightly_repair_finds_every_kind_of_damage(workspace: Workspace) -> None:
    unmarked, vectorless, rowless, archived = (published(title=name) for name in ("A", "B", "C", "D"))
    sync_articles([row.pk for row in (unmarked, vectorless, rowless, archived)])
    Article.objects.filter(pk=unmarked.pk).update(indexed_revision=None)
    Chunk.objects.filter(article=vectorless).update(embedding=None)
    Chunk.objects.filter(article=rowless).delete()
    Article.objects.filter(pk=archived.pk).update(state="archived")
    assert set(outdated_articles()) == {unmarked.pk, vectorless.pk, rowless.pk}
    repair()
    assert outdated_articles() == []
    assert without_vector() == 0
    assert set(Chunk.objects.values_list("article", flat=True)) == {unmarked.pk, vectorless.pk, rowless.pk}


def test_the_sweep_indexes_articles_whose_message_was_lost(workspace: Workspace, other_workspace: Workspace) -> None:
    here = published()
    with workspace_scope(other_workspace.pk):
        there = published()
    sweep()
    assert indexed(here.pk) == 1
    with workspace_scope(other_workspace.pk):
        assert indexed(there.pk) == 1


def test_a_workspace_that_cannot_be_indexed_does_not_stop_the_others(
    workspace: Workspace, other_workspace: Workspace, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the embedding provider refused its text."""
    refused, fine = published(title="Refused"), HashEmbedder.passages
    with workspace_scope(other_workspace.pk):
        there = published()

    def passages(self: HashEmbedder, texts: Sequence[str]) -> list[list[float]]:
        if any(text.startswith("Refused") for text in texts):
            raise EmbeddingUnavailable("Not this text.")
        return fine(self, texts)

    monkeypatch.setattr(HashEmbedder, "passages", passages)
    assert workspace.pk < other_workspace.pk
    sweep()
    assert indexed(refused.pk) is None
    with workspace_scope(other_workspace.pk):
        assert indexed(there.pk) == 1


def test_the_task_indexes_one_article_and_ignores_an_archived_one(workspace: Workspace) -> None:
    row = published()
    index_article(str(workspace.pk), str(row.pk))
    assert indexed(row.pk) == 1
    archive(row.pk)
    index_article(str(workspace.pk), str(row.pk))
    assert not Chunk.objects.exists()


def test_an_article_that_another_process_embeds_is_left_to_it(workspace: Workspace, embedder: HashEmbedder) -> None:
    rows = [published(title=name) for name in ("A", "B")]
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s::text, 27490))", [str(rows[0].pk)])
        with lock_free_articles([row.pk for row in rows]) as held:
            assert held == [rows[1].pk]
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_all()")
    finally:
        other.close()
    with lock_free_articles([row.pk for row in rows]) as held:
        assert len(held) == 2


def locked_elsewhere(article_id: UUID) -> bool:
    """Return whether another connection cannot lock an article now; if it can, it releases the lock."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s::text, 27490))", [str(article_id)])
            [is_free] = cursor.fetchone()
        return not is_free
    finally:
        other.close()


def test_an_article_stays_locked_until_its_vectors_are_stored(
    workspace: Workspace, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next group of articles begins earlier; here, each article is a group."""
    monkeypatch.setattr(embedding, "CHUNKS_PER_LOCK", 1)
    rows = [published(title=name) for name in ("A", "B", "C", "D")]
    locked: list[list[bool]] = []

    class Watching(VectorBook):
        def add(self, vectors: Sequence[tuple[str, Sequence[float]]], /) -> None:
            locked.append([locked_elsewhere(row.pk) for row in rows])
            super().add(vectors)

    report = embed_missing([row.pk for row in rows], active_recipe(), known=Watching())
    assert (report.embedded, without_vector()) == (Chunk.objects.count(), 0)
    assert locked == [
        [True, True, False, False],
        [False, True, True, False],
        [False, False, True, True],
        [False, False, False, True],
    ]
    assert not any(locked_elsewhere(row.pk) for row in rows)


class SecondEmbedder(HashEmbedder):
    recipe = RecipeSpec(name="hash-64", model="hash", dimensions=64)


@pytest.fixture
def second_model(settings: object) -> str:
    return f"{__name__}.SecondEmbedder"


def test_vectors_of_two_models_never_mix(workspace: Workspace, settings: object, second_model: str) -> None:
    row = published()
    settings.KB_EMBEDDER = second_model  # type: ignore[attr-defined]  # pytest-django's
    with pytest.raises(RecipeMismatch, match="kb_reindex"):
        sync_article(row.pk)
    assert without_vector() == Chunk.objects.count()


@pytest.mark.django_db(transaction=True)
def test_a_reindex_builds_the_new_index_and_switches(workspace: Workspace, settings: object, second_model: str) -> None:
    row = published()
    sync_article(row.pk)
    settings.KB_EMBEDDER = second_model  # type: ignore[attr-defined]  # pytest-django's
    reindex()
    assert Recipe.objects.get(is_active=True).name == "hash-64"
    sweep()
    assert set(Chunk.objects.values_list("recipe__name", flat=True)) == {"hash-384", "hash-64"}, (
        "searches that are running"
    )
    Recipe.objects.filter(name="hash-384").update(retired_at=now() - KEPT_AFTER_FLIP)
    sweep()
    assert set(Chunk.objects.values_list("recipe__name", flat=True)) == {"hash-64"}
    assert {len(chunk.embedding) for chunk in Chunk.objects.all()} == {64}
    assert indexed(row.pk) == 1


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_articles_that_are_split_differently_can_be_searched_by_vector_all_the_time(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = published()
    sync_article(row.pk)
    before, model = Chunk.objects.count(), ports.embedder()
    passages, missing = model.passages, []

    def watched(texts: list[str]) -> list[list[float]]:
        missing.append(without_vector())
        return passages(texts)

    monkeypatch.setattr(model, "passages", watched)
    monkeypatch.setattr("kb.indexing.chunking.TARGET_WORDS", 20)
    monkeypatch.setattr("kb.indexing.chunking._AS_PROSE", (20, *chunking._AS_PROSE[1:]))
    report = reindex()
    assert report.embedded and missing and not any(missing), "every passage always had its vector"
    assert Chunk.objects.count() > before and without_vector() == 0
    assert reindex().embedded == 0


@pytest.mark.django_db(transaction=True)
def test_an_index_that_a_killed_reindex_left_is_replaced(
    workspace: Workspace, settings: object, second_model: str
) -> None:
    published()
    settings.KB_EMBEDDER = second_model  # type: ignore[attr-defined]  # pytest-django's
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX IF EXISTS kb_chunk_hnsw_64")
        cursor.execute("CREATE INDEX kb_chunk_hnsw_64 ON kb_chunk (id)")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'kb_chunk_hnsw_64'::regclass")
    reindex()
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid, pg_get_indexdef(indexrelid) FROM pg_index "
                       "WHERE indexrelid = 'kb_chunk_hnsw_64'::regclass")  # fmt: skip
        is_valid, definition = cursor.fetchone()
    assert is_valid and "hnsw" in definition


@pytest.mark.django_db(transaction=True)
def test_a_second_reindex_waits_for_the_index_of_the_first(
    workspace: Workspace, settings: object, second_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    published()
    settings.KB_EMBEDDER = second_model  # type: ignore[attr-defined]  # pytest-django's
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX IF EXISTS kb_chunk_hnsw_64")
    pauses: list[float] = []
    with psycopg.connect(database_url(), autocommit=True) as first:
        first.execute("SELECT pg_advisory_lock(%s)", [LOCK])

        def finish_first(seconds: float) -> None:
            pauses.append(seconds)
            first.execute("CREATE INDEX CONCURRENTLY kb_chunk_hnsw_64 ON kb_chunk (id)")
            first.execute("SELECT pg_advisory_unlock(%s)", [LOCK])

        monkeypatch.setattr("kb.indexing.vector_index.time.sleep", finish_first)
        reindex()
        definition = first.execute("SELECT pg_get_indexdef('kb_chunk_hnsw_64'::regclass)").fetchone()
        assert definition is not None and "hnsw (" not in definition[0], "it is not built twice"
        assert first.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() == (True,), "released"
        first.execute("DROP INDEX kb_chunk_hnsw_64")
    assert len(pauses) == 1
    assert Recipe.objects.get(is_active=True).name == "hash-64"


@pytest.mark.django_db(transaction=True)
def test_an_interrupted_reindex_leaves_the_old_index_in_use(
    workspace: Workspace, settings: object, second_model: str
) -> None:
    row = published()
    sync_article(row.pk)
    settings.KB_EMBEDDER = second_model  # type: ignore[attr-defined]  # pytest-django's
    model = ports.embedder()
    assert isinstance(model, SecondEmbedder)
    model.fail_after(0)
    with pytest.raises(EmbeddingUnavailable):
        reindex()
    assert delete_retired_rows() == 0, "an index that is being built is not dropped"
    old = Chunk.objects.filter(recipe__is_active=True)
    assert old.exists()
    assert not old.filter(embedding=None).exists()
    assert (Recipe.objects.get(is_active=True).name, indexed(row.pk)) == ("hash-384", 1)


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_a_reindex_includes_articles_published_meanwhile(
    workspace: Workspace, settings: object, second_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    published()
    settings.KB_EMBEDDER = second_model  # type: ignore[attr-defined]  # pytest-django's
    model = ports.embedder()
    passages, late = model.passages, []

    def publishing(texts: list[str]) -> list[list[float]]:
        if not late:
            late.append(published("Written while the index was being built.", title="Late"))
        return passages(texts)

    monkeypatch.setattr(model, "passages", publishing)
    reindex()
    assert Chunk.objects.filter(article=late[0], recipe__is_active=True).exclude(embedding=None).exists()
    assert outdated_articles() == []


@pytest.mark.django_db(transaction=True)
def test_an_index_is_built_without_the_applications_time_limits_if_there_is_one_role(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It waits for old transactions, such as a backup, which may take any length of time."""
    limits = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
    seen = []

    def look(owner: Any, dimensions: int, concurrently: str) -> None:
        owner.execute(limits)
        seen.append(owner.fetchone())

    monkeypatch.setattr("kb.indexing.vector_index._replace_vector_index", look)
    monkeypatch.setattr("kb.indexing.vector_index._has_vector_index", lambda dimensions: False)
    create_vector_index(64)
    with connection.cursor() as cursor:
        cursor.execute(limits)
        assert (seen, cursor.fetchone()) == ([("0", "0")], ("1min", "2min"))
