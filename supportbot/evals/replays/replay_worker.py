"""Carries out shadow replays. A worker asks the questions, a few at a time, under a lease.

Each step is stored before the next one begins, so a worker that dies loses only one step, and a cancelled or
interrupted replay continues where it stopped. Only the replay's own rows are written.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.timezone import now

from supportbot.accounts.models import User
from supportbot.accounts.scope import across_workspaces
from supportbot.chat.models import Conversation
from supportbot.errors import SupportBotError
from supportbot.evals.build_fingerprint import for_this_build, product_mark
from supportbot.evals.errors import ProductChangedMeanwhile, ReleaseChangedMeanwhile, ReplayInvalid, RunEnded
from supportbot.evals.models import Replay, ReplayedQuestion
from supportbot.evals.replays.shadow_replay import MOST_DAYS, MOST_QUESTIONS, kinds_of, real_questions, run_with_both
from supportbot.evals.runs.case_outcomes import CaseTry
from supportbot.evals.runs.case_runner import ModelUnreachable
from supportbot.evals.services import LEASE
from supportbot.evals.suite_formats.own_format import Case, Step
from supportbot.leases import extending
from supportbot.releases.models import Release
from supportbot.releases.selectors import live_release, release_with_id

logger = logging.getLogger(__name__)
AT_ONCE: Final = 4  # questions per step
MOST_REPLAYS: Final = 1  # number of concurrent replays in the whole installation
BEAT_SECONDS: Final = 8.0
LONGEST_STEP: Final = timedelta(minutes=15)  # after this, the worker counts as dead even if it still extends its lease
State = Replay.State
# A cancelled replay with a problem cannot continue, because its draft or the product has changed.
STOPPED: Final = Q(state=State.PAUSED) | Q(state=State.CANCELLED, problem="")


def begin(release: Release, *, days: int, most: int, person: User | None = None) -> Replay:
    """Have a worker try a release on recent questions. If a replay of it is already under way, return that one.

    Raises ReplayInvalid.
    """
    live = live_release()
    if not (1 <= days <= MOST_DAYS and 1 <= most <= MOST_QUESTIONS) or live.pk == release.pk:
        raise ReplayInvalid()
    try:
        with transaction.atomic():
            made: Replay = Replay.objects.create(
                release_id=release.pk,
                release_number=release.number,
                release_digest=release.digest,
                live_id=live.pk,
                live_number=live.number,
                days=days,
                most=most,
                product=product_mark(),
                started_by=person,
            )
            return made
    except IntegrityError:
        return Replay.objects.get(release_id=release.pk, state__in=("waiting", "running", "paused"))


def newest_replay(release: Release) -> Replay | None:
    found: Replay | None = Replay.objects.filter(release_id=release.pk).order_by("-created_at", "-id").first()
    return found


def cancel(replay_id: UUID) -> None:
    """Stop a replay and keep its answers so far. Raises RunEnded."""
    rows = Replay.objects.filter(pk=replay_id, state__in=("waiting", "running", "paused"))
    if not rows.update(state=State.CANCELLED, problem="", lease_until=None, finished_at=now()):
        raise RunEnded()


def resume(replay_id: UUID) -> None:
    """Continue a cancelled or interrupted replay where it stopped. Raises RunEnded."""
    rows = Replay.objects.filter(STOPPED, pk=replay_id)
    try:
        with transaction.atomic():
            is_resumed = rows.update(state=State.WAITING, problem="", lease_until=now(), finished_at=None)
    except IntegrityError as another:  # another replay of this release is under way
        raise RunEnded() from another
    if not is_resumed:
        raise RunEnded()


def due_replays() -> list[tuple[UUID, UUID]]:
    """Return the workspace and id of each replay to run now, oldest first. Only one runs at a time in the
    installation.
    """
    with across_workspaces("replays that are due"):
        played = Replay.objects.filter(state=State.RUNNING, lease_until__gt=now()).count()
        rows = Replay.objects.filter(for_this_build(), state__in=("waiting", "running"), lease_until__lte=now())
        return list(rows.order_by("created_at").values_list("workspace_id", "pk")[: max(0, MOST_REPLAYS - played)])


def run_replay(replay_id: UUID) -> None:
    """Run the rest of a replay; do nothing if it belongs to another worker or build. Takes minutes."""
    replay = _claim(replay_id)
    if replay is None:
        return
    try:
        _run(replay)
    except ModelUnreachable as away:
        _pause(replay, away.code)
    except SupportBotError as error:  # the release was deleted or has changed, or the product was updated
        logger.warning("replay %s ended: %s", replay.pk, error.code)
        _mine(replay).update(state=State.CANCELLED, problem=error.code[:40], lease_until=None, finished_at=now())
    except AnyDatabaseError:  # the next worker continues after the lease
        raise
    except Exception:  # the edge of a task: otherwise, it would be retried forever
        logger.exception("replay %s failed", replay.pk)
        _pause(replay, "internal")


@transaction.atomic
def _claim(replay_id: UUID) -> Replay | None:
    """Claim and return a replay; None if another worker holds it. Earlier attempts can no longer write."""
    rows = Replay.objects.select_for_update(no_key=True).filter(
        for_this_build(), pk=replay_id, state__in=("waiting", "running")
    )
    replay: Replay | None = rows.filter(lease_until__lte=Now()).first()
    if replay is not None:
        replay.state, replay.lease_until, replay.attempt = State.RUNNING, now() + LEASE, replay.attempt + 1
        replay.save(update_fields=["state", "lease_until", "attempt"])
    return replay


def _run(replay: Replay) -> None:
    """Ask the remaining questions and finish the replay. Stop silently once this attempt no longer holds it.

    Raises ReleaseChangedMeanwhile, and ProductChangedMeanwhile because two builds may answer differently with the same
    release.
    """
    if replay.product not in ("", product_mark()):  # "" for replays of an earlier version, which did not record it
        raise ProductChangedMeanwhile()
    if replay.chosen_at is None and not _choose(replay):
        return
    _leave_out_erased(replay)
    while step := list(_left(replay)[:AT_ONCE]):
        live, candidate = release_with_id(replay.live_id), release_with_id(replay.release_id)
        if not candidate.is_about(replay.release_digest):
            raise ReleaseChangedMeanwhile()
        beat = partial(_mine(replay).update, lease_until=Now() + LEASE)
        with extending(beat, every=BEAT_SECONDS, longest=LONGEST_STEP, name=f"replay {replay.pk}"):
            before, after = run_with_both(live, candidate, [_case(row) for row in step])
        if not _store(replay, step, before, after):
            return
    _mine(replay).update(state=State.DONE, lease_until=None, finished_at=now())


@transaction.atomic
def _choose(replay: Replay) -> bool:
    """Choose and store the questions. Return False if the replay is no longer held."""
    if not _mine(replay).update(chosen_at=now(), lease_until=now() + LEASE):
        return False
    ReplayedQuestion.objects.bulk_create(
        ReplayedQuestion(
            replay=replay,
            position=place,
            question=one.case.asks,
            locale=one.case.locale,
            external_id=one.case.customer,
            customer_id=one.customer_id,
            conversation_id=one.conversation_id,
            times=one.times,
        )
        for place, one in enumerate(real_questions(replay.days, replay.most), 1)
    )
    return True


def _leave_out_erased(replay: Replay) -> None:
    """Delete the questions of conversations that have been erased.

    If an erasure happens while questions are being chosen, it may be announced before they are stored. Later erasures
    find the stored questions.
    """
    there = Conversation.objects.filter(pk=OuterRef("conversation_id"))
    ReplayedQuestion.objects.filter(~Exists(there), replay=replay).delete()


@transaction.atomic
def _store(
    replay: Replay, step: Sequence[ReplayedQuestion], before: Sequence[CaseTry], after: Sequence[CaseTry]
) -> bool:
    """Store both answers to each of these questions. Return False if the replay is no longer held."""
    if not _mine(replay).update(lease_until=now() + LEASE):
        return False
    for row, was, seen in zip(step, before, after, strict=True):
        is_unplayed = bool(was.failure or seen.failure)
        # Update instead of saving, so a row that was deleted because its customer was erased stays deleted.
        ReplayedQuestion.objects.filter(pk=row.pk).update(
            before=was.as_json(),
            after=seen.as_json(),
            is_unplayed=is_unplayed,
            kinds=[] if is_unplayed else list(kinds_of(was, seen)),
        )
    return True


def _left(replay: Replay) -> QuerySet[ReplayedQuestion]:
    rows: QuerySet[ReplayedQuestion] = ReplayedQuestion.objects.filter(replay=replay, kinds=None).order_by("position")
    return rows


def _case(row: ReplayedQuestion) -> Case:
    return Case(str(row.pk), (Step(row.question),), customer=row.external_id, locale=row.locale)


def _mine(replay: Replay) -> QuerySet[Replay]:
    """Return the row of a replay if this attempt still holds it."""
    rows: QuerySet[Replay] = Replay.objects.filter(pk=replay.pk, state=State.RUNNING, attempt=replay.attempt)
    return rows


def _pause(replay: Replay, code: str) -> None:
    logger.warning("replay %s is interrupted: %s", replay.pk, code)
    _mine(replay).update(state=State.PAUSED, problem=code[:40], lease_until=None)
