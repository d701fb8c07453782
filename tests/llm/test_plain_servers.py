"""Servers that support less of the protocol than we use: a feature is dropped once a server refuses it."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from supportbot.llm.errors import ProviderRefused
from supportbot.llm.providers import openai
from supportbot.llm.providers.chunks import Answer
from supportbot.llm.providers.transport import BODY, READ_EVERY_SECONDS
from supportbot.llm.types import ChatMessage, ModelRequest, TextDelta, ToolCall, ToolSpec, Usage
from tests.llm.conftest import read, text_of
from tests.modelserver import Behaviour, Call, ModelServer

Ask = Callable[..., ModelRequest]
Stored = Callable[[], Any]


@pytest.mark.parametrize("by_name", [True, False])
async def test_stream_options_are_dropped(server: ModelServer, ask: Ask, stored: Stored, by_name: bool) -> None:
    refusal = {"refuses": "stream_options"} if by_name else {"refuses_silently": "stream_options"}
    server.default = Behaviour(text="Fine.", **refusal)
    assert text_of(await read(ask())) == "Fine."
    assert text_of(await read(ask())) == "Fine."
    assert ["stream_options" in body for body in server.chats] == [True, False, False], "learnt once"
    assert [row.outcome for row in await stored()] == ["done", "done"]


async def test_tools_are_dropped(server: ModelServer, ask: Ask, unstored: None) -> None:
    server.default = Behaviour(text="Fine.", refuses="tools")
    tool = ToolSpec("request_human", "Hand over.", {"type": "object"})
    assert text_of(await read(ask(tools=(tool,)))) == "Fine."
    assert "tools" not in server.chats[-1]


async def test_streaming_is_dropped(server: ModelServer, ask: Ask, unstored: None) -> None:
    server.default = Behaviour(text="Fine.", refuses="stream")
    assert text_of(await read(ask())) == "Fine."
    assert server.chats[-1]["stream"] is False


async def test_the_newer_name_of_the_token_limit_is_used_if_the_old_one_is_refused(
    server: ModelServer, ask: Ask, unstored: None
) -> None:
    server.default = Behaviour(text="Fine.", refuses="max_tokens", error="")
    server.will(Behaviour(status=400, error="'max_tokens' is not supported, use 'max_completion_tokens'"))
    assert text_of(await read(ask(max_output_tokens=9))) == "Fine."
    assert server.chats[-1]["max_completion_tokens"] == 9


async def test_a_complete_answer_to_a_streaming_request(server: ModelServer, ask: Ask, unstored: None) -> None:
    server.will(Behaviour(text="Fine.", calls=(Call("refund", '{"a": 1}'),), is_whole=True))
    events = await read(ask())
    assert text_of(events) == "Fine."
    assert ToolCall("call_1", "refund", '{"a": 1}') in events
    assert events[-1].usage == Usage(11, 1, 3)  # type: ignore[union-attr]


async def test_one_complete_answer_drops_nothing(server: ModelServer, ask: Ask, unstored: None) -> None:
    tool = ToolSpec("refund", "Pay back.", {"type": "object"})
    server.will(Behaviour(text="Fine.", is_whole=True), Behaviour(text="Fine."))
    await read(ask(tools=(tool,)))
    await read(ask(tools=(tool,)))
    assert [(body["stream"], "tools" in body) for body in server.chats] == [(True, True)] * 2


async def test_a_refusal_is_forgotten_after_a_while(
    server: ModelServer, ask: Ask, unstored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = ToolSpec("refund", "Pay back.", {"type": "object"})
    server.will(Behaviour(text="Fine.", refuses="tools"))
    for _ in range(2):
        await read(ask(tools=(tool,)))
    now = time.monotonic()
    monkeypatch.setattr("supportbot.llm.providers.openai.monotonic", lambda: now + 601)
    await read(ask(tools=(tool,)))
    assert ["tools" in body for body in server.chats] == [True, False, False, True]


@pytest.mark.parametrize(
    "complaint",
    ["Cannot use tools with stream", "tools are not supported in streaming mode", "Unsupported: stream"],
)
async def test_streaming_is_dropped_before_tools(server: ModelServer, ask: Ask, unstored: None, complaint: str) -> None:
    tool = ToolSpec("refund", "Pay back.", {"type": "object"})
    server.will(Behaviour(status=400, error=complaint), Behaviour(text="Fine."))
    assert text_of(await read(ask(tools=(tool,)))) == "Fine."
    assert [(body["stream"], "tools" in body) for body in server.chats] == [(True, True), (False, True)]


async def test_refused_tools_keep_streaming(server: ModelServer, ask: Ask, unstored: None) -> None:
    tool = ToolSpec("refund", "Pay back.", {"type": "object"})
    refusals = [Behaviour(status=400, error="Extra inputs are not permitted: tools (of {stream, tools})")] * 2
    server.will(*refusals, Behaviour(text="Fine."))
    await read(ask(tools=(tool,)))
    assert (server.chats[-1]["stream"], "tools" in server.chats[-1]) == (True, False)


async def test_an_error_about_something_else_drops_no_feature(server: ModelServer, ask: Ask, unstored: None) -> None:
    server.will(*[Behaviour(status=400, error="Invalid schema for tool refund.")] * 2)
    tool = ToolSpec("refund", "Pay back.", {"type": "object"})
    await read(ask(tools=(tool,)))
    await read(ask(tools=(tool,)))
    assert "tools" in server.chats[-1]
    assert "stream_options" in server.chats[-1]


async def test_consecutive_messages_of_one_role_are_joined(server: ModelServer, ask: Ask, unstored: None) -> None:
    """Chat templates of open models refuse two messages of one role in a row ("Conversation roles must alternate")."""
    call = ToolCall("c1", "order_status", "{}")
    said = [
        ChatMessage("system", "You answer."), ChatMessage("user", "Hello"), ChatMessage("user", "Anybody?"),
        ChatMessage("assistant", "Yes."), ChatMessage("assistant", "How can I help?"), ChatMessage("user", "My order"),
        ChatMessage("assistant", "", tool_calls=(call, call)),
        ChatMessage("tool", "one", tool_call_id="c1"), ChatMessage("tool", "two", tool_call_id="c1"),
    ]  # fmt: skip
    server.will(Behaviour(text="Fine."))
    await read(replace(ask(), messages=tuple(said)))
    assert [(message["role"], message["content"]) for message in server.chats[0]["messages"]] == [
        ("system", "You answer."), ("user", "Hello\n\nAnybody?"), ("assistant", "Yes.\n\nHow can I help?"),
        ("user", "My order"), ("assistant", ""), ("tool", "one"), ("tool", "two"),
    ]  # fmt: skip


@pytest.mark.parametrize("pace", [Behaviour(gap=0.004), Behaviour(split=3)], ids=["by the word", "by three bytes"])
async def test_text_that_arrives_between_two_reads_is_one_delta(
    server: ModelServer, ask: Ask, unstored: None, pace: Behaviour
) -> None:
    """Each delta passes through checks and sockets, so a server that sends tiny pieces must not cause one for each."""
    said = " ".join(f"word{number}" for number in range(60))
    server.will(replace(pace, text=said))
    began = time.monotonic()
    events = await read(ask())
    reads = (time.monotonic() - began) / READ_EVERY_SECONDS
    assert text_of(events) == said
    assert sum(isinstance(event, TextDelta) for event in events) <= reads + 4


async def test_the_first_word_is_read_at_once() -> None:
    """A token begins with its space, so a word is complete, and can be shown, only once the next token arrives."""
    seen: list[str] = []

    class Arriving:
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for token in ("Thank", " you", " for", " asking."):
                seen.append(token)
                yield b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % token.encode()
            yield b"data: [DONE]\n\n"

        def gather(self) -> None:
            seen.append("gather")

    answer = Answer(max_output_tokens=100)
    response = SimpleNamespace(extensions={BODY: Arriving()}, headers={})
    async with aclosing(openai._events(response, answer)) as events:  # type: ignore[arg-type]  # all that is read of one
        said = [event async for event in events]
    assert said == [TextDelta("Thank"), TextDelta(" you"), TextDelta(" for"), TextDelta(" asking.")]
    assert seen == ["Thank", " you", "gather", " for", "gather", " asking.", "gather"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": "tools are not supported", "error_type": "validation"}',
        b'{"detail": "tools are not supported"}',
        b'{"message": "tools are not supported"}',
        b"tools are not supported",
    ],
)
async def test_a_refused_field_is_found_in_every_form_of_message(
    server: ModelServer, ask: Ask, unstored: None, body: bytes
) -> None:
    server.will(Behaviour(status=400, raw=body), Behaviour(status=400, raw=body), Behaviour(text="Fine."))
    tool = ToolSpec("refund", "Pay back.", {"type": "object"})
    assert text_of(await read(ask(tools=(tool,)))) == "Fine."
    assert "tools" not in server.chats[-1]


async def test_a_request_that_is_too_long_is_recognised_by_a_bare_message(
    server: ModelServer, ask: Ask, stored: Stored
) -> None:
    too_long = b'{"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096"}'
    server.will(Behaviour(status=422, raw=too_long), Behaviour(text="Fine."))
    assert text_of(await read(ask(lean_instructions="Answer shortly."))) == "Fine."
    assert [row.reason for row in await stored()] == ["too_long", ""]


async def test_only_the_beginning_of_an_endless_refusal_is_read(ask: Ask) -> None:
    class Endless(httpx2.AsyncByteStream):
        chunks = 0

        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                self.chunks += 1
                yield b"x" * 1_024

    body = Endless()
    transport = httpx2.MockTransport(lambda request: httpx2.Response(429, stream=body))
    http_client = httpx2.AsyncClient(transport=transport)
    client = openai.Client(http_client, api_key="", base_url="http://model.example/v1")
    provider = openai.OpenAIProvider(client, model="m")
    with pytest.raises(ProviderRefused, match=r"Error code: 429$"):
        [event async for event in provider.stream(ask())]
    await provider.close()
    assert body.chunks <= openai.MAX_REFUSAL_BYTES // 1_024 + 1
