"""Keeping the index in sync with the articles: chunk rows immediately, vectors as soon as the model has computed them.

Invariants: chunk rows are replaced in the transaction that publishes and keep the vectors of unchanged passages, so
existing text never disappears from vector search while new text is being embedded. `indexed_revision` is set last, in
the transaction that stores an article's last missing vector: an interrupted sync is visible, and the next one embeds
only what is missing.

Dead tasks, lost messages and manual changes in the database leave traces, which `outdated_articles` finds: a live
article whose `indexed_revision` is not its live revision, chunk rows without a vector or of another revision, rows of
articles that are not live.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from kb.file_page_markers import Pages
from kb.indexing.chunking import chunk, content_hash, embedding_text
from kb.indexing.embedding import KnownVectors, Progress, SyncReport, embed_missing, mark_indexed, no_progress
from kb.indexing.full_text import fill_search_vectors
from kb.indexing.models import Chunk, Recipe
from kb.indexing.recipes import active_recipe, lock_active_recipe
from kb.models import Article, Revision, State

ARTICLES_PER_COMMIT = 50

Vectors = dict[str, list[float] | None]


def sync_article(article_id: UUID) -> SyncReport:
    """Update the index of one article to its live revision; a second call has nothing to do."""
    return sync_articles([article_id])


def sync_articles(
    article_ids: Sequence[UUID], *, known: KnownVectors | None = None, progress: Progress = no_progress
) -> SyncReport:
    """Update the index of these articles of the workspace to their live revisions.

    Returns once every chunk has its vector, whichever process computed it. Raises RecipeMismatch or
    EmbeddingUnavailable; vectors stored by then are kept. Must not be called inside a transaction, since embedding
    takes long.
    """
    with transaction.atomic():
        recipe = lock_active_recipe()
        _delete_orphaned_rows(article_ids)
        ensure_chunk_rows(article_ids, recipe)
    report = embed_missing(article_ids, recipe, known=known, progress=progress)
    mark_indexed(article_ids, recipe)  # articles without any chunk to embed
    return report


def ensure_chunk_rows(article_ids: Sequence[UUID], recipe: Recipe) -> None:
    """Create missing chunk rows of live articles for their live revision; normally, publishing has done so."""
    behind = Article.objects.filter(pk__in=article_ids).filter(missing_chunk_rows(recipe)).values_list("pk", flat=True)
    if ids := list(behind):
        replace_chunks(lock_live_articles(ids), recipe)


def missing_chunk_rows(recipe: Recipe) -> Q:
    """Return the condition for live articles without chunk rows of `recipe` for their live revision."""
    rows = Chunk.objects.filter(article=OuterRef("pk"), recipe=recipe)
    live_number = Revision.objects.filter(pk=OuterRef("article__live_revision")).order_by().values("number")[:1]
    stale = rows.exclude(revision_number=live_number)
    return Q(state=State.LIVE) & (~Q(Exists(rows)) | Q(Exists(stale)))


def lock_live_articles(article_ids: Sequence[UUID]) -> list[Article]:
    """Return the live articles among these with their live revisions, locked in the order of their ids."""
    rows = Article.objects.filter(pk__in=article_ids, state=State.LIVE).select_related("live_revision")
    return list(rows.select_for_update(no_key=True, of=("self",)).order_by("id"))


def replace_chunks(articles: Sequence[Article], recipe: Recipe, *, made: Vectors | None = None) -> None:
    """Replace the chunk rows of locked, live articles for `recipe`. The new rows can be found by their words
    immediately, and keep the vectors that still apply; `made` contains vectors computed beforehand, by content hash.

    Runs inside the caller's transaction.
    """
    ids = [article.pk for article in articles]
    old = Chunk.objects.filter(article__in=ids, recipe=recipe)
    kept: Vectors = dict(old.filter(embedding__isnull=False).values_list("content_hash", "embedding"))
    kept.update(made or {})
    old.delete()
    rows = [row for article in articles for row in _chunk_rows(article, recipe, kept)]
    Chunk.objects.bulk_create(rows, batch_size=500)
    fill_search_vectors(ids)


def missing_texts(article_ids: Sequence[UUID], recipe: Recipe) -> dict[str, str]:
    """Return, by content hash, the passages of these articles that need a vector if the articles are split again."""
    texts = {
        content_hash(recipe.name, text): text
        for article in Article.objects.filter(pk__in=article_ids, state=State.LIVE).select_related("live_revision")
        if (revision := article.live_revision) is not None
        for text in (embedding_text(revision.title, piece) for piece in chunk(revision.title, revision.body))
    }
    rows = Chunk.objects.filter(article__in=article_ids, recipe=recipe, embedding__isnull=False)
    for known in rows.values_list("content_hash", flat=True):
        texts.pop(known, None)
    return texts


def _chunk_rows(article: Article, recipe: Recipe, kept: Vectors) -> Iterator[Chunk]:
    revision = article.live_revision
    assert revision is not None, "the database lets no article be live without a revision"
    pages = Pages(revision.body)
    for piece in chunk(revision.title, revision.body):
        digest = content_hash(recipe.name, embedding_text(revision.title, piece))
        yield Chunk(
            workspace_id=article.workspace_id,
            article=article,
            recipe=recipe,
            revision_number=revision.number,
            position=piece.position,
            heading_path=piece.heading_path,
            text=piece.text,
            start=piece.start,
            end=piece.end,
            page=pages.at(piece.start),
            content_hash=digest,
            embedding=kept.get(digest),
        )


def _delete_orphaned_rows(article_ids: Sequence[UUID]) -> None:
    """Delete the rows of articles that are not live; archiving does that, unless it raced with an index task."""
    Chunk.objects.filter(article__in=article_ids).exclude(article__state=State.LIVE).delete()


@dataclass(frozen=True, slots=True)
class RepairReport:
    """The problems that were found and repaired in one workspace."""

    articles: int
    embedded: int
    orphans: int


def outdated_articles() -> list[UUID]:
    """Return the live articles of the workspace whose index does not match their live revision."""
    recipe = active_recipe()
    missing = Chunk.objects.filter(article=OuterRef("pk"), recipe=recipe, embedding=None)
    unmarked = Q(indexed_revision=None) | ~Q(indexed_revision=F("live_revision__number"))
    behind = Q(state=State.LIVE) & (unmarked | Q(Exists(missing))) | missing_chunk_rows(recipe)
    return list(Article.objects.filter(behind).order_by("id").values_list("pk", flat=True))


def repair_index() -> RepairReport:
    """Repair the index of the workspace. Raises RecipeMismatch or EmbeddingUnavailable; finished repairs are kept."""
    orphans = _remove_orphans(active_recipe())
    behind: Sequence[UUID] = outdated_articles()
    report = sync_articles(behind)
    return RepairReport(articles=len(behind), embedded=report.embedded, orphans=orphans)


def _remove_orphans(recipe: Recipe) -> int:
    """Delete rows of articles that are not live; `kb.indexing.reindex` deletes rows of other recipes."""
    removed, _ = Chunk.objects.filter(recipe=recipe).exclude(article__state=State.LIVE).delete()
    return removed
