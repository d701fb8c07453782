"""Rebuilding the entire index, for a different embedding model or after a change in how articles are split.

Search uses the old passages until the new ones have their vectors. For a different model, one short transaction
switches everything at the end. Articles published in the meantime are added under the lock that blocks publishing:
their text immediately, their vectors soon after. The old rows stay for another minute, for searches that started before
the switch. For the same model, passages are replaced a few articles at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from kb.errors import IndexBeingBuilt, IndexReplaced, SwitchCancelled
from kb.indexing.build_lock import alone
from kb.indexing.embedding import (
    CHUNKS_PER_COMMIT,
    KnownVectors,
    NoVectors,
    Progress,
    SyncReport,
    embed_missing,
    mark_indexed,
    no_progress,
)
from kb.indexing.models import IndexSwitch, Recipe
from kb.indexing.recipes import activate, embedder_of, has_embedder, lock_recipes_exclusively, recipe_for
from kb.indexing.sync import (
    ARTICLES_PER_COMMIT,
    ensure_chunk_rows,
    lock_live_articles,
    missing_texts,
    replace_chunks,
)
from kb.indexing.vector_index import create_vector_index
from kb.models import Article, State
from kb.ports import embedder, packaged_embedder
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope


def reindex(*, known: KnownVectors | None = None, progress: Progress = no_progress) -> SyncReport:
    """Index every workspace for the wanted recipe, and make it the active one.

    If this raises EmbeddingUnavailable, the old index stays in use, and the next run continues where this one stopped.
    Raises IndexBeingBuilt while a worker or another run is building. May also raise IndexReplaced, SwitchCancelled or
    IndexNotBuilt.
    """
    with alone() as is_alone:
        if not is_alone:
            raise IndexBeingBuilt
        switch = switch_under_way()
        return build(wanted_recipe() if switch is None else switch.recipe, switch, known=known, progress=progress)


def switch_under_way() -> IndexSwitch | None:
    """Return the switch whose index is being built, with its recipe."""
    building = IndexSwitch.objects.filter(state=IndexSwitch.State.BUILDING)
    found: IndexSwitch | None = building.select_related("recipe").first()
    return found


def wanted_recipe() -> Recipe:
    """Return the recipe the index should have: that of the index being built, or else that of the embedder in use."""
    switch = switch_under_way()
    if switch is not None:
        return switch.recipe
    chosen: Recipe | None = Recipe.objects.filter(is_active=True, is_chosen=True).first()
    if chosen is None:
        return recipe_for(embedder().recipe)
    if has_embedder(chosen):
        return chosen
    newer = recipe_for(packaged_embedder().recipe)  # the packaged model was chosen, and this version ships another one
    newer.is_chosen = True
    newer.save(update_fields=["is_chosen"])
    return newer


def build(
    recipe: Recipe,
    switch: IndexSwitch | None = None,
    *,
    known: KnownVectors | None = None,
    progress: Progress = no_progress,
    keeps_rows: bool = False,
) -> SyncReport:
    """Index every workspace for `recipe`, make it the active one, and finish its `switch`; call it inside `alone`.

    With `keeps_rows`, to continue a build, only articles whose rows are missing or out of date are split again. Raises
    EmbeddingUnavailable, IndexNotBuilt, IndexReplaced or SwitchCancelled; in each case, the old index stays in use.
    """
    before = _active()
    # If this recipe was in use earlier, the sweep must not delete its rows.
    Recipe.objects.filter(pk=recipe.pk).update(retired_at=None)
    create_vector_index(recipe.dimensions)
    report = SyncReport()
    for _ in _each_workspace():
        _add(report, rebuild_workspace(recipe, known=known, progress=progress, keeps_rows=keeps_rows))
    try:
        _activate(recipe, switch, before)
    except SwitchCancelled:
        retire_unused(recipe)
        raise
    for _ in _each_workspace():
        ids = _live_ids()
        _add(report, embed_missing(ids, recipe, known=known))
        mark_indexed(ids, recipe)
    return report


def retire_unused(recipe: Recipe) -> None:
    """Have the sweep delete the rows of a recipe, including those stored after a cancellation."""
    Recipe.objects.filter(pk=recipe.pk, is_active=False).update(retired_at=timezone.now())


def rebuild_workspace(
    recipe: Recipe,
    *,
    known: KnownVectors | None = None,
    progress: Progress = no_progress,
    keeps_rows: bool = False,
) -> SyncReport:
    """Split all live articles of the current workspace again for `recipe`, and embed passages without a vector.
    With `keeps_rows`, split only articles that have no rows for their live revision.

    Passages that are being searched are replaced only once the new ones have their vectors, a few articles at a time.
    """
    ids = _live_ids()
    groups = [ids[at : at + ARTICLES_PER_COMMIT] for at in range(0, len(ids), ARTICLES_PER_COMMIT)]
    beside = _VectorPrefetch(recipe, NoVectors() if known is None else known, progress) if recipe.is_active else None
    if beside:
        beside.total = sum(len(missing_texts(group, recipe)) for group in groups)
    for group in groups:
        made = beside.vectors(group) if beside else {}
        with transaction.atomic():
            if keeps_rows:
                ensure_chunk_rows(group, recipe)
            else:
                replace_chunks(lock_live_articles(group), recipe, made=made)
    report = beside.report if beside else SyncReport()
    _add(report, embed_missing(ids, recipe, known=known, progress=progress))
    mark_indexed(ids, recipe)
    return report


@dataclass(slots=True)
class _VectorPrefetch:
    """Vectors that are computed before their passages exist."""

    recipe: Recipe
    known: KnownVectors
    progress: Progress
    total: int = 0
    report: SyncReport = field(default_factory=SyncReport)

    def vectors(self, article_ids: Sequence[UUID]) -> dict[str, list[float] | None]:
        texts = missing_texts(article_ids, self.recipe)
        found = {digest: list(vector) for digest in texts if (vector := self.known.get(digest)) is not None}
        self.report.reused += len(found)
        missing = [digest for digest in texts if digest not in found]
        for at in range(0, len(missing), CHUNKS_PER_COMMIT):
            some = missing[at : at + CHUNKS_PER_COMMIT]
            made = embedder_of(self.recipe).passages([texts[digest] for digest in some])
            new = list(zip(some, made, strict=True))
            self.known.add(new)
            found.update(new)
            self.report.embedded += len(new)
            self.progress(min(self.report.chunks, self.total), self.total)
        return dict(found)


@transaction.atomic
def _activate(recipe: Recipe, switch: IndexSwitch | None, before: Recipe | None) -> None:
    """Use the index of `recipe` instead of the index of `before`. Raises SwitchCancelled if someone has cancelled the
    switch, IndexReplaced if there was no switch and a different index has come into use.
    """
    lock_recipes_exclusively()  # from here until the commit, nobody publishes
    if switch is not None:
        if not _is_settled_now(switch):
            return
    elif before is not None and _active() not in (before, recipe):
        raise IndexReplaced
    activate(recipe)
    for _ in _each_workspace():
        # Locked in the order of their ids, as everywhere, since vectors are stored without the lock of recipes.
        rows = Article.objects.filter(state=State.LIVE).select_for_update(no_key=True).order_by("id")
        ids = list(rows.values_list("pk", flat=True))
        ensure_chunk_rows(ids, recipe)
        # `indexed_revision` of the old recipe means nothing for the new one; `mark_indexed` sets it again.
        Article.objects.filter(pk__in=ids).update(indexed_revision=None)


def _is_settled_now(switch: IndexSwitch) -> bool:
    """Record that a switch is done; return False if another process has already done so. Raises SwitchCancelled."""
    same = IndexSwitch.objects.filter(pk=switch.pk)
    if same.filter(state=IndexSwitch.State.BUILDING).update(
        state=IndexSwitch.State.DONE, problem="", finished_at=timezone.now()
    ):
        return True
    if same.filter(state=IndexSwitch.State.DONE).exists():
        return False
    raise SwitchCancelled


def _active() -> Recipe | None:
    found: Recipe | None = Recipe.objects.filter(is_active=True).first()
    return found


def _each_workspace() -> Iterator[Workspace]:
    for workspace in Workspace.objects.order_by("id"):
        with workspace_scope(workspace.pk):
            yield workspace


def _live_ids() -> list[UUID]:
    return list(Article.objects.filter(state=State.LIVE).order_by("id").values_list("pk", flat=True))


def _add(total: SyncReport, part: SyncReport) -> None:
    total.embedded += part.embedded
    total.reused += part.reused
