"""A worker's hold on a run. Whatever it writes for an item is refused once the run was cancelled or taken over."""

from datetime import timedelta
from typing import Any, Final

from django.db.models import Exists, QuerySet
from django.utils.timezone import now

from kb.sources.models import SourceItem, SourceRun

# Extended only once this much of it is over, so that reading an unchanged page does not write it each time.
SPARE: Final = timedelta(seconds=15)


class LeaseLost(Exception):
    """The run was cancelled or taken by another worker, so nothing more may be written for it."""


class Lease:
    def __init__(self, run: SourceRun) -> None:
        self.run = run

    def extend(self, period: timedelta) -> None:
        """Hold the run for this long from now. Raises LeaseLost."""
        mine, until = self._mine(), now() + period
        if not mine.update(lease_until=until):
            raise LeaseLost
        self.run.lease_until = until

    def ensure(self, period: timedelta) -> None:
        """Hold the run for at least this long, and hardly longer. Raises LeaseLost only if that has to be written."""
        assert self.run.lease_until is not None, "only a run that is held has a lease"
        if not period <= self.run.lease_until - now() <= period + SPARE:
            self.extend(period + SPARE)

    def change(self, item: SourceItem, **facts: Any) -> None:
        """Change an item, if the run is still held. Raises LeaseLost."""
        held = SourceItem.objects.filter(Exists(self._mine()), pk=item.pk, run=self.run)
        if not held.update(**facts, updated_at=now()):
            raise LeaseLost

    def release(self, *, until: timedelta | None = None) -> None:
        """Leave the run to any worker, not before `until` from now."""
        self._mine().update(lease_until=None, due_at=now() + until if until else None)

    def _mine(self) -> QuerySet[SourceRun]:
        return SourceRun.objects.filter(pk=self.run.pk, state=SourceRun.State.RUNNING, lease_until=self.run.lease_until)
