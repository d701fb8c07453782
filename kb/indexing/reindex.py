"""Rebuilding the whole index: for another embedding model next to the old one, or in place after a chunking change.

Search uses the old recipe until the new one has every vector; then one short transaction switches. Articles published
in the meantime are added under the lock that blocks publishing: their text at once, their vectors right after. The old
rows stay for another minute, for searches that started before the switch.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from kb.indexing.index import ARTICLES_PER_COMMIT, ensure_chunk_rows, lock_live_articles, replace_chunks
from kb.indexing.recipes import activate, recipe_for
from kb.indexing.vectors import KnownVectors, Progress, SyncReport, embed_missing, mark_indexed, no_progress
from kb.models import Article, Chunk, Recipe, State
from kb.ports import embedder
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import across_workspaces, workspace_scope

# Longer than any search.
KEPT_AFTER_FLIP: Final = timedelta(minutes=1)


def reindex(*, known: KnownVectors | None = None, progress: Progress = no_progress) -> SyncReport:
    """Index every workspace with the configured embedder, and make its recipe the active one.

    Raises EmbeddingUnavailable; then the old index stays in use, and the next run continues where this one stopped.
    """
    recipe = recipe_for(embedder().recipe)
    # If this recipe was in use before, the sweep must not delete its rows.
    Recipe.objects.filter(pk=recipe.pk).update(retired_at=None)
    create_vector_index(recipe.dimensions)
    report = SyncReport()
    for _ in _each_workspace():
        _add(report, rebuild_workspace(recipe, known=known, progress=progress))
    _activate(recipe)
    for _ in _each_workspace():
        ids = _live_ids()
        _add(report, embed_missing(ids, recipe, known=known))
        mark_indexed(ids, recipe)
    return report


def delete_retired_rows() -> int:
    """Delete the chunk rows of recipes retired a while ago, in every workspace; return how many."""
    dropped = 0
    with across_workspaces("rows of retired recipes"):
        old = Chunk.objects.filter(recipe__is_active=False, recipe__retired_at__lte=timezone.now() - KEPT_AFTER_FLIP)
        while ids := list(old.values_list("pk", flat=True)[:5_000]):
            dropped += Chunk.objects.filter(pk__in=ids).delete()[0]
    return dropped


def rebuild_workspace(
    recipe: Recipe, *, known: KnownVectors | None = None, progress: Progress = no_progress
) -> SyncReport:
    """Split all live articles of the current workspace again for `recipe`, and embed what has no vector yet."""
    ids = _live_ids()
    for at in range(0, len(ids), ARTICLES_PER_COMMIT):
        with transaction.atomic():
            replace_chunks(lock_live_articles(ids[at : at + ARTICLES_PER_COMMIT]), recipe)
    report = embed_missing(ids, recipe, known=known, progress=progress)
    mark_indexed(ids, recipe)
    return report


def create_vector_index(dimensions: int) -> None:
    """Create the partial index for these dimensions if missing; outside a transaction, writers are not blocked."""
    concurrently = "" if connection.in_atomic_block else "CONCURRENTLY"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE INDEX {concurrently} IF NOT EXISTS kb_chunk_hnsw_{dimensions:d} ON kb_chunk "
            f"USING hnsw ((embedding::halfvec({dimensions:d})) halfvec_cosine_ops) "
            f"WITH (m = 24, ef_construction = 128) WHERE vector_dims(embedding) = {dimensions:d}"
        )


@transaction.atomic
def _activate(recipe: Recipe) -> None:
    activate(recipe)  # from here until the commit, nobody publishes
    for _ in _each_workspace():
        ensure_chunk_rows(_live_ids(), recipe)
        # `indexed_revision` of the old recipe means nothing for the new one; `mark_indexed` sets it again.
        Article.objects.filter(pk__in=_live_ids()).update(indexed_revision=None)


def _each_workspace() -> Iterator[Workspace]:
    for workspace in Workspace.objects.order_by("id"):
        with workspace_scope(workspace.pk):
            yield workspace


def _live_ids() -> list[UUID]:
    return list(Article.objects.filter(state=State.LIVE).order_by("id").values_list("pk", flat=True))


def _add(total: SyncReport, part: SyncReport) -> None:
    total.embedded += part.embedded
    total.reused += part.reused
