"""Starting, cancelling and ending runs of sources. A run is a row; workers continue it one after another, each
with a lease (`kb.sources.run_worker`). Nothing waits for a broker: a periodic task finds what is due.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, QuerySet
from django.utils.timezone import now

from kb.access import check_may_write
from kb.sources.errors import SourceBusy, SourceMissing
from kb.sources.models import ACTIVE, Source, SourceItem, SourceRun
from supportbot.accounts.models import User
from supportbot.accounts.scope import across_workspaces, workspace_scope

Mode = SourceRun.Mode
RunState = SourceRun.State
ItemState = SourceItem.State
Outcome = SourceItem.Outcome
EVERY: Final = {
    Source.Schedule.HOURLY: timedelta(hours=1),
    Source.Schedule.DAILY: timedelta(days=1),
    Source.Schedule.WEEKLY: timedelta(weeks=1),
}
KEPT_RUNS: Final = 20
DUE_AT_ONCE: Final = 100
LOSS_CONFIRMED: Final = "loss_confirmed"  # a key in a run's counts
# A lease is extended only once this much of it has passed, so that reading an unchanged page does not write it each
# time.
SPARE: Final = timedelta(seconds=15)


@transaction.atomic
def begin(source: Source, mode: str = Mode.SYNC, *, person: User | None = None, asks_gates: bool = False) -> SourceRun:
    """Begin a run; a worker takes it within seconds. Raises SourceBusy if one is under way. With `asks_gates`, texts
    that the gates reject are not changed. An unanswered question about a loss is dropped, since the new run asks it
    again.
    """
    SourceRun.objects.filter(source=source, state=RunState.UNCONFIRMED).update(state=RunState.CANCELLED, ended_at=now())
    try:
        with transaction.atomic():
            run: SourceRun = SourceRun.objects.create(source=source, mode=mode, asked_by=person, asks_gates=asks_gates)
    except IntegrityError as error:
        raise SourceBusy() from error
    # A schedule begins with the first run, so that nothing is published without a person's decision.
    if mode == Mode.SYNC:
        Source.objects.filter(pk=source.pk).update(due_at=next_due(source.schedule, now()))
    old = SourceRun.objects.filter(source=source).order_by("-id").values_list("pk", flat=True)[KEPT_RUNS:]
    SourceRun.objects.filter(pk__in=list(old)).delete()
    return run


@transaction.atomic
def retry(item_id: UUID, *, person: User | None = None) -> SourceRun:
    """Read one item again, in a separate run. Raises SourceMissing or SourceBusy."""
    item = SourceItem.objects.select_related("source__collection").filter(pk=item_id).first()
    if item is None:
        raise SourceMissing
    check_may_write(person, item.source.collection)
    run = begin(item.source, Mode.RETRY, person=person)
    SourceRun.objects.filter(pk=run.pk).update(is_listed=True)
    # Without a hash, the item is read in full, even if its origin reports no change.
    SourceItem.objects.filter(pk=item.pk).update(
        run=run, state=ItemState.QUEUED, outcome="", reason="", tries=0, content_hash="", etag="", last_modified=""
    )
    return run


def cancel(source: Source) -> bool:
    """Stop a source's run after the current item; return whether one was under way. Items already read are kept."""
    under_way = SourceRun.objects.filter(source=source, state__in=ACTIVE)
    return bool(under_way.update(state=RunState.CANCELLED, ended_at=now(), lease_until=None))


@transaction.atomic
def end_preview(source: Source, *, person: User | None = None) -> SourceRun:
    """End a dry run and begin to publish; what the dry run has read is not fetched again. Raises SourceBusy."""
    under_way = SourceRun.objects.filter(source=source, state__in=ACTIVE, mode=Mode.CHECK)
    under_way.update(state=RunState.CANCELLED, ended_at=now(), lease_until=None)
    return begin(source, Mode.SYNC, person=person)


def end(run: SourceRun, state: str, *, reason: str = "") -> bool:
    """Settle a run that is still open, and schedule the source's next run; return whether it was open."""
    run_is_open = SourceRun.objects.filter(pk=run.pk, state__in=(*ACTIVE, RunState.UNCONFIRMED))
    is_ended = bool(
        run_is_open.update(state=state, reason=reason, counts=run.counts, lease_until=None, due_at=None, ended_at=now())
    )
    run.state, run.reason = state, reason
    return is_ended


def next_due(schedule: str, moment: datetime) -> datetime | None:
    every = EVERY.get(Source.Schedule(schedule))
    return moment + every if every else None


def begin_scheduled() -> int:
    """Begin the runs that are due by their schedules, in all workspaces; return how many.

    A source that is still being read is skipped until its next scheduled time, so that it is not read twice in a row.
    """
    moment, count = now(), 0
    with across_workspaces("sources that are due"):
        due = list(Source.objects.filter(due_at__lte=moment).order_by("due_at")[:DUE_AT_ONCE])
    for source in due:
        with workspace_scope(source.workspace_pk):
            planned = Source.objects.filter(pk=source.pk, due_at=source.due_at)
            if planned.update(due_at=next_due(source.schedule, moment)):
                with suppress(SourceBusy):
                    begin(source)
                    count += 1
    return count


class LeaseLost(Exception):
    """The run was cancelled or taken by another worker, so nothing more may be written for it."""


class Lease:
    """A worker's claim on a run. Changes of items are refused once the run has been cancelled or taken over."""

    def __init__(self, run: SourceRun) -> None:
        self.run = run

    def extend(self, period: timedelta) -> None:
        """Hold the run for this long from now. Raises LeaseLost."""
        mine, until = self._mine(), now() + period
        if not mine.update(lease_until=until):
            raise LeaseLost
        self.run.lease_until = until

    def ensure(self, period: timedelta) -> None:
        """Hold the run for this long or slightly longer. Raises LeaseLost, but only if the lease has to be extended."""
        assert self.run.lease_until is not None, "only a run that is held has a lease"
        if not period <= self.run.lease_until - now() <= period + SPARE:
            self.extend(period + SPARE)

    def change(self, item: SourceItem, **facts: Any) -> None:
        """Change an item, if the run is still held. Raises LeaseLost."""
        held = SourceItem.objects.filter(Exists(self._mine()), pk=item.pk, run=self.run)
        if not held.update(**facts, updated_at=now()):
            raise LeaseLost

    def release(self, *, until: timedelta | None = None) -> None:
        """Release the run for any worker, which may take it immediately or, if `until` is given, after that time."""
        self._mine().update(lease_until=None, due_at=now() + until if until else None)

    def _mine(self) -> QuerySet[SourceRun]:
        return SourceRun.objects.filter(pk=self.run.pk, state=SourceRun.State.RUNNING, lease_until=self.run.lease_until)
