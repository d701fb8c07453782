"""The index follows the articles: chunk rows at once, vectors when the model has made them.

Invariants: chunk rows are replaced in the transaction that publishes and keep the vectors of unchanged passages, so
known text never leaves vector search because new text is on its way. `indexed_revision` is set last, in the transaction
that stores an article's last missing vector: an interrupted sync is visible, and the next one embeds only what is
missing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from kb.indexing.chunking import chunk, content_hash, embedding_text
from kb.indexing.lexical import fill_search_vectors
from kb.indexing.recipes import active_recipe, hold_active_recipe
from kb.indexing.vectors import KnownVectors, Progress, SyncReport, embed_missing, settle, silent
from kb.models import Article, Chunk, Recipe, Revision, State

ARTICLES_PER_COMMIT = 50

Vectors = dict[str, list[float] | None]


def sync_article(article_id: UUID) -> SyncReport:
    """Bring the index of one article up to its live revision; a second call finds nothing to do."""
    return sync_articles([article_id])


def sync_articles(
    article_ids: Sequence[UUID], *, known: KnownVectors | None = None, progress: Progress = silent
) -> SyncReport:
    """Bring the index of these articles of the workspace up to their live revisions.

    Returns once every chunk has its vector, whoever made it. Raises RecipeMismatch or EmbeddingUnavailable; what was
    embedded until then stays. Must not be called inside a transaction: it embeds.
    """
    with transaction.atomic():
        recipe = hold_active_recipe()
        _clear(article_ids)
        mend_chunk_rows(article_ids, recipe)
    report = embed_missing(article_ids, recipe, known=known, progress=progress)
    settle(article_ids, recipe)  # those that had no chunk to embed
    return report


def mend_chunk_rows(article_ids: Sequence[UUID], recipe: Recipe) -> None:
    """Write the chunk rows of live articles that have none for their live revision; normally publishing did that."""
    behind = Article.objects.filter(pk__in=article_ids).filter(behind_in_rows(recipe)).values_list("pk", flat=True)
    if ids := list(behind):
        replace_chunks(locked_live(ids), recipe)


def behind_in_rows(recipe: Recipe) -> Q:
    """Live articles without chunk rows of `recipe` for their live revision."""
    rows = Chunk.objects.filter(article=OuterRef("pk"), recipe=recipe)
    live_number = Revision.objects.filter(pk=OuterRef("article__live_revision")).order_by().values("number")[:1]
    stale = rows.exclude(revision_number=live_number)
    return Q(state=State.LIVE) & (~Q(Exists(rows)) | Q(Exists(stale)))


def locked_live(article_ids: Sequence[UUID]) -> list[Article]:
    """Return those of the articles that are live, with their live revision, locked in the order of their ids."""
    rows = Article.objects.filter(pk__in=article_ids, state=State.LIVE).select_related("live_revision")
    return list(rows.select_for_update(no_key=True, of=("self",)).order_by("id"))


def replace_chunks(articles: Sequence[Article], recipe: Recipe) -> None:
    """Rewrite the chunk rows of locked, live articles for `recipe`, with text search and the vectors still true.

    Runs inside the caller's transaction.
    """
    ids = [article.pk for article in articles]
    old = Chunk.objects.filter(article__in=ids, recipe=recipe)
    kept: Vectors = dict(old.filter(embedding__isnull=False).values_list("content_hash", "embedding"))
    old.delete()
    rows = [row for article in articles for row in _chunk_rows(article, recipe, kept)]
    Chunk.objects.bulk_create(rows, batch_size=500)
    fill_search_vectors(ids)


def _chunk_rows(article: Article, recipe: Recipe, kept: Vectors) -> Iterator[Chunk]:
    revision = article.live_revision
    assert revision is not None, "the database lets no article be live without a revision"
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
            content_hash=digest,
            embedding=kept.get(digest),
        )


def _clear(article_ids: Sequence[UUID]) -> None:
    """Drop the rows of articles that are not live; archiving did that, unless it raced with an index task."""
    Chunk.objects.filter(article__in=article_ids).exclude(article__state=State.LIVE).delete()


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What was wrong in one workspace; all of it is right now."""

    articles: int
    embedded: int
    orphans: int


def articles_behind() -> list[UUID]:
    """Return the live articles of the workspace whose index does not match their live revision."""
    recipe = active_recipe()
    missing = Chunk.objects.filter(article=OuterRef("pk"), recipe=recipe, embedding=None)
    unmarked = Q(indexed_revision=None) | ~Q(indexed_revision=F("live_revision__number"))
    behind = Q(state=State.LIVE) & (unmarked | Q(Exists(missing))) | behind_in_rows(recipe)
    return list(Article.objects.filter(behind).order_by("id").values_list("pk", flat=True))


def repair_drift() -> DriftReport:
    """Mend the index of the workspace. Raises RecipeMismatch or EmbeddingUnavailable; what was mended stays so."""
    orphans = _remove_orphans(active_recipe())
    behind: Sequence[UUID] = articles_behind()
    report = sync_articles(behind)
    return DriftReport(articles=len(behind), embedded=report.embedded, orphans=orphans)


def _remove_orphans(recipe: Recipe) -> int:
    """Delete rows of articles that are not live; rows of another recipe are the business of `kb.indexing.reindex`."""
    removed, _ = Chunk.objects.filter(recipe=recipe).exclude(article__state=State.LIVE).delete()
    return removed
