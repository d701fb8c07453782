"""Two web processes: one with the reader's socket and one that writes the answer."""

from collections.abc import Iterator

import pytest

from tests.flows.people import Visitor, answer_of, shown
from tests.flows.speech import ask_until_the_middle, paused
from tests.flows.stack import Stack, Web
from tests.modelserver import ModelServer

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def socket_web(stack: Stack, model_web: Web) -> Iterator[Web]:
    """A web process that serves sockets but writes no answers, since its runner is not started; `model_web` writes
    them.
    """
    child = stack.child("web")
    child.command[child.command.index("--lifespan") + 1] = "off"
    made = Web(child)
    made.start()
    yield made
    child.stop()


async def test_an_answer_from_another_process_is_streamed_too(
    stack: Stack, socket_web: Web, model: ModelServer
) -> None:
    behaviour, gate = paused()
    model.will(behaviour)
    visitor = Visitor(stack, socket_web.address)
    async with visitor.chat(last_seq=0) as socket:
        # complete from its first word, although the layer carries no deltas by default
        await ask_until_the_middle(socket)
        gate.set()
        final = (await answer_of(socket))["payload"]
        assert shown(socket.frames, 1).strip() == final["text"].strip()
        assert [frame["event"] for frame in socket.events] == [event["event"] for event in await visitor.log()]


async def test_a_reader_in_another_process_who_joins_in_the_middle_continues(
    stack: Stack, socket_web: Web, model_web: Web, model: ModelServer
) -> None:
    behaviour, gate = paused()
    model.will(behaviour)
    visitor = Visitor(stack, model_web.address)
    async with visitor.chat() as first:
        await ask_until_the_middle(first)
        async with visitor.chat(at=socket_web.address) as second:
            turn = second.frames[0]["turn"]
            gate.set()
            final = (await answer_of(second))["payload"]
            assert (turn["text"] + shown(second.frames, 1)).strip() == final["text"].strip()
