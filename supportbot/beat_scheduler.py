"""Beat's scheduler: Celery's own, with a tick for the probe. It survives a changed clock and a full disk."""

import dbm
import logging
import shelve
import sqlite3
from pathlib import Path
from typing import Any

from celery.beat import PersistentScheduler

logger = logging.getLogger(__name__)


class Unstored:
    """Stands in for the module `shelve`, and keeps the schedule in memory."""

    @staticmethod
    def open(filename: str, *, writeback: bool) -> "shelve.Shelf[Any]":
        return shelve.Shelf({}, writeback=writeback)


class TickingScheduler(PersistentScheduler):
    """Celery's scheduler with a tick that tells a probe when it was last awake.

    It also survives a clock that is set back. Celery's own scheduler would start nothing until the clock has caught up,
    even after a restart.

    And it survives a file that cannot be written, for example because the disk is full. Celery's own scheduler would
    end, although losing the schedule does no harm. If this one starts while the disk is full, it creates a new file
    once there is space.
    """

    def tick(self, *arguments: Any, **options: Any) -> float:
        from supportbot.health.main_loop import tick

        tick()
        self._forget_runs_in_the_future()
        seconds: float = super().tick(*arguments, **options)
        return seconds

    def apply_async(self, *arguments: Any, **options: Any) -> Any:
        from supportbot.observing.broker_outages import broker_trouble

        published = super().apply_async(*arguments, **options)
        broker_trouble.has_responded()
        return published

    is_writing = False
    _waits_for_space = False  # with the schedule in memory
    # attributes of Celery's scheduler that its types do not mention
    _store: Any = None
    schedule_filename: str

    def setup_schedule(self) -> None:
        try:
            super().setup_schedule()
        except dbm.error as error:
            report_unstored(error)
            if self._store is not None:
                self._store.writeback = False  # otherwise, deleting the shelf would try to write again
            self.persistence = Unstored  # type: ignore[assignment]  # only its `open` is used
            super().setup_schedule()
            # A file that cannot be opened, is damaged, or is locked by another beat process is left unchanged.
            self._waits_for_space = _is_full(error)

    def sync(self) -> None:
        """Write the schedule. A stop signal waits until this is done, so that no half-written file is left behind."""
        self.is_writing = True
        try:
            if self._waits_for_space:
                self._return_to_the_file()
            super().sync()
        except dbm.error as error:
            report_unstored(error)
            self._store.writeback = True  # the failed write has switched it off
        finally:
            self.is_writing = False

    def _return_to_the_file(self) -> None:
        """Move the schedule from memory to a new file. Raises the file's error if there is still no space."""
        Path(self.schedule_filename).parent.mkdir(parents=True, exist_ok=True)
        # A full disk may have left an unreadable file. (Celery's types do not mention this method.)
        self._remove_db()  # type: ignore[attr-defined]
        store: Any = shelve.open(self.schedule_filename, flag="n", writeback=True)  # noqa: SIM115  # it stays open
        try:
            store.update(self._store)
        except dbm.error:
            store.writeback = False  # otherwise, deleting the shelf would try to write again
            raise
        self._store, self._waits_for_space = store, False
        logger.info("beat: the times of the last ticks are stored again")

    def close(self) -> None:
        try:
            super().close()
        except dbm.error as error:
            report_unstored(error)

    def _forget_runs_in_the_future(self) -> None:
        ahead = [one for one in self.schedule.values() if one.last_run_at and one.last_run_at > one.default_now()]
        for entry in ahead:
            entry.last_run_at = entry.default_now()
        if ahead:
            self._heap = None  # its times are from before the clock was set back


def _is_full(error: BaseException) -> bool:
    """Return whether an error of the schedule's file means that a disk is full.

    Python's shelves in SQLite raise an error without `errno` while they handle the one from SQLite.
    """
    from supportbot.errors import is_out_of_space  # needs the settings, which load later

    own = error.__context__
    is_of_sqlite = isinstance(own, sqlite3.Error) and getattr(own, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return is_of_sqlite or is_out_of_space(error)


def report_unstored(error: BaseException) -> None:
    """Log an error of the schedule's file.

    It may be of any class, because the error for a full disk in SQLite has no `errno`.
    """
    logger.error("beat: the times of the last ticks are not stored: %s", error)
