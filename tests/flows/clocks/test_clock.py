"""The clock of every process jumps by an hour, forward and back, under an open chat: everything continues."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.flows.clocks.conftest import Clock, needs_clock
from tests.flows.people import Visitor, ask, assert_whole, call, finals
from tests.flows.stack import Stack, Web, web
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port

pytestmark = needs_clock
QUESTION = "How long do I have to return something?"
TICKING = ("sweep_tickets", "send_mail", "heartbeat")  # tasks that beat starts at least every 15 seconds


@pytest.fixture(scope="module")
def served(stack: Stack) -> Iterator[tuple[Web, str]]:
    """A web process, and the address of a worker's probes; beat runs, too."""
    port = reserved_port()
    worker, beat = stack.child("worker", WORKER_PROBE_PORT=str(port)), stack.child("beat", BEAT_PROBE_PORT="0")
    worker.start()
    beat.start()
    try:
        with web(stack) as made:
            yield made, f"http://127.0.0.1:{port}"
    finally:
        beat.stop()
        worker.stop()


async def ended_tasks(worker: str) -> dict[str, float]:
    """Return how often each task has ended; nothing while the worker is starting."""
    try:
        _, text = await call(worker, "GET", "/metrics")
    except OSError:
        return {}
    found = re.findall(r'supportbot_tasks_total{state="success",task="[\w.]*?(\w+)"} (\S+)', str(text))
    return {name: float(count) for name, count in found}


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110  # about other processes, which set no event
            await asyncio.sleep(2)  # each reading costs the processes more than the tasks that are waited for


@pytest.mark.parametrize("hours", [1, 0, -1])  # forward, back to the true time, and behind it
async def test_chats_and_tasks_continue_when_the_clock_jumps(
    stack: Stack, clock: Clock, served: tuple[Web, str], hours: int
) -> None:
    made, worker = served
    visitor = Visitor(stack, made.address)

    async def has_jumped() -> bool:
        expires = datetime.fromisoformat((await Visitor(stack, made.address).ticket())["expires_at"])
        return abs(expires - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(minutes=30)

    async def are_ticking() -> bool:
        ended = await ended_tasks(worker)
        return all(ended.get(name, 0) > before.get(name, 0) + 1 for name in TICKING)

    async def is_healthy() -> bool:
        status, _ = await call(made.address, "GET", "/healthz")
        return bool(status == 200)

    async with visitor.chat(last_seq=0) as socket:
        assert (await ask(socket, QUESTION))["citations"]
        await until(is_healthy)
        clock.show(f"{hours:+}h")
        await until(has_jumped)
        before = await ended_tasks(worker)
        assert (await ask(socket, QUESTION))["citations"]
        await until(are_ticking)
        await until(is_healthy)
    log = await visitor.log()
    assert_whole(log)
    assert len(finals(log)) == 2
