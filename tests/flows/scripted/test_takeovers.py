"""An agent takes over at a random moment of a streamed answer: not one more word reaches the customer.

    pytest tests/flows/scripted/test_takeovers.py -m long             a few dozen, part of the long run
    pytest tests/flows/scripted/test_takeovers.py -m chaos -s         a thousand, which takes some minutes

CHAOS_SEED repeats a run; a failure names its own.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import pytest
import redis

from tests.flows.people import Visitor, say
from tests.flows.speech import QUESTION, TEXT
from tests.flows.stack import Stack, Web
from tests.modelserver import Behaviour, ModelServer
from tests.widget.page import Socket

pytestmark = pytest.mark.long

FEW: Final = 20
MANY: Final = 1_000
AT_ONCE: Final = 20
GAP_SECONDS: Final = 0.01
# From before the first word to after the last one.
WITHIN_SECONDS: Final = 1.2 * GAP_SECONDS * len(TEXT.split()) + 0.3
OF_THE_ASSISTANT: Final = ("assistant.started", "assistant.final", "assistant.failed")


@asynccontextmanager
async def talkative(port: int, answers: int) -> AsyncIterator[ModelServer]:
    """A model that sends one word at a time; after an early takeover, part of its script is left over."""
    async with ModelServer(port=port) as server:
        server.will(*(Behaviour(text=TEXT, gap=GAP_SECONDS) for _ in range(answers)))
        yield server


async def taken_over(visitor: Visitor, socket: Socket, moment: float) -> None:
    """Ask, take the conversation over after this many seconds, and read up to the takeover."""
    await say(socket, QUESTION)
    await socket.until("ack")
    ticket = await visitor.agent.does("POST", "tickets", {"conversation": visitor.conversation})
    await asyncio.sleep(moment)  # does not decide the result: this is the random moment
    await visitor.agent.does("POST", f"tickets/{ticket['id']}/claim", {})
    if not any(frame.get("event") == "handoff.joined" for frame in socket.frames):
        await socket.until("handoff.joined")


async def round_of(stack: Stack, address: str, model: ModelServer, moments: list[float]) -> list[list[dict[str, Any]]]:
    """Take over one conversation per moment, concurrently; return the assistant's frames after that."""
    visitors = [Visitor(stack, address) for _ in moments]
    async with AsyncExitStack() as sockets_open:
        sockets = [await sockets_open.enter_async_context(visitor.chat()) for visitor in visitors]
        pairs = zip(visitors, sockets, moments, strict=True)
        await asyncio.gather(*(taken_over(*pair) for pair in pairs))
        await model.until_idle()
        await asyncio.gather(*(socket.quiet() for socket in sockets))
        sent = [socket.frames for socket in sockets]
    logs = [[{"type": "event", **event} for event in await visitor.log()] for visitor in visitors]
    return [assistants_words(after_joined(frames)) for frames in (*sent, *logs)]


def after_joined(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = [frame.get("event") for frame in frames]
    return frames[names.index("handoff.joined") + 1 :]


def assistants_words(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [frame for frame in frames if frame["type"] in ("delta", "status") or frame.get("event") in OF_THE_ASSISTANT]


async def takeovers(stack: Stack, web: Web, port: int, count: int) -> None:
    seed = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randint(1, 999_999)))
    dice = random.Random(seed)
    async with talkative(port, count + AT_ONCE) as model:
        for _ in range(count // AT_ONCE):
            with redis.Redis.from_url(f"{stack.valkey.url()}/2") as cache:
                cache.flushdb()  # all of them share one address and one agent, which throttles would stop
            moments = [dice.uniform(0, WITHIN_SECONDS) for _ in range(AT_ONCE)]
            late = [frames for frames in await round_of(stack, web.address, model, moments) if frames]
            assert late == [], f"CHAOS_SEED={seed}: words after a takeover: {late}"


async def test_the_assistant_says_nothing_after_some_takeovers(stack: Stack, model_web: Web, model_port: int) -> None:
    await takeovers(stack, model_web, model_port, FEW)


@pytest.mark.chaos
async def test_the_assistant_says_nothing_after_a_thousand_takeovers(
    stack: Stack, model_web: Web, model_port: int
) -> None:
    await takeovers(stack, model_web, model_port, MANY)
