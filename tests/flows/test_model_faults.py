"""A model that stalls, breaks off or refuses: the built-in answerer takes over, and the next answer is the model's."""

from collections.abc import Iterator

import pytest

from tests.flows.people import Visitor, ask, assert_whole, finals, shown
from tests.flows.speech import BEGINNING, QUESTION, cut, stalled, whole
from tests.flows.stack import Stack, Web, web
from tests.modelserver import Behaviour, ModelServer
from tests.widget.page import Socket

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def impatient_web(stack: Stack, model_settings: dict[str, str]) -> Iterator[Web]:
    """A web process with the usual limits: it waits ten seconds for each part of a model's answer."""
    with web(stack, **{**model_settings, "DJANGO_SETTINGS_MODULE": "supportbot.settings"}) as made:
        yield made


@pytest.fixture
def visitor(stack: Stack, impatient_web: Web) -> Visitor:
    return Visitor(stack, impatient_web.address)


SILENT = {
    "429": (Behaviour(status=429), Behaviour(status=429)),
    "500": (Behaviour(status=500), Behaviour(status=500)),
    "cut before a word": (Behaviour(cut_after=0), Behaviour(cut_after=0)),
    "stalls before a word": (Behaviour(stall_after=0),),
}
SEEN = {"cut": cut(), "stalls": stalled()}


@pytest.mark.parametrize("behaviours", SILENT.values(), ids=SILENT)
async def test_a_fault_before_the_first_word_goes_unnoticed(
    visitor: Visitor, model: ModelServer, behaviours: tuple[Behaviour, ...]
) -> None:
    model.will(*behaviours)
    async with visitor.chat() as socket:
        final = await ask(socket, QUESTION)
        assert final["by"] == "builtin"
        assert final["citations"]
        assert begins(final["text"], shown(socket.frames, 1))
        await assert_the_model_is_asked_again(socket, model)
    log = await visitor.log()
    assert_whole(log)
    assert [event["payload"]["attempt"] for event in log if event["event"] == "assistant.started"] == [1, 1]


@pytest.mark.parametrize("behaviour", SEEN.values(), ids=SEEN)
async def test_a_fault_after_the_first_word_starts_a_new_attempt(
    visitor: Visitor, model: ModelServer, behaviour: Behaviour
) -> None:
    model.will(behaviour)
    async with visitor.chat() as socket:
        final = await ask(socket, QUESTION)
        assert final["by"] == "builtin"
        assert begins(BEGINNING, shown(socket.frames, 1))
        assert begins(final["text"], shown(socket.frames, 2))
        await assert_the_model_is_asked_again(socket, model)
    log = await visitor.log()
    assert_whole(log)
    assert len(finals(log)) == 2
    assert [event["payload"]["attempt"] for event in log if event["event"] == "assistant.started"] == [1, 2, 1]


def begins(text: str, seen: str) -> bool:
    """Return whether something was shown and the text starts with it; the last unsent frame may be missing."""
    shorter, longer = sorted((text.strip(), seen.strip()), key=len)
    return shorter != "" and longer.startswith(shorter)


async def assert_the_model_is_asked_again(socket: Socket, model: ModelServer) -> None:
    model.will(whole())
    assert (await ask(socket, QUESTION))["by"] == "model"
