"""Waiting for many successive events, each with a deadline."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Deadlines:
    """One timer for all waits of a stream. `asyncio.timeout` sets and removes one for each event, which costs as much
    as reading it; here, a timer that fires early because the deadline has moved is simply set again.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._waiting: asyncio.Task[object] | None = None
        self._is_over = False

    async def wait_for(self, awaited: Awaitable[T], due: float) -> T:
        """Return what is awaited; raises TimeoutError if that takes until `due`, on the loop's clock."""
        self._due, self._waiting = due, asyncio.current_task()
        if self._timer is None or due < self._timer.when():
            self._set_timer()
        try:
            return await awaited
        except asyncio.CancelledError:
            task, was_over, self._is_over = self._waiting, self._is_over, False
            if not was_over or task is None or task.uncancel() > 0:  # someone else has cancelled the task
                raise
            raise TimeoutError from None
        finally:
            self._waiting = None

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self.close()
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._waiting is None:
            return
        if self._loop.time() < self._due:
            self._set_timer()
        else:
            self._is_over = True
            self._waiting.cancel()
