"""Admission of turns: as long as this process keeps up, turns begin at once; otherwise, they wait in order, and their
customers are informed.

An overloaded process would make all customers wait for every word, even in the middle of an answer. The delay of a
timer on the event loop shows overload, whatever its cause. The number of concurrent answers does not, because machines
differ.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

from django.conf import settings

from supportbot.observing.metrics import LOOP_LAG

TICK_SECONDS: Final = 0.1
MAX_LAG_SECONDS: Final = 0.5
# the number of turns in a burst that begin at once; the others wait until the load caused by these can be measured
TURNS_PER_TICK: Final = 10
# A turn begins at least this often, however delayed the loop is: otherwise, customers would wait for minutes on a
# machine that other programs keep busy.
PATIENCE_SECONDS: Final = 0.25


def searches_at_once() -> int:
    """Return how many turns may search at the same time: half as many as there are database threads. A search
    occupies its thread while its vector waits for a core; meanwhile, messages, claims and answers need threads.
    """
    return max(1, settings.DATABASE_POOL_SIZE // 2)


class Admission:
    """Admits the turns of one event loop in order of arrival."""

    def __init__(self) -> None:
        self._lag = 0.0
        self._room = TURNS_PER_TICK
        self._last_entry = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._measuring: asyncio.Task[None] | None = None
        self.searching = asyncio.Semaphore(searches_at_once())

    def start(self) -> None:
        self._measuring = asyncio.create_task(self._keep_measuring())

    async def stop(self) -> None:
        if self._measuring is not None:
            self._measuring.cancel()
            with suppress(asyncio.CancelledError):
                await self._measuring

    @property
    def has_room(self) -> bool:
        """Return whether a turn would begin at once."""
        return self._room > 0 and not self._waiting

    async def enter(self) -> None:
        """Wait until the turn may begin. Cancel this call if the turn ends first."""
        loop = asyncio.get_running_loop()
        if not self.has_room:
            place: asyncio.Future[None] = loop.create_future()
            self._waiting.append(place)
            await place
        else:
            self._room -= 1
        self._last_entry = loop.time()

    async def _keep_measuring(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            now = loop.time()
            self.measure(now - due, is_overdue=now - self._last_entry >= PATIENCE_SECONDS)

    def measure(self, late_seconds: float, *, is_overdue: bool) -> None:
        """Record the loop's current delay, and admit waiting turns if there is room. A long delay counts as several
        ticks.
        """
        self._lag = max(late_seconds, self._lag / 2)
        with suppress(OSError):  # a full disk for the counters must not delay turns
            LOOP_LAG.set(self._lag)
        self._room = TURNS_PER_TICK if self._lag < MAX_LAG_SECONDS else int(is_overdue)
        while self._waiting and self._room:
            place = self._waiting.popleft()
            if not place.done():  # otherwise, its turn was stopped
                place.set_result(None)
                self._room -= 1
