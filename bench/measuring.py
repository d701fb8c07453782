"""One measurement: concurrent chats with one server, and its processor time before and after."""

import asyncio
import random
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import uvloop

from bench.chats import Chat, turns_of
from bench.figures import percentile
from bench.processes import cpu_seconds
from bench.turns import Turn

OPENING_AT_ONCE: Final = 8
STARTS_WITHIN_SECONDS: Final = 1.0
# Processor time is read this long after the last frame, because the writes that follow it belong to the turn.
SETTLE_SECONDS: Final = 0.5
# The most processor time that a process without chats may use in a second, and the most time it may take to load
# everything.
IDLE_CPU_SECONDS: Final = 0.03
LOADING_SECONDS: Final = 60
_VECTOR_SECONDS: Final = re.compile(r"^supportbot_vector_cpu_seconds_total (\S+)", re.MULTILINE)
OpenChat = Callable[[aiohttp.ClientSession], AbstractAsyncContextManager[Chat]]


@dataclass(frozen=True)
class Load:
    chats: int
    turns: int
    questions: Sequence[str]

    def of_chat(self, number: int) -> list[str]:
        """Return a chat's own questions: first the question for the warm-up turn, then those for the measured turns."""
        start = number * (self.turns + 1)
        return [self.questions[(start + turn) % len(self.questions)] for turn in range(self.turns + 1)]


@dataclass(frozen=True)
class Server:
    """A measured process; its metrics, if it has an address for them, count the processor time of its vectors."""

    pid: int
    metrics_url: str = ""

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    async def vector_seconds(self, client: aiohttp.ClientSession) -> float:
        if not self.metrics_url:
            return 0.0
        async with client.get(self.metrics_url) as answer:
            found = _VECTOR_SECONDS.search(await answer.text())
        return float(found[1]) if found else 0.0


@dataclass(frozen=True)
class Reading:
    cpu_seconds: float
    vector_seconds: float
    turns: list[Turn]

    def figures(self) -> dict[str, Any]:
        whole, first = [[turn.added_whole_ms for turn in self.turns], [turn.added_first_ms for turn in self.turns]]
        count = len(self.turns)
        return {
            "turns": count,
            "cpu_ms_per_turn": round(self.cpu_seconds * 1000 / count, 2),
            "vector_cpu_ms": round(self.vector_seconds * 1000 / count, 2),
            "added_first_ms_p50": percentile(first, 50),
            "added_first_ms_p99": percentile(first, 99),
            "added_turn_ms_p50": percentile(whole, 50),
            "added_turn_ms_p99": percentile(whole, 99),
            "frames_per_turn": round(sum(turn.frames for turn in self.turns) / count, 1),
            "deltas_per_turn": round(sum(turn.deltas for turn in self.turns) / count, 1),
            "citations_per_turn": round(sum(turn.citations for turn in self.turns) / count, 1),
            "problems": sum(len(turn.problems) for turn in self.turns),
        }


def measure(server: Server, open_chat: OpenChat, load: Load) -> Reading:
    """Open the chats, play one warm-up turn in each, then measure the other turns."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measure(server, open_chat, load))


async def _measure(server: Server, open_chat: OpenChat, load: Load) -> Reading:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        await _loaded(server)
        chats = await open_all(stack, [open_chat] * load.chats, client)
        plays = [load.of_chat(number) for number in range(load.chats)]
        await asyncio.gather(*(turns_of(chat, play[:1]) for chat, play in zip(chats, plays, strict=True)))
        await asyncio.sleep(SETTLE_SECONDS)
        vectors_before = await server.vector_seconds(client)
        before = server.cpu_seconds()
        # Irregular starts: synchronised chats would share wake-ups, and real ones do not.
        offsets = random.Random(1)
        later = [_after(offsets.uniform(0, STARTS_WITHIN_SECONDS), chat, play[1:])
                 for chat, play in zip(chats, plays, strict=True)]  # fmt: skip
        turns = [turn for found in await asyncio.gather(*later) for turn in found]
        await asyncio.sleep(SETTLE_SECONDS)
        spent = server.cpu_seconds() - before
        return Reading(spent, await server.vector_seconds(client) - vectors_before, turns)


async def _loaded(server: Server) -> None:
    """Wait until a process has loaded everything: on a busy machine, it might still be loading while it is measured."""
    for _ in range(LOADING_SECONDS):
        before = server.cpu_seconds()
        await asyncio.sleep(1)
        if server.cpu_seconds() - before <= IDLE_CPU_SECONDS:
            return


async def open_all(stack: AsyncExitStack, openers: Sequence[OpenChat], client: aiohttp.ClientSession) -> list[Chat]:
    """Open chats, a few at a time; the exit stack closes them."""
    gate = asyncio.Semaphore(OPENING_AT_ONCE)

    async def open_one(opener: OpenChat) -> Chat:
        async with gate:
            return await stack.enter_async_context(opener(client))

    return list(await asyncio.gather(*(open_one(opener) for opener in openers)))


async def _after(seconds: float, chat: Chat, questions: list[str]) -> list[Turn]:
    await asyncio.sleep(seconds)
    return await turns_of(chat, questions)
