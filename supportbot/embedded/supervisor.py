"""Keeps the processes of one machine alive, and leaves none behind.

One thread only: Linux ties the parent-death signal to the thread that started the child. Servers come first in the list
and stop last, so that nobody loses the database while still finishing a turn.
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

from supportbot.installation.errors import EmbeddedError

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0  # a child that lived this long has recovered: its next death is a new case
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
    def ask_to_stop(self) -> None: ...
    def stop(self) -> None: ...


@dataclass
class _Care:
    """How often a service died lately, and when it is started again."""

    service: Service
    deaths: int = 0
    due: float = 0.0
    started: float = 0.0

    def pause(self) -> float:
        return min(2.0 ** (self.deaths - 1) - 0.5, LONGEST_PAUSE_SECONDS)


class Supervisor:
    def __init__(self, *, on_change: Callable[[dict[str, int]], None], tidy: Callable[[], None]) -> None:
        self._cared: list[_Care] = []
        self._on_change = on_change
        self._tidy = tidy

    @property
    def pids(self) -> dict[str, int]:
        return {care.service.name: care.service.pid for care in self._cared if care.service.pid is not None}

    def start(self, services: Sequence[Service]) -> None:
        """Start them in order; each is noted before the next, and stopped by `stop` even if its start fails."""
        for service in services:
            care = _Care(service)
            self._cared.append(care)
            self._start(care)

    def _start(self, care: _Care) -> None:
        care.started = time.monotonic()
        care.service.start()
        self._on_change(self.pids)

    def keep_alive(self) -> NoReturn:
        """Restart what dies, until a signal raises KeyboardInterrupt."""
        while True:
            self.look()
            time.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Note the dead, start those whose pause is over, and tidy up."""
        self._tidy()
        now = time.monotonic()
        for care in self._cared:
            if care.service.is_alive:
                continue
            if not care.due:
                self._plan_restart(care, now)
            elif now >= care.due:
                care.due = 0.0
                self._restart(care)

    def _plan_restart(self, care: _Care, now: float) -> None:
        care.deaths = 1 if now - care.started > STEADY_SECONDS else care.deaths + 1
        care.due = now + care.pause()
        logger.warning("%s ended by itself; starting it again in %.1f s", care.service.name, care.pause())

    def _restart(self, care: _Care) -> None:
        try:
            self._start(care)
        except (EmbeddedError, OSError) as error:
            logger.warning("%s could not be started: %s", care.service.name, error)
        else:
            logger.warning("%s runs again", care.service.name)

    def stop(self) -> None:
        """Ask all product processes to end at once, then stop everything, servers last."""
        for care in reversed(self._cared):
            care.service.ask_to_stop()
        for care in reversed(self._cared):
            care.service.stop()
        self._cared.clear()


@contextmanager
def stop_signals() -> Iterator[None]:
    """Inside, the first stop signal raises KeyboardInterrupt once; later ones cannot disturb the clean-up."""

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


def cap_logs(folder: Path, *, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Move what a log above the limit holds to NAME.log.1, in place of what was there before.

    Copied and cut, not renamed: the processes keep their file open, in append mode, and go on at its new end. A line
    written between the two is lost. Where the disk is full already, so is what the log holds: it must end no process.
    """
    for log in folder.glob("*.log"):
        with suppress(OSError):  # a person may delete one in this moment
            if log.stat().st_size > limit_bytes:
                _put_aside(log)
                os.truncate(log, 0)


def _put_aside(log: Path) -> None:
    aside = log.with_name(f"{log.name}.1")
    try:
        shutil.copyfile(log, aside)
    except OSError:
        aside.unlink(missing_ok=True)
