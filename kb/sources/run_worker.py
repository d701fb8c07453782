"""Carrying out runs of sources: a source is read item by item, and what is new or has changed is published.

Invariants:
- a worker holds the lease of its run. If it dies, the next worker takes over the run and continues with the item in
  progress and those still queued;
- an item's articles and its state are written in one transaction, so nothing is published twice;
- articles that are gone are archived only at the end, and only after a person confirms if they are a third of the
  source or more;
- an item that cannot be read is recorded with the reason, and does not delay the others.
"""

import errno
import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID

from django.db import OperationalError
from django.db.models import F, Q, QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext, override

from kb.categories import MAX_CATEGORIES, unknown_categories
from kb.errors import KnowledgeError
from kb.importing.parsed_document import Document
from kb.indexing.sync import sync_articles
from kb.sources import archiving, runs
from kb.sources.archiving import archive_by_gates
from kb.sources.categories import new_categories, store_categories
from kb.sources.errors import SourceUnreadable, TooBusy, Unreachable, Unreadable
from kb.sources.item_import import digest_of, is_of_this_release, known_entries, settle, settle_embedded, store
from kb.sources.kinds import kind_of
from kb.sources.models import ACTIVE, COMPARED, COMPARED_BY_ORIGIN, Source, SourceItem, SourceRun
from kb.sources.ownership import requeue_refused
from kb.sources.ports import Fetched, ItemGone, ItemSkipped, Kind, Known, Place, RetryLater, Unchanged
from kb.sources.run_items import (
    add_items,
    drop_held,
    held_content,
    hold,
    is_suspicious,
    note_gone,
    queue_known,
    with_articles,
)
from kb.sources.runs import Lease, LeaseLost
from kb.sources.selectors import counts_of
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.accounts.workspaces import stored_language
from supportbot.errors import is_out_of_space
from supportbot.releases.errors import GateMissing

logger = logging.getLogger(__name__)
Mode, RunState, ItemState, Outcome = runs.Mode, runs.RunState, runs.ItemState, runs.Outcome
IN_WORK: Final = (ItemState.READING, ItemState.CUTTING)
TIME_SLICE_SECONDS: Final = 30.0  # after that, the worker is free for another source
LEASE: Final = timedelta(seconds=90)  # longer than fetching an item
LONG_LEASE: Final = timedelta(minutes=6)  # longer than a confined process may read
RESTED: Final = timedelta(seconds=5)  # the first pause after an unexpected failure
MOST_RUNS: Final = 2  # read at the same time; a worker has eight threads
MOST_TRIES: Final = 4  # attempts per item, so that a file that always kills its worker is abandoned
MOST_SILENT: Final = 8  # items in a row without a response; after that, the site counts as down
MOST_PATIENCE: Final = timedelta(days=1)  # how long a run waits for a site that stays busy
EMBEDDED_AT_ONCE: Final = 20
TAKEN_AT_ONCE: Final = 50
LISTED_AT_ONCE: Final = 500
NEW_CATEGORIES: Final = "new_categories"  # a key in the counts of a dry run


def runs_to_serve() -> list[tuple[UUID, UUID]]:
    """Return (workspace, run) of the runs waiting for a worker, oldest first, as many as may be served now."""
    moment = now()
    with across_workspaces("runs of sources that are due"):
        active = SourceRun.objects.filter(state__in=ACTIVE)
        busy = active.filter(lease_until__gt=moment).count()
        free = active.filter(_is_free(moment)).order_by(F("lease_until").asc(nulls_first=True), "id")
        return list(free.values_list("workspace_id", "id")[: max(0, MOST_RUNS - busy)])


def _is_free(moment: datetime) -> Q:
    return Q(Q(lease_until=None) | Q(lease_until__lte=moment), Q(due_at=None) | Q(due_at__lte=moment))


def serve(workspace_id: UUID, run_id: UUID) -> bool:
    """Work on a run for one time slice; return False if another worker has it, or if it is over or postponed."""
    with workspace_scope(workspace_id), override(stored_language(workspace_id)):
        run = _take(run_id)
        if run is None:
            return False
        time_slice = TimeSlice(run)
        try:
            return time_slice.work()
        except Exception:  # the outer edge of a time slice: an item, or the listing, is retried and then abandoned
            logger.exception("kb: a time slice of %s failed", run_id)
            return time_slice.stumble()


def _take(run_id: UUID) -> SourceRun | None:
    moment = now()
    free = SourceRun.objects.filter(_is_free(moment), pk=run_id, state__in=ACTIVE)
    if not free.update(state=RunState.RUNNING, lease_until=moment + LEASE, due_at=None):
        return None
    return SourceRun.objects.select_related("source__collection").get(pk=run_id)


class TimeSlice:
    """One worker's time slice for a run whose lease it holds."""

    def __init__(self, run: SourceRun) -> None:
        self.run = run
        self.source: Source = run.source
        self._lease = Lease(run)
        self.kind: Kind = kind_of(
            self.source, is_check=run.mode == Mode.CHECK, still_working=lambda: self._lease.extend(LONG_LEASE)
        )
        self._to_embed: list[UUID] = []
        self._silent = 0

    def work(self) -> bool:
        """Read items until the time slice is over; return whether more is left to do now."""
        try:
            return self._work(ends_at=time.monotonic() + TIME_SLICE_SECONDS)
        except LeaseLost:
            return False
        except TooBusy as error:
            return self._put_off(error)
        except SourceUnreadable as error:
            self._embed()
            self._end(RunState.FAILED, error.message)
            return False
        finally:
            # The memory belongs to the address that was read, which a person may have changed in the meantime.
            unmoved = Source.objects.filter(pk=self.source.pk, address=self.source.address)
            unmoved.update(memory=self.source.memory)

    def _work(self, *, ends_at: float) -> bool:
        if not self.run.is_listed:
            self._list()
        self._items().filter(state__in=IN_WORK).update(state=ItemState.QUEUED)
        with TemporaryDirectory(prefix="supportbot-source-") as folder:
            while items := self._next_items() or (requeue_refused(self.run) and self._next_items()):
                for item in items:
                    if time.monotonic() >= ends_at:
                        self._embed()
                        return self.release()
                    if (wait := self._one(item, Path(folder))) is not None:
                        self._embed()
                        return self.release(until=wait)
        return self._finish(ends_at=ends_at)

    def _next_items(self) -> list[SourceItem]:
        """Return the next items: first those with articles, in the order in which they got them, so that a new address
        of a text is read after its old one, which may be gone. Then the new ones at the next depth: those beyond it may
        still turn out to be nearer.
        """
        queued = self._items().filter(state=ItemState.QUEUED)
        queued = queued.order_by(F("imported_at").asc(nulls_last=True), "depth", "id")
        items = list(queued.defer("held")[:TAKEN_AT_ONCE])
        return list(takewhile(lambda item: _level(item) == _level(items[0]), items))

    def stumble(self) -> bool:
        """Pause after an unexpected failure; repeated failures unrelated to an item end the run."""
        if self._items().filter(state__in=IN_WORK).exists():
            return self.release(until=RESTED)
        failures = self.run.counts.get("stumbled", 0) + 1
        self.run.counts["stumbled"] = failures
        if failures >= MOST_TRIES:
            self._end(RunState.FAILED, gettext("Several attempts failed."))
            return False
        SourceRun.objects.filter(pk=self.run.pk).update(counts=self.run.counts)
        return self.release(until=RESTED * 4**failures)

    def _put_off(self, error: TooBusy) -> bool:
        if now() - self.run.created_at > MOST_PATIENCE:
            self._end(RunState.FAILED, error.message)
            return False
        return self.release(until=error.wait)

    def _end(self, state: str, reason: str = "") -> None:
        self.run.counts |= counts_of(self.run)
        runs.end(self.run, state, reason=reason)

    def _items(self) -> QuerySet[SourceItem]:
        return SourceItem.objects.filter(run=self.run)

    def release(self, *, until: timedelta | None = None) -> bool:
        self._lease.release(until=until)
        return until is None

    # --- Listing

    def _list(self) -> None:
        """Queue the listed items and, unless the listing is complete, those already known."""
        try:
            for places in _batches(self._patiently(self.kind.places())):
                add_items(self.run, places)
        except Unreadable as error:
            raise SourceUnreadable(error.message) from error
        if not self.kind.is_complete:
            queue_known(self.run, self.kind)
        self.run.is_listed = True
        SourceRun.objects.filter(pk=self.run.pk).update(is_listed=True)

    def _patiently(self, places: Iterable[Place]) -> Iterator[Place]:
        """Yield the places while extending the lease, since a site's sitemaps may take minutes."""
        self._lease.extend(LONG_LEASE)
        extended = time.monotonic()
        for place in places:
            if time.monotonic() - extended > TIME_SLICE_SECONDS:
                self._lease.extend(LONG_LEASE)
                extended = time.monotonic()
            yield place

    # --- One item

    def _one(self, item: SourceItem, folder: Path) -> timedelta | None:
        """Read one item, with an empty folder for it; return how long its origin asks us to wait, if it does."""
        self._lease.ensure(LEASE)
        if item.tries >= MOST_TRIES:
            self._fail(item, item.reason or gettext("Several attempts failed."))
            return None
        item.tries += 1
        self._lease.change(item, state=ItemState.READING, tries=item.tries)
        silent, self._silent = self._silent, 0
        try:
            return self._read(item, folder)
        except SourceUnreadable:
            raise
        except TooBusy:  # the site's robots.txt cannot be fetched now, so this does not count as an attempt
            self._lease.change(item, state=ItemState.QUEUED, tries=item.tries - 1)
            raise
        except Unreachable as error:
            self._fail(item, error.message)
            self._silent = silent + 1
            if self._silent >= MOST_SILENT:
                raise SourceUnreadable(error.message) from error
        except KnowledgeError as error:
            self._fail(item, error.message)
        except GateMissing as error:  # no other item can be tried either
            self._fail(item, error.message)
            raise SourceUnreadable(error.message) from error
        except OSError as error:  # a full disk, say
            self._fail(item, _not_stored(error.strerror))
        except OperationalError as error:
            if not is_out_of_space(error):  # the database may be unavailable, which is not the item's fault
                raise
            self._fail_without_space(item)
        finally:
            _empty(folder)
        return None

    def _fail(self, item: SourceItem, reason: str) -> None:
        self._lease.extend(LEASE)  # the item may already belong to the next run
        settle(item, ItemState.FAILED, Outcome.BROKEN, reason)

    def _fail_without_space(self, item: SourceItem) -> None:
        """Record that the database has no space for an item. Raises SourceUnreadable if there is no space for this
        record either: in that case, no other item can be stored.
        """
        reason = _not_stored(os.strerror(errno.ENOSPC))
        try:
            self._fail(item, reason)
        except OperationalError as error:
            if not is_out_of_space(error):
                raise
            logger.error("kb: the database has no space left to store %s, or why it was not stored", item.pk)
            raise SourceUnreadable(reason) from error

    def _read(self, item: SourceItem, folder: Path) -> timedelta | None:
        """Fetch and read an item; return how long its origin asks us to wait, if it does."""
        kept = held_content(item, folder) if self.run.mode == Mode.SYNC else None
        fetched = kept or self.kind.fetch(_known(item), folder)
        if self._is_unchanged(item, fetched):
            return None
        self._lease.extend(LONG_LEASE)  # the run may have been cancelled in the meantime
        match fetched:
            case RetryLater(wait=wait, reason=reason):
                SourceItem.objects.filter(pk=item.pk).update(state=ItemState.QUEUED, reason=reason)
                return wait
            case ItemGone(reason=reason):
                self._gone(item, reason)
            case ItemSkipped():
                self._left_out(item, fetched)
            case Fetched():
                self._take_in(item, fetched)
        return None

    def _is_unchanged(
        self, item: SourceItem, fetched: Fetched | Unchanged | ItemGone | ItemSkipped | RetryLater
    ) -> bool:
        """Settle an item whose origin or content says that nothing has changed, in one statement."""
        facts: dict[str, str] = {}
        match fetched:
            case Unchanged():
                pass
            case Fetched() if digest_of(fetched.file) == item.content_hash:
                facts = {} if self._is_check else _compared_by_origin(fetched)
            case _:
                return False
        self._lease.change(item, state=ItemState.UNCHANGED, outcome=Outcome.UNCHANGED, reason=F("notes"), **facts)
        return True

    def _take_in(self, item: SourceItem, fetched: Fetched) -> None:
        digest, facts = digest_of(fetched.file), _compared_by_origin(fetched)
        read = self.kind.read(replace(_known(item), entries=known_entries(item)), fetched)
        self._lease.extend(LONG_LEASE)  # a run that has been cancelled must not take items from the next one
        if isinstance(read, ItemSkipped):
            self._left_out(item, read)
            return
        add_items(self.run, read.found)
        SourceItem.objects.filter(pk=item.pk).update(state=ItemState.CUTTING)
        facts = dict.fromkeys(COMPARED_BY_ORIGIN, "") if read.is_partial else {**facts, "content_hash": digest}
        asks = self.run.asks_gates
        self._to_embed += store(self.source, item, read, facts, is_check=self._is_check, asks_gates=asks)
        if self._is_check:
            documents = [one for one in read.items if isinstance(one, Document)]
            self._note_categories(unknown_categories(one.category or "" for one in documents))
            if self.kind.is_remote:
                hold(item, fetched)
        if len(self._to_embed) >= EMBEDDED_AT_ONCE:
            self._embed()

    def _note_categories(self, names: Sequence[str]) -> None:
        """Note which categories the run that publishes would add."""
        known = self.run.counts.get(NEW_CATEGORIES, [])
        if fresh := [name for name in names if name not in known]:
            self.run.counts[NEW_CATEGORIES] = [*known, *fresh][:MAX_CATEGORIES]
            SourceRun.objects.filter(pk=self.run.pk).update(counts=self.run.counts)

    @property
    def _is_check(self) -> bool:
        return self.run.mode == Mode.CHECK

    @property
    def _forgotten(self) -> dict[str, str]:
        """Return empty digests for an item that is gone, so that it counts as changed if it returns."""
        return {} if self._is_check else dict.fromkeys(COMPARED, "")

    def _gone(self, item: SourceItem, reason: str) -> None:
        """Record that an item is gone; its articles are archived at the end. An item without articles is just left
        out.
        """
        is_here = item.imported_at is not None
        settle(
            item,
            ItemState.GONE if is_here else ItemState.LEFT_OUT,
            Outcome.GONE if is_here else Outcome.LEFT_OUT,
            reason,
            **self._forgotten,
        )

    def _left_out(self, item: SourceItem, left: ItemSkipped) -> None:
        add_items(self.run, left.found)
        self._gone(item, left.reason)

    # --- The end

    def _embed(self) -> None:
        """Compute the vectors of what was stored; if the model does not respond, the sweep does it later."""
        ids, self._to_embed = self._to_embed, []
        if not ids or self._is_check:
            return
        for begin in range(0, len(ids), EMBEDDED_AT_ONCE):
            self._lease.extend(LONG_LEASE)
            try:
                report = sync_articles(ids[begin : begin + EMBEDDED_AT_ONCE])
            except KnowledgeError as error:
                logger.warning("kb: %s waits for its vectors: %s", self.source.pk, error.message)
                return
            self.run.counts["embedded"] = self.run.counts.get("embedded", 0) + report.embedded
        SourceRun.objects.filter(pk=self.run.pk).update(counts=self.run.counts)
        settle_embedded(self.source)

    def _finish(self, *, ends_at: float) -> bool:
        """Decide what happens to articles that are gone, and end the run; return whether more is left to do now."""
        self._embed()
        if self.run.mode != Mode.RETRY and not self.run.counts.get("limit"):
            note_gone(self.run, self.kind, forgotten=self._forgotten)
        self._lease.extend(LONG_LEASE)
        problem = store_categories(self.source, self.kind) if self.run.mode == Mode.SYNC else ""
        if self._is_check:
            self._note_categories(new_categories(self.source, self.kind))
        lost = archiving.lost_in(self.run)
        if not self._is_check and is_suspicious(self.run, self.kind, with_articles(lost).count()):
            self.run.counts |= counts_of(self.run)
            mine = SourceRun.objects.filter(pk=self.run.pk, state=RunState.RUNNING)
            mine.update(state=RunState.UNCONFIRMED, counts=self.run.counts, lease_until=None)
            return False
        if not self._is_check:
            if not self.run.asks_gates:
                archiving.archive_lost(lost)
            elif not archive_by_gates(lost, ends_at=ends_at, still_busy=lambda: self._lease.extend(LONG_LEASE)):
                return self.release()
            drop_held(self.source)
        self._end(RunState.DONE, problem)
        return False


def _level(item: SourceItem) -> int:
    """Return a new item's depth; -1 for an item with articles."""
    return item.depth if item.imported_at is None else -1


def _batches(places: Iterable[Place]) -> Iterator[list[Place]]:
    waiting = iter(places)
    while batch := list(islice(waiting, LISTED_AT_ONCE)):
        yield batch


def _known(item: SourceItem) -> Known:
    """Return what is known about an item. Content read by an older version is fetched again, even if it is
    unchanged.
    """
    if not is_of_this_release(item.content_hash):
        return Known(item.key, item.depth)
    return Known(item.key, item.depth, item.etag, item.last_modified)


def _compared_by_origin(fetched: Fetched) -> dict[str, str]:
    return {"etag": fetched.etag, "last_modified": fetched.last_modified}


def _not_stored(strerror: str | None) -> str:
    return gettext("The page or file cannot be stored ({strerror}).").format(strerror=strerror)


def _empty(folder: Path) -> None:
    """Delete the files left behind by reading an item. A whole time slice uses one folder, since creating one for each
    page takes as long as requesting the page.
    """
    for left in folder.iterdir():
        if left.is_dir():
            rmtree(left)
        else:
            left.unlink()
