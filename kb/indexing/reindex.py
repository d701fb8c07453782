"""Building the whole index anew: for another embedding model beside the old one, or in place after a new chunker.

Search goes on with the old recipe until the new one has every vector; then one short transaction flips. What was
published while the new one was being built is caught up with under the lock that keeps publishing out, as text at once
and with its vectors right after. The old rows stay a minute longer: a search that began before the flip reads them.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from kb.indexing.index import ARTICLES_PER_COMMIT, locked_live, mend_chunk_rows, replace_chunks
from kb.indexing.recipes import flip_to, recipe_for
from kb.indexing.vectors import KnownVectors, Progress, SyncReport, embed_missing, settle, silent
from kb.models import Article, Chunk, Recipe, State
from kb.ports import embedder
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import across_workspaces, workspace_scope

# Longer than any search takes.
KEPT_AFTER_FLIP: Final = timedelta(minutes=1)


def reindex(*, known: KnownVectors | None = None, progress: Progress = silent) -> SyncReport:
    """Index every workspace with the embedder set now and make its recipe the active one.

    Raises EmbeddingUnavailable; the old index stays in use then, and another run goes on where this one ended.
    """
    recipe = recipe_for(embedder().recipe)
    # One that was in use before is being built again: the sweep must let its rows be.
    Recipe.objects.filter(pk=recipe.pk).update(retired_at=None)
    make_vector_index(recipe.dimensions)
    report = SyncReport()
    for _ in _each_workspace():
        _add(report, rebuild_workspace(recipe, known=known, progress=progress))
    _flip(recipe)
    for _ in _each_workspace():
        ids = _live_ids()
        _add(report, embed_missing(ids, recipe, known=known))
        settle(ids, recipe)
    return report


def drop_retired() -> int:
    """Delete the chunk rows of recipes that went out of use a while ago, in every workspace; return how many."""
    dropped = 0
    with across_workspaces("rows of recipes that are out of use"):
        old = Chunk.objects.filter(recipe__is_active=False, recipe__retired_at__lte=timezone.now() - KEPT_AFTER_FLIP)
        while ids := list(old.values_list("pk", flat=True)[:5_000]):
            dropped += Chunk.objects.filter(pk__in=ids).delete()[0]
    return dropped


def rebuild_workspace(recipe: Recipe, *, known: KnownVectors | None = None, progress: Progress = silent) -> SyncReport:
    """Cut all live articles of the current workspace anew for `recipe` and embed what has no vector yet."""
    ids = _live_ids()
    for at in range(0, len(ids), ARTICLES_PER_COMMIT):
        with transaction.atomic():
            replace_chunks(locked_live(ids[at : at + ARTICLES_PER_COMMIT]), recipe)
    report = embed_missing(ids, recipe, known=known, progress=progress)
    settle(ids, recipe)
    return report


def make_vector_index(dimensions: int) -> None:
    """Make the partial index of these dimensions if there is none; writers are not blocked outside a transaction."""
    concurrently = "" if connection.in_atomic_block else "CONCURRENTLY"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE INDEX {concurrently} IF NOT EXISTS kb_chunk_hnsw_{dimensions:d} ON kb_chunk "
            f"USING hnsw ((embedding::halfvec({dimensions:d})) halfvec_cosine_ops) "
            f"WITH (m = 24, ef_construction = 128) WHERE vector_dims(embedding) = {dimensions:d}"
        )


@transaction.atomic
def _flip(recipe: Recipe) -> None:
    flip_to(recipe)  # from here to the commit nobody publishes
    for _ in _each_workspace():
        mend_chunk_rows(_live_ids(), recipe)
        # Marks of the old recipe mean nothing for the new one; `settle` sets them again.
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
