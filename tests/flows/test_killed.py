"""The only web process is killed in the middle of an answer, and started again."""

from collections.abc import Iterator

import pytest

from tests.flows.people import Visitor, answer_of, assert_whole, finals, shown
from tests.flows.speech import ask_until_the_middle, stalled, whole
from tests.flows.stack import Stack, Web, web
from tests.modelserver import ModelServer
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def restartable_web(stack: Stack, model_settings: dict[str, str]) -> Iterator[Web]:
    """A web process that each test kills and restarts on the same port."""
    with web(stack, **model_settings) as made:
        yield made


@pytest.fixture(autouse=True)
def _started_again(restartable_web: Web) -> Iterator[None]:
    """Leave a running process to the next test, wherever this one failed."""
    yield
    if not restartable_web.is_running:
        restartable_web.start()


async def ask_and_kill(visitor: Visitor, restartable_web: Web) -> int:
    """Kill the process in the middle of its answer; return the last event that the reader received."""
    async with visitor.chat(last_seq=0) as socket:
        await ask_until_the_middle(socket)
        restartable_web.kill()
        return int(socket.events[-1]["seq"])


async def test_a_killed_process_loses_no_answer(stack: Stack, restartable_web: Web, model: ModelServer) -> None:
    model.will(stalled(), whole())
    visitor = Visitor(stack, restartable_web.address)
    last_seq = await ask_and_kill(visitor, restartable_web)
    restartable_web.start()
    async with visitor.chat(last_seq=last_seq) as socket:
        while (frame := await socket.next(PATIENCE_SECONDS)).get("event") != "assistant.final":
            pass
        assert shown(socket.frames, 2).strip() == frame["payload"]["text"].strip()
        assert shown(socket.frames, 1) == ""
    log = await visitor.log()
    assert_whole(log)
    assert finals(log) == [frame["payload"]]


async def test_an_answer_that_is_lost_three_times_fails_visibly_and_can_be_retried(
    stack: Stack, restartable_web: Web, model: ModelServer
) -> None:
    model.will(stalled(), stalled(), stalled(), whole())
    visitor = Visitor(stack, restartable_web.address)
    last_seq = await ask_and_kill(visitor, restartable_web)
    for attempt in (2, 3):
        restartable_web.start()
        async with visitor.chat(last_seq=last_seq) as socket:
            while not shown(socket.frames, attempt):
                await socket.next(PATIENCE_SECONDS)
            restartable_web.kill()
            last_seq = socket.events[-1]["seq"]
    restartable_web.start()
    async with visitor.chat(last_seq=last_seq) as socket:
        failed = (await answer_of(socket))["payload"]
        assert (failed["code"], failed["retry"]) == ("runner_lost", True)
        await socket.say("retry", message=failed["message"])
        again = (await answer_of(socket))["payload"]
        assert again["by"] == "model"
    log = await visitor.log()
    assert_whole(log)
    assert finals(log) == [again]
