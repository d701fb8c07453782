"""Makes follow-ups self-contained, and splits messages into questions. Pure, apart from `intents`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from supportbot.builtin.intents import courtesy, says_nothing, wants_person
from supportbot.language.follow_ups import (
    begins_like_question,
    content_words,
    has_back_reference,
    is_incomplete,
    join_follow_up,
    may_be_follow_up,
    split_at_questions,
)
from supportbot.llm.types import ChatMessage

MAX_QUESTIONS: Final = 3
MAX_LOOKED_AT: Final = 8  # parts of a message; courtesies count, too, because recognising them takes a vector
MAX_QUOTE: Final = 300


def standalone(question: str, messages: Sequence[ChatMessage]) -> str:
    """Return a question that can be understood alone: a follow-up is joined with the customer's previous question."""
    if not may_be_follow_up(question) or says_nothing(question):
        return question
    earlier = [text for text in said_by_customer(messages) if text.strip() != question.strip()]
    if not earlier:
        return question
    topics = [text for text in earlier if not wants_person(text)] or earlier
    return reduce(join_follow_up, [*(text[:MAX_QUOTE] for text in _topic(topics)), question])


@dataclass(frozen=True, slots=True)
class Part:
    """A question in a message: the original text, and the search query."""

    said: str
    sought: str


def questions_in(text: str) -> tuple[Part, ...]:
    """Return the questions of a message if there are several and the first one makes sense alone; otherwise, return the
    whole message as one question.

    A question that depends on the first one ("and is it in stock?") is searched for together with it.
    """
    parts = [part.strip() for part in split_at_questions(text)]
    telling = [part for part in parts if content_words(part) or begins_like_question(part)]
    if len(telling) > MAX_LOOKED_AT:
        return (Part(text, text),)
    first, *others = [part for part in telling if not courtesy(part)] or [text]
    if not 1 <= len(others) < MAX_QUESTIONS or _leans(first):
        return (Part(text, text),)
    sought = (join_follow_up(first, part) if _leans(part) else part for part in others)
    return Part(first, first), *map(Part, others, sought)


def _leans(question: str) -> bool:
    return is_incomplete(question) or has_back_reference(question)


def _topic(earlier: Sequence[str]) -> Sequence[str]:
    """Return the last question; if it is a follow-up, return the question before it, too."""
    last = earlier[-1]
    if len(earlier) == 1 or not is_incomplete(last):
        return [last]
    whole = next((text for text in reversed(earlier[:-1]) if not is_incomplete(text)), None)
    return [whole, last] if whole is not None else [last]


def said_by_customer(messages: Sequence[ChatMessage]) -> list[str]:
    return [
        message.content
        for message in messages
        if message.role == "user" and message.content.strip() and not says_nothing(message.content)
    ]
