"""The clock of every process jumps by an hour while an answer is being written: it is shown in full, and only once."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.flows.clocks.conftest import Clock, needs_clock
from tests.flows.people import Visitor, answer_of, assert_whole, finals, shown
from tests.flows.speech import BEGINNING, ask_until_the_middle, paused, stalled, whole
from tests.flows.stack import Stack, Web, web
from tests.modelserver import ModelServer

pytestmark = needs_clock
# Each process reads the offset once a second, and extends its leases as often.
SEEN_SECONDS = 3.0


@pytest.fixture(scope="module")
def writing(stack: Stack, clock: Clock, model_settings: dict[str, str]) -> Iterator[Web]:
    clock.show("+0h")
    with web(stack, **model_settings) as made:
        yield made


@pytest.mark.parametrize("hours", [1, 0, -1])  # forward, back to the true time, and behind it
async def test_an_answer_in_progress_continues(
    stack: Stack, clock: Clock, writing: Web, model: ModelServer, hours: int
) -> None:
    behaviour, gate = paused()
    model.will(behaviour)
    visitor = Visitor(stack, writing.address)
    async with visitor.chat(last_seq=0) as socket:
        await ask_until_the_middle(socket)
        clock.show(f"{hours:+}h")
        await asyncio.sleep(SEEN_SECONDS)
        gate.set()
        final = (await answer_of(socket))["payload"]
    assert final["text"].startswith(BEGINNING)
    assert shown(socket.frames, 1).strip() == final["text"].strip()
    log = await visitor.log()
    assert_whole(log)
    assert finals(log) == [final]
    ended = datetime.fromisoformat(log[-1]["created_at"])
    assert abs(ended - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(minutes=10), "the clock's own time"


async def test_a_lost_answer_does_not_wait_for_the_former_clock(
    stack: Stack, clock: Clock, writing: Web, model: ModelServer, model_settings: dict[str, str]
) -> None:
    """The lost process's lease ends an hour from now."""
    clock.show("+0h")
    model.will(stalled(), whole())
    with web(stack, **model_settings) as lost:
        visitor = Visitor(stack, lost.address)
        async with visitor.chat(last_seq=0) as socket:
            await ask_until_the_middle(socket)
            lost.kill()
    clock.show("-1h")
    visitor.address = writing.address
    async with visitor.chat(last_seq=0) as socket:
        assert (await answer_of(socket))["payload"]["text"].startswith(BEGINNING)
    assert len(finals(await visitor.log())) == 1
