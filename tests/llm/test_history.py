"""A long conversation sent to a model with a token budget, and a request too long for its context."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from supportbot.llm.history import GIST_CHARACTERS, SHORT_ANSWER_TOKENS, within_budget
from supportbot.llm.providers.context_overflow import is_overflow
from supportbot.llm.tokens import estimated_tokens
from supportbot.llm.types import ChatMessage, ModelRequest, RouteStarted, ToolCall
from tests.llm.conftest import BUILTIN_ANSWER, read, text_of
from tests.modelserver import Behaviour, ModelServer

Ask = Callable[..., ModelRequest]
Stored = Callable[[], Any]
FIRST = "My order WF-20404 came with a broken pole."
OVERFLOW = (
    "This model's maximum context length is 2048 tokens. However, you requested 2500 tokens (1700 in the messages, 800 "
    "in the completion). Please reduce the length of the messages or completion."
)


def talk(turns: int, *, words: int = 40) -> tuple[ChatMessage, ...]:
    """A conversation that begins with `FIRST` and ends with the newest question."""
    filler = "word " * words
    said = [ChatMessage("system", "Answer."), ChatMessage("user", FIRST), ChatMessage("assistant", "I am sorry.")]
    for number in range(1, turns):
        said += [
            ChatMessage("user", f"Question {number}. {filler}"),
            ChatMessage("assistant", f"Answer {number}. {filler}"),
        ]
    return (*said, ChatMessage("user", "And when will it come?"))


def asking(*messages: ChatMessage) -> ModelRequest:
    return ModelRequest("answer", messages)


def cost(messages: Any) -> int:
    return sum(estimated_tokens(message["content"]) for message in messages)


def test_a_short_conversation_is_unchanged() -> None:
    request = asking(*talk(5))
    assert within_budget(request, 3_000) is request


def test_the_newest_part_is_kept_and_the_oldest_is_summarised() -> None:
    messages = talk(30)
    cut = within_budget(asking(*messages), 1_000).messages
    assert cut[0] == messages[0] and cut[-1] == messages[-1]
    kept = cut[2:-1]
    assert kept == messages[-1 - len(kept) : -1]
    summary = cut[1]
    assert summary.role == "user" and FIRST in summary.content
    lines = summary.content.split("\n")
    assert lines[0].startswith("Earlier in this conversation") and lines[1] == f"Customer: {FIRST}"
    assert sum(estimated_tokens(message.content) for message in cut[1:-1]) <= 1_100
    assert within_budget(asking(*messages), 1_000).messages == cut


def test_a_long_message_keeps_its_first_sentence_and_figures() -> None:
    told = "The tent leaks. " + "It rained a lot and we were not amused at all. " * 20 + "I paid 249.00 EUR for it."
    said = [ChatMessage("user", told), ChatMessage("assistant", "I see. " * 400), ChatMessage("user", "So?")]
    summary = within_budget(asking(*said), 300).messages[0].content
    assert "Customer: The tent leaks. I paid 249.00 EUR for it." in summary
    assert max(map(len, summary.split("\n"))) <= GIST_CHARACTERS + len("Assistant: ")


def test_a_tool_call_and_its_result_stay_together() -> None:
    call = ToolCall("1", "order_status", '{"order_id": "WF-20404"}')
    looked_up = (ChatMessage("assistant", "", tool_calls=(call,)), ChatMessage("tool", "x" * 4_000, tool_call_id="1"))
    newest = within_budget(asking(*talk(30), *looked_up), 500).messages
    assert newest[-3:] == (talk(30)[-1], *looked_up)
    earlier = within_budget(asking(*talk(2), *looked_up, *talk(8)[1:]), 1_200).messages
    assert "tool" not in [message.role for message in earlier]


@pytest.mark.parametrize("messages", [(), (ChatMessage("system", "x" * 9_999),), (ChatMessage("user", "x" * 9_999),)])
def test_without_a_history_nothing_is_cut(messages: tuple[ChatMessage, ...]) -> None:
    request = asking(*messages)
    assert within_budget(request, 200) is request


async def test_the_token_budget_is_a_setting(server: ModelServer, ask: Ask, unstored: None, settings: Any) -> None:
    settings.LLM_HISTORY_TOKENS = 500
    await read(ask(messages=talk(30)))
    sent = server.chats[0]["messages"]
    assert cost(sent) < 700 < cost([{"content": message.content} for message in talk(30)])
    assert FIRST in sent[1]["content"]


SAID = [
    (400, "Error code: 400 - {'error': {'message': 'x', 'code': 'context_length_exceeded'}}"),
    (400, OVERFLOW),
    (
        400,
        "'max_tokens' or 'max_completion_tokens' is too large: 800. This model's maximum context length is 512 tokens",
    ),
    (400, "The decoder prompt (length 3000) is longer than the maximum model length of 2048."),
    (400, "the request exceeds the available context size. try increasing the context size"),
    (400, "{'code': 400, 'message': 'x', 'type': 'exceed_context_size_error', 'n_prompt_tokens': 5000, 'n_ctx': 4096}"),
    (400, "The input (3000 tokens) is longer than the model's context length (2048 tokens)."),
    (500, "the input length exceeds the context length"),
    (400, "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context"),
    (400, "prompt is too long: 210000 tokens > 200000 maximum"),
    (400, "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000"),
    (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
    (400, "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length"),
    (413, "Request too large for model in organization on tokens per minute (TPM)"),
    (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048."),
    (400, "This model's maximum prompt length is 131072 but the request contains 537812 tokens."),
]


@pytest.mark.parametrize(("status", "said"), SAID)
def test_overflow_errors_of_many_servers_are_recognised(status: int, said: str) -> None:
    assert is_overflow(status, said)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "Unsupported parameter: stream_options"),
        (400, "'max_tokens' is not supported, use 'max_completion_tokens'"),
        (401, OVERFLOW),
        (429, "Rate limit reached for tokens per minute"),
        (500, "internal error"),
    ],
)
def test_other_refusals_are_not_overflow(status: int, said: str) -> None:
    assert not is_overflow(status, said)


@pytest.mark.one_in(4)
@pytest.mark.parametrize(("status", "said"), SAID)
async def test_a_request_that_is_too_long_is_retried_shorter(
    server: ModelServer, ask: Ask, stored: Stored, status: int, said: str
) -> None:
    server.will(Behaviour(status=status, error=said), Behaviour(text="On Friday."))
    long_system = ChatMessage("system", "Answer. " + "passage " * 1_000)
    events = await read(ask(messages=(long_system, *talk(10)[1:]), lean_instructions="Answer shortly."))
    assert text_of(events) == "On Friday."
    assert sum(isinstance(event, RouteStarted) for event in events) == 1
    whole, short = server.chats
    assert short["messages"][0]["content"] == "Answer shortly."
    assert short["messages"][-1]["content"].endswith("And when will it come?")
    assert cost(short["messages"]) < cost(whole["messages"]) / 4
    assert (whole["max_tokens"], short["max_tokens"]) == (800, SHORT_ANSWER_TOKENS)
    assert [(row.outcome, row.reason) for row in await stored()] == [("refused", "too_long"), ("done", "")]


async def test_an_overflow_inside_the_stream_counts_too(server: ModelServer, ask: Ask, unstored: None) -> None:
    error = {"error": {"message": "n_ctx", "type": "exceed_context_size_error", "code": 400}}
    server.will(Behaviour(raw=f"data: {json.dumps(error)}\n\n".encode()), Behaviour(text="On Friday."))
    assert text_of(await read(ask(messages=talk(10)))) == "On Friday."


async def test_a_second_refusal_goes_to_the_next_route(server: ModelServer, ask: Ask, stored: Stored) -> None:
    server.default = Behaviour(status=400, error=OVERFLOW)
    assert text_of(await read(ask())) == BUILTIN_ANSWER
    assert [row.reason for row in await stored()] == ["too_long", "too_long", ""]
    assert len(server.chats) == 2


async def test_an_overlong_question_does_not_open_the_breaker(server: ModelServer, ask: Ask, unstored: None) -> None:
    server.default = Behaviour(status=400, error=OVERFLOW)
    for _ in range(4):
        await read(ask())
    server.default = Behaviour(text="Fine.")
    assert text_of(await read(ask())) == "Fine."


async def test_placeholders_are_the_same_in_the_shorter_retry(server: ModelServer, ask: Ask, unstored: None) -> None:
    server.will(Behaviour(status=400, error=OVERFLOW), Behaviour(text="We write to [EMAIL_2]."))
    old = ChatMessage("user", "Not bob@example.com. " + "word " * 900)
    messages = (
        ChatMessage("system", "Answer."),
        old,
        ChatMessage("assistant", "No?"),
        ChatMessage("user", "a@b.example"),
    )
    assert text_of(await read(ask(messages=messages))) == "We write to a@b.example."
    assert server.chats[1]["messages"][-1]["content"].endswith("[EMAIL_2]")
