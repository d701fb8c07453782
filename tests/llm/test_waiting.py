"""One timer for all waits of a stream, which ends only a wait that is late."""

import asyncio

import pytest

from supportbot.llm.attempt import Deadlines
from tests.patience import PATIENCE_SECONDS

LATE, SOON = PATIENCE_SECONDS, 0.02


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_wait_ends_at_its_deadline() -> None:
    deadlines = Deadlines()
    for _ in range(2):  # the first wait has no effect on the next
        with pytest.raises(TimeoutError):
            await deadlines.wait_for(asyncio.sleep(LATE), now() + SOON)
    task = asyncio.current_task()
    assert task is not None and task.cancelling() == 0


async def test_a_wait_whose_deadline_is_extended_continues() -> None:
    deadlines = Deadlines()
    for _ in range(5):
        assert await deadlines.wait_for(asyncio.sleep(SOON / 2, "event"), now() + LATE) == "event"


async def test_an_earlier_deadline_applies_from_then_on() -> None:
    deadlines = Deadlines()
    await deadlines.wait_for(asyncio.sleep(0), now() + LATE)
    began = now()
    with pytest.raises(TimeoutError):
        await deadlines.wait_for(asyncio.sleep(LATE), now() + SOON)
    assert now() - began < LATE / 2


async def test_between_two_waits_nothing_is_cancelled() -> None:
    deadlines = Deadlines()
    await deadlines.wait_for(asyncio.sleep(0), now() + SOON)
    await asyncio.sleep(SOON * 3)  # the reader of the stream is busy
    assert await deadlines.wait_for(asyncio.sleep(SOON, "event"), now() + LATE) == "event"
    deadlines.close()


async def test_a_cancelled_wait_stays_cancelled() -> None:
    deadlines = Deadlines()
    waiting = asyncio.create_task(deadlines.wait_for(asyncio.sleep(LATE), now() + LATE))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_wait_that_is_cancelled_as_it_ends_is_not_a_timeout() -> None:
    deadlines = Deadlines()
    waiting = asyncio.create_task(deadlines.wait_for(asyncio.sleep(LATE), now() + SOON))
    await asyncio.sleep(0)
    deadlines._due = now()  # the deadline passes at the moment when somebody stops the turn
    deadlines._look()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
