"""Keeps the processes on one machine alive and leaves none behind.

It uses only one thread, because Linux ties the parent-death signal to the thread that started the child. Servers start
first and stop last, so no process loses the database while it finishes a turn.
"""

import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn, Protocol

from supportbot.installation.errors import InstallationError

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0  # a child that has run this long has recovered, and its next exit starts a new count
LOG_LIMIT_BYTES = 20_000_000
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Service(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def is_alive(self) -> bool: ...
    def start(self) -> None: ...
    def request_stop(self) -> None: ...
    def stop(self) -> None: ...


@dataclass
class _Managed:
    """A service, how many times it has exited recently, and when it will be restarted."""

    service: Service
    deaths: int = 0
    due: float = 0.0
    started: float = 0.0

    def pause(self) -> float:
        return min(2.0 ** (self.deaths - 1) - 0.5, LONGEST_PAUSE_SECONDS)


class Supervisor:
    def __init__(self, *, on_change: Callable[[dict[str, int]], None], on_poll: Callable[[], None]) -> None:
        self._managed: list[_Managed] = []
        self._is_unreported = False  # a change that `on_change` could not store, on a full disk
        self._on_change = on_change
        self._on_poll = on_poll

    @property
    def pids(self) -> dict[str, int]:
        return {
            managed.service.name: managed.service.pid for managed in self._managed if managed.service.pid is not None
        }

    def start(self, services: Sequence[Service]) -> None:
        """Start the services in order.

        Each is reported before the next one starts. If a start fails, `stop` also stops that one.
        """
        for service in services:
            managed = _Managed(service)
            self._managed.append(managed)
            self._start(managed)

    def _start(self, managed: _Managed) -> None:
        managed.started = time.monotonic()
        managed.service.start()
        self._on_change(self.pids)

    def keep_alive(self) -> NoReturn:
        """Restart services that die, until a signal raises KeyboardInterrupt."""
        while True:
            self.check()
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """Schedule restarts of services that have died, start those that are due, and call `on_poll`."""
        self._on_poll()
        if self._is_unreported:
            self._report_restart()
        now = time.monotonic()
        for managed in self._managed:
            if managed.service.is_alive:
                continue
            if not managed.due:
                self._plan_restart(managed, now)
            elif now >= managed.due:
                managed.due = 0.0
                self._restart(managed)

    def _plan_restart(self, managed: _Managed, now: float) -> None:
        managed.deaths = 1 if now - managed.started > STEADY_SECONDS else managed.deaths + 1
        managed.due = now + managed.pause()
        logger.warning("%s exited unexpectedly; restarting it in %.1f s", managed.service.name, managed.pause())

    def _restart(self, managed: _Managed) -> None:
        managed.started = time.monotonic()
        try:
            managed.service.start()
        except (InstallationError, OSError) as error:
            logger.warning("%s could not be restarted: %s", managed.service.name, error)
        else:
            logger.warning("%s is running again", managed.service.name)
            self._report_restart()

    def _report_restart(self) -> None:
        """Report the processes. If that fails, the restarted process keeps running, and the next check tries again."""
        try:
            self._on_change(self.pids)
        except OSError as error:
            if not self._is_unreported:
                logger.warning("the list of processes could not be stored: %s", error)
            self._is_unreported = True
        else:
            self._is_unreported = False

    def stop(self) -> None:
        """Tell all product processes to end at the same time, then stop everything, ending with the servers."""
        for managed in reversed(self._managed):
            managed.service.request_stop()
        for managed in reversed(self._managed):
            managed.service.stop()
        self._managed.clear()


@contextmanager
def stop_signals() -> Iterator[None]:
    """Make the first stop signal raise KeyboardInterrupt.

    Later signals are ignored, because they would interrupt the clean-up.
    """

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        for other in STOP_SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def limit_logs(folder: Path, *, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Move the content of each log that is above the limit to NAME.log.1, replacing that file.

    The log is copied and truncated, not renamed, because processes keep it open in append mode and continue at its new
    end. A line written in between is lost. If the disk is full, the content is lost too, but no process fails.
    """
    for log in folder.glob("*.log"):
        with suppress(OSError):  # someone may delete it at this moment
            if log.stat().st_size > limit_bytes:
                _copy_aside(log)
                os.truncate(log, 0)


def _copy_aside(log: Path) -> None:
    aside = log.with_name(f"{log.name}.1")
    try:
        shutil.copyfile(log, aside)
    except OSError:
        aside.unlink(missing_ok=True)
