"""Random kills, dropped connections and repeated deliveries, one after another, all determined by a seed."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import psycopg
from kombu.exceptions import OperationalError as BrokerDown

from supportbot.embedded.product_processes import ChildProcess
from tests.chaos.system import System

# How often each is chosen. Parts that handle money are hit most.
WEIGHTS: Final = {
    "worker": 5, "web": 3, "broker": 3, "shop": 3, "reply": 3, "connections": 3, "failures": 2, "again": 2, "beat": 1,
    "database": 1, "slowness": 1,
}  # fmt: skip
DOWN_SECONDS: Final = 1.5
PAUSE_SECONDS: Final = 2.0
LULL_SECONDS: Final = 3.0


@dataclass
class Storm:
    system: System
    seed: int
    pulse: Callable[[], int]  # grows with every event that a customer receives
    story: list[tuple[float, str]] = field(default_factory=list)  # the injected faults, and when

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    async def strike(self, blows: int) -> None:
        """Inject this many faults, and let everything recover afterwards."""
        kinds, weights, began = list(WEIGHTS), list(WEIGHTS.values()), time.monotonic()
        for _ in range(blows):
            await asyncio.sleep(self.chance.uniform(0.1, PAUSE_SECONDS))
            self.system.keep_up()
            await self._let_something_happen()
            kind = self.chance.choices(kinds, weights)[0]
            self.story.append((round(time.monotonic() - began, 1), kind))
            await self._strikes[kind]()
        await self.system.shop_does()

    async def _let_something_happen(self) -> None:
        """Wait a little for progress: faults in an idle system would prove nothing."""
        before = self.pulse()
        for _ in range(int(LULL_SECONDS / 0.1)):
            if self.pulse() != before:
                return
            await asyncio.sleep(0.1)

    @property
    def done(self) -> Counter[str]:
        return Counter(kind for _, kind in self.story)

    @property
    def _strikes(self) -> dict[str, Callable[[], Awaitable[None]]]:
        system = self.system
        return {
            "worker": lambda: self._kill(system.worker),
            "web": lambda: self._kill(system.web),
            "beat": lambda: self._kill(system.beat),
            "shop": lambda: self._kill(system.shop),
            "broker": lambda: self._kill_server(system.stack.valkey),
            "database": lambda: self._kill_server(system.stack.postgres),
            "connections": self._cut,
            "again": self._deliver_again,
            "reply": lambda: system.shop_does(drop_reply=self.chance.randint(1, 3)),
            "failures": lambda: system.shop_does(fail_next=self.chance.randint(1, 4)),
            "slowness": lambda: system.shop_does(delay_seconds=self.chance.uniform(1, 10)),
        }

    async def _kill(self, child: ChildProcess) -> None:
        self.system.kill(child.process)
        await asyncio.sleep(self.chance.uniform(0, DOWN_SECONDS))
        self.system.keep_up()

    async def _kill_server(self, server: "object") -> None:
        self.system.kill(server._process)  # type: ignore[attr-defined]  # no public method sends a kill -9
        await asyncio.sleep(self.chance.uniform(0, DOWN_SECONDS))
        server.start()  # type: ignore[attr-defined]

    async def _cut(self) -> None:
        with suppress(psycopg.OperationalError):  # the process is just restarting
            self.system.cut_connections()

    async def _deliver_again(self) -> None:
        with suppress(psycopg.OperationalError, BrokerDown):
            self.system.deliver_again()
