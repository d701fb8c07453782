"""Reads the release in force and the workspace's releases.

Each process reads the live release at most every two seconds, so a publication takes effect within that time, and at
once in the process that publishes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import across_workspaces, current_workspace_id, scoped_workspace_id
from supportbot.releases.document import Document, Strictness, loaded, stored
from supportbot.releases.errors import NoSuchRelease
from supportbot.releases.models import Release, ReleaseGates

FRESH_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class ReleaseInForce:
    """The release used for an answer."""

    id: UUID
    number: int
    workspace_id: UUID
    document: Document


_cache: dict[UUID, tuple[float, ReleaseInForce]] = {}
_chosen: ContextVar[ReleaseInForce | None] = ContextVar("chosen_release", default=None)


def current() -> ReleaseInForce:
    """Return the release for answers: the one chosen with `using`, or else the live one."""
    workspace_id = current_workspace_id()
    chosen = _chosen.get()
    if chosen is not None and chosen.workspace_id == workspace_id:
        return chosen
    return _live(workspace_id)


def known() -> ReleaseInForce | None:
    """Return the release for answers, or None if this would take a database query, which coroutines must not make."""
    workspace_id = current_workspace_id()
    chosen = _chosen.get()
    if chosen is not None and chosen.workspace_id == workspace_id:
        return chosen
    found = _cache.get(workspace_id)
    return found[1] if found is not None and found[0] > monotonic() else None


def last_known() -> ReleaseInForce | None:
    """Return the last release known to this process, however old; None outside a scope or before the first query."""
    workspace_id = scoped_workspace_id()
    if workspace_id is None:
        return None
    chosen = _chosen.get()
    if chosen is not None and chosen.workspace_id == workspace_id:
        return chosen
    held = _cache.get(workspace_id)
    return held[1] if held is not None else None


@contextmanager
def using(release: Release) -> Iterator[None]:
    """Inside this block, and in the tasks that it starts, use this release for answers instead of the live one."""
    token = _chosen.set(_in_force(release))
    try:
        yield
    finally:
        _chosen.reset(token)


def forget(workspace_id: UUID) -> None:
    """Make this process read the workspace's live release again before the next answer."""
    _cache.pop(workspace_id, None)


def releases() -> QuerySet[Release]:
    """Return the workspace's releases, newest first."""
    rows: QuerySet[Release] = Release.objects.order_by("-number")
    return rows


def release_with_id(release_id: UUID) -> Release:
    """Return a release of the workspace. Raises NoSuchRelease."""
    found: Release | None = Release.objects.filter(pk=release_id).first()
    if found is None:
        raise NoSuchRelease()
    return found


def live_release() -> Release:
    """Return the live release. A workspace's first release is created from its settings when it is needed for the first
    time.
    """
    found: Release | None = Release.objects.filter(state=Release.State.LIVE).first()
    return found if found is not None else _first()


def gates() -> list[str]:
    """Return the suites that a release must pass."""
    found = ReleaseGates.objects.values_list("suites", flat=True).first()
    return list(found or [])


def gates_of_all() -> dict[UUID, list[str]]:
    """Return the gates of each workspace that has gates."""
    with across_workspaces("gates"):
        return dict(ReleaseGates.objects.exclude(suites=[]).values_list("workspace_id", "suites"))


def had_gates_at(moment: datetime) -> bool:
    """Return whether the workspace has gates that were chosen before this moment."""
    row: ReleaseGates | None = ReleaseGates.objects.first()
    return row is not None and bool(row.suites) and (row.chosen_at is None or row.chosen_at <= moment)


def next_number() -> int:
    newest: int | None = Release.objects.aggregate(newest=Max("number"))["newest"]
    return (newest or 0) + 1


def _live(workspace_id: UUID) -> ReleaseInForce:
    held = _cache.get(workspace_id)
    if held is not None and held[0] > monotonic():
        return held[1]
    found = _in_force(live_release())
    _cache[workspace_id] = (monotonic() + FRESH_SECONDS, found)
    return found


def _in_force(release: Release) -> ReleaseInForce:
    return ReleaseInForce(release.pk, release.number, release.workspace_pk, loaded(release.document))


def _first() -> Release:
    workspace = Workspace.objects.get(pk=current_workspace_id())
    strictness: Strictness = workspace.answer_strictness  # type: ignore[assignment]  # the choices are the same
    row = Release(
        number=next_number(),
        state=Release.State.LIVE,
        document=stored(Document(strictness=strictness)),
        published_at=timezone.now(),
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # another process created it at the same time
        found: Release = Release.objects.get(state=Release.State.LIVE)
        return found
    return row
