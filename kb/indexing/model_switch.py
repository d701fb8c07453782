"""Changing the embedding model while everything runs: an index for the new recipe is built alongside the one in use,
and a worker switches once it is complete. Searches read which recipe is active, so all processes switch with the
commit.

A worker builds under the lock of `kb.indexing.build_lock`, which is released if the worker is killed: the next tick of
beat continues with the stored rows. A model is chosen under the same lock, so this cannot happen while `kb_reindex`
runs. The rows of a recipe that is no longer used are deleted a minute later.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from kb.errors import IndexBeingBuilt, KnowledgeError, SwitchCancelled, SwitchUnderWay
from kb.indexing.build_lock import alone, nobody_builds
from kb.indexing.models import Chunk, IndexSwitch, Recipe
from kb.indexing.recipes import recipe_for
from kb.indexing.reindex import build, retire_unused, switch_under_way
from kb.ports import RecipeSpec
from supportbot.accounts.scope import across_workspaces
from supportbot.errors import SupportBotError

logger = logging.getLogger(__name__)
TRIES_AGAIN_AFTER: Final = timedelta(minutes=1)
KEPT_AFTER_FLIP: Final = timedelta(minutes=1)  # longer than any search
UNEXPECTED: Final = "unexpected"  # the code of an unexpected error


def start_switch(spec: RecipeSpec, *, is_chosen: bool) -> IndexSwitch | None:
    """Have a worker build an index for `spec` and switch to it; return None if `spec` is already in use, even if an
    index for another model is being built.

    With `is_chosen`, the recipe is used regardless of KB_EMBEDDER. Raises SwitchUnderWay, RecipeMismatch, and
    IndexBeingBuilt while `kb_reindex` runs.
    """
    recipe = recipe_for(spec)
    active = Recipe.objects.filter(pk=recipe.pk, is_active=True)
    try:
        with transaction.atomic():
            if active.filter(is_chosen=is_chosen).exists():
                return None
            if switch_under_way() is not None:
                raise SwitchUnderWay
            if not nobody_builds():
                raise IndexBeingBuilt
            Recipe.objects.filter(pk=recipe.pk).update(is_chosen=is_chosen)
            return None if active.exists() else IndexSwitch.objects.create(recipe=recipe)
    except IntegrityError as error:  # someone else was first
        raise SwitchUnderWay from error


@transaction.atomic
def cancel_switch() -> bool:
    """Keep the index in use, and delete the unfinished new one; return whether one was being built."""
    switch = IndexSwitch.objects.select_for_update().filter(state=IndexSwitch.State.BUILDING).first()
    if switch is None:
        return False
    switch.state, switch.finished_at = IndexSwitch.State.CANCELLED, timezone.now()
    switch.save(update_fields=["state", "finished_at"])
    # The sweep deletes the rows of the new index.
    unused = Recipe.objects.filter(pk=switch.recipe_id, is_active=False)
    unused.update(is_chosen=False, retired_at=timezone.now())
    return True


@dataclass(frozen=True, slots=True)
class SwitchProgress:
    """The number of passages with vectors in the new index, and the approximate number of all passages."""

    done: int
    total: int


def progress_of(switch: IndexSwitch) -> SwitchProgress:
    """Return the new index's progress in all workspaces; the total is the number of passages in the index in use."""
    with across_workspaces("progress of the new index"):
        done = Chunk.objects.filter(recipe=switch.recipe_id, embedding__isnull=False).count()
        total = Chunk.objects.filter(recipe__is_active=True).count()
    return SwitchProgress(min(done, total), total)


def carry_on() -> bool:
    """Build the wanted index, if there is one and no other process is building it; return whether it is in use now.

    A failure is recorded for the page, and the build is tried again a minute later.
    """
    due = Q(tries_again_at=None) | Q(tries_again_at__lte=timezone.now())
    if not IndexSwitch.objects.filter(due, state=IndexSwitch.State.BUILDING).exists():
        return False
    with alone() as is_alone:
        switch = switch_under_way() if is_alone else None
        return switch is not None and _carried_on(switch)


def _carried_on(switch: IndexSwitch) -> bool:
    def watched(_done: int, _total: int) -> None:
        if not IndexSwitch.objects.filter(pk=switch.pk, state=IndexSwitch.State.BUILDING).exists():
            raise SwitchCancelled

    IndexSwitch.objects.filter(pk=switch.pk).update(problem="", tries_again_at=None)
    try:
        report = build(switch.recipe, switch, progress=watched, keeps_rows=True)
    except SwitchCancelled:
        retire_unused(switch.recipe)
        return False
    except KnowledgeError as error:
        cause = error.__cause__ if isinstance(error.__cause__, SupportBotError) else error  # such as a used-up budget
        logger.warning("kb: the new index waits: %s", cause.code)
        return _is_done_despite(switch, cause.code)
    except Exception:  # otherwise, every tick would start again, and the page would not say why
        logger.exception("kb: the new index waits")
        return _is_done_despite(switch, UNEXPECTED)
    logger.info("kb: switched to %s, %d embedded", switch.recipe.name, report.embedded)
    return True


def _is_done_despite(switch: IndexSwitch, problem: str) -> bool:
    """Record for the page what interrupted a switch and when it will be tried again. Return True if the new
    index was already in use; then only vectors of articles that came during the switch are missing, and the sweep adds
    these.
    """
    if not connection.in_atomic_block and connection.connection is not None and not connection.is_usable():
        connection.close()  # the next statement opens a new one; a working connection holds the lock of `alone`
    same, again = IndexSwitch.objects.filter(pk=switch.pk), timezone.now() + TRIES_AGAIN_AFTER
    same.filter(state=IndexSwitch.State.BUILDING).update(problem=problem, tries_again_at=again)
    return bool(same.filter(state=IndexSwitch.State.DONE).exists())


def delete_retired_rows() -> int:
    """Delete the chunk rows of recipes retired a while ago, in every workspace; return how many."""
    dropped = 0
    with across_workspaces("rows of retired recipes"):
        old = Chunk.objects.filter(recipe__is_active=False, recipe__retired_at__lte=timezone.now() - KEPT_AFTER_FLIP)
        while ids := list(old.values_list("pk", flat=True)[:5_000]):
            dropped += Chunk.objects.filter(pk__in=ids).delete()[0]
    return dropped
