"""Shortens a long conversation for a remote model: the newest part is kept word for word, and a few lines sum up the
rest. Pure.

These lines are sentences from the conversation, so no second model is needed, and the same conversation is always
shortened in the same way. The instructions are kept, and so is everything from the newest question onwards.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from supportbot.language.sentences import split_first_sentence
from supportbot.llm.tokens import estimated_tokens
from supportbot.llm.types import ChatMessage, ModelRequest

SUMMARY_SHARE: Final = 4  # the summary gets a quarter of the budget
GIST_CHARACTERS: Final = 240  # the maximum number of characters that remain of a message
SENTENCES_READ: Final = 40
# Limits for a request that was too long for its model: for the history, for each newer message, and for the answer.
SHORT_HISTORY_TOKENS: Final = 300
SHORT_MESSAGE_CHARACTERS: Final = 2_000
SHORT_ANSWER_TOKENS: Final = 400
_TITLE: Final = "Earlier in this conversation, shortened:"
_SPEAKERS: Final = {"user": "Customer", "assistant": "Assistant"}


def within_budget(request: ModelRequest, tokens: int) -> ModelRequest:
    """Return the request with a history of at most about `tokens` tokens; unchanged if it is already short enough."""
    first, newest = _bounds(request.messages)
    before = request.messages[first:newest]
    if sum(map(_cost, before)) <= tokens:
        return request
    kept = _newest_within(before, tokens - tokens // SUMMARY_SHARE)
    summary = _summary(before[: len(before) - len(kept)], tokens // SUMMARY_SHARE)
    return replace(request, messages=(*request.messages[:first], *summary, *kept, *request.messages[newest:]))


def shortest(request: ModelRequest) -> ModelRequest:
    """Return the shortest version of a request that can still be answered, for a model that found the request too
    long.
    """
    request = within_budget(request, SHORT_HISTORY_TOKENS)
    first, newest = _bounds(request.messages)
    lean = (
        (ChatMessage("system", request.lean_instructions),) if request.lean_instructions else request.messages[:first]
    )
    asked = tuple(
        replace(one, content=_cut(one.content, SHORT_MESSAGE_CHARACTERS)) for one in request.messages[newest:]
    )
    return replace(
        request,
        messages=(*lean, *request.messages[first:newest], *asked),
        max_output_tokens=min(request.max_output_tokens, SHORT_ANSWER_TOKENS),
    )


def _bounds(messages: Sequence[ChatMessage]) -> tuple[int, int]:
    """Return the indexes of the first message after the instructions, and of the newest question."""
    first = next((place for place, one in enumerate(messages) if one.role != "system"), len(messages))
    questions = [place for place, one in enumerate(messages) if one.role == "user"]
    return first, max(first, questions[-1] if questions else 0)


def _cost(message: ChatMessage) -> int:
    return estimated_tokens(message.content) + sum(estimated_tokens(call.arguments) for call in message.tool_calls)


def _newest_within(messages: Sequence[ChatMessage], tokens: int) -> Sequence[ChatMessage]:
    begins = len(messages)
    while begins and (tokens := tokens - _cost(messages[begins - 1])) >= 0:
        begins -= 1
    while begins < len(messages) and messages[begins].role == "tool":  # the call itself was cut off
        begins += 1
    return messages[begins:]


def _summary(messages: Sequence[ChatMessage], tokens: int) -> tuple[ChatMessage, ...]:
    """Return earlier messages as one message of about `tokens` tokens.

    It has the customer's role, so that the model treats it as data.
    """
    gists = {
        place: f"{_SPEAKERS[one.role]}: {_gist(one.content)}" for place, one in enumerate(messages) if _has_text(one)
    }
    chosen: set[int] = set()
    for place in _by_weight(messages, gists):
        tokens -= estimated_tokens(gists[place])
        if tokens < 0:
            break
        chosen.add(place)
    lines = [gists[place] for place in sorted(chosen)]
    return (ChatMessage("user", "\n".join((_TITLE, *lines))),) if lines else ()


def _has_text(message: ChatMessage) -> bool:
    return message.role in _SPEAKERS and bool(message.content.strip())


def _by_weight(messages: Sequence[ChatMessage], gists: dict[int, str]) -> Iterator[int]:
    """Yield the messages to keep, most important first: the customer's first message, their newest ones, the newest
    answers.
    """
    by_customer = [place for place in gists if messages[place].role == "user"]
    yield from by_customer[:1]
    yield from reversed(by_customer[1:])
    yield from reversed([place for place in gists if messages[place].role == "assistant"])


def _gist(text: str) -> str:
    """Return a short text unchanged.

    For a long text, return its first sentence and all sentences with digits, such as amounts.
    """
    text = " ".join(text.split())
    if len(text) <= GIST_CHARACTERS:
        return text
    first, *others = _sentences(text)
    telling = [first, *(one for one in others if any(char.isdigit() for char in one))]
    return _cut(" ".join(one.strip() for one in telling), GIST_CHARACTERS)


def _sentences(text: str) -> Iterator[str]:
    for _ in range(SENTENCES_READ):
        parts = split_first_sentence(text)
        if parts is None:
            break
        sentence, text = parts
        yield sentence
    yield text


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
