"""How long the gateway waits for a model, and which route answers afterwards."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from supportbot.llm import gateway
from supportbot.llm.errors import DeadlineExceeded
from supportbot.llm.types import Finished, ModelRequest, Restarted, TextDelta
from tests.llm.conftest import BUILTIN_ANSWER, read, text_of
from tests.modelserver import Behaviour, ModelServer

Ask = Callable[..., ModelRequest]
Stored = Callable[[], Any]


@pytest.fixture(autouse=True)
def short(settings: Any, server: ModelServer) -> None:
    settings.LLM_FIRST_TOKEN_SECONDS = 0.3
    settings.LLM_GAP_SECONDS = 0.2
    settings.MODEL_DEADLINE_SECONDS = 20.0  # the first call loads the provider's package, which may take a second


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "fault",
    [
        Behaviour(first_after=60),
        Behaviour(stall_after=0),
        Behaviour(bytes_per_second=20),
        Behaviour(text="One two three", stall_after=2),
        Behaviour(raw=b": keep-alive\n\n" * 10_000, bytes_per_second=500),
    ],
    ids=["silent", "headers only", "slow-loris", "stall after text", "keep-alives only"],
)
async def test_a_stall_is_answered_by_the_fallback_in_time(
    server: ModelServer, ask: Ask, stored: Stored, fault: Behaviour
) -> None:
    server.will(fault)
    events = await read(ask())
    assert text_of(events) == BUILTIN_ANSWER
    assert Restarted("builtin", "extractive", "stalled") in events
    assert len(server.chats) == 1
    await server.until_idle()
    row = (await stored())[0]
    assert (row.outcome, row.reason) == ("unclear", "stalled")


async def test_the_total_deadline_applies_even_with_short_gaps(
    server: ModelServer, ask: Ask, unstored: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LLM_FIRST_TOKEN_SECONDS = settings.LLM_GAP_SECONDS = 60.0
    settings.MODEL_DEADLINE_SECONDS = 10.0
    monkeypatch.setattr("supportbot.llm.call_settings.MAX_FALLBACK_SECONDS", 9.0)
    monkeypatch.setattr("supportbot.llm.call_settings.FALLBACK_SHARE", 0.9)
    server.will(Behaviour(text="and so on ", is_endless=True, gap=0.05))
    events = await read(ask())
    assert Restarted("builtin", "extractive", "deadline") in events
    assert text_of(events) == BUILTIN_ANSWER


async def test_without_another_route_the_deadline_is_an_error(
    server: ModelServer, ask: Ask, unstored: None, settings: Any
) -> None:
    settings.MODEL_DEADLINE_SECONDS = 1.0
    server.will(Behaviour(first_after=60))
    with pytest.raises(DeadlineExceeded):
        await read(ask(purpose="judge"))
    await server.until_idle()


async def test_hidden_reasoning_is_a_sign_of_life(server: ModelServer, ask: Ask, unstored: None, settings: Any) -> None:
    # In total longer than the limit for the first word, but each gap is far shorter, even on a busy machine.
    settings.LLM_FIRST_TOKEN_SECONDS = settings.LLM_GAP_SECONDS = 1.5
    settings.MODEL_DEADLINE_SECONDS = 20.0
    server.will(Behaviour(text="Thought about it.", model_reasons=4, gap=0.5))
    assert text_of(await read(ask())) == "Thought about it."


async def test_the_reader_may_take_longer_than_a_gap(server: ModelServer, ask: Ask, unstored: None) -> None:
    """A deadline that spans a yield would cancel the reader's own work."""
    server.will(Behaviour(text="One two."))
    async with aclosing(gateway.stream(ask())) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                await asyncio.sleep(0.3)
    assert isinstance(event, Finished)
