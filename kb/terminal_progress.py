"""Progress of a long run: one updated line in a terminal, or a line now and then in a log."""

import time
from types import TracebackType
from typing import Self

from django.core.management.base import OutputWrapper
from django.utils.translation import gettext


class ProgressLine:
    """A callable that prints the progress of a run, given (done, total); it prints nothing for runs of less than a
    second.
    """

    def __init__(self, out: OutputWrapper, what: str) -> None:
        self._out = out
        self._what = what
        self._is_terminal = out.isatty()
        self._every_seconds = 1.0 if self._is_terminal else 15.0
        self._shown_at = self._started = time.monotonic()
        self._has_output = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._has_output and self._is_terminal:
            self._out.write("")

    def __call__(self, done: int, total: int, /) -> None:
        now = time.monotonic()
        if now - self._shown_at < self._every_seconds and not (done >= total and self._has_output):
            return
        self._shown_at, self._has_output = now, True
        left = (now - self._started) / max(done, 1) * (total - done)
        line = gettext("{what}: {done} of {total}, about {seconds} s left").format(
            what=self._what, done=done, total=total, seconds=round(left)
        )
        self._out.write(f"\r{line:<70}" if self._is_terminal else line, ending="" if self._is_terminal else "\n")
        self._out.flush()
