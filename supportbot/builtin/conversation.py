"""What was said before: follow-ups made whole, several questions parted, and a summary for whoever takes over. Pure but
for `intents`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from supportbot.builtin.intents import courtesy
from supportbot.builtin.phrases import say
from supportbot.language.detection import detect
from supportbot.language.followups import (
    begins_asking,
    carried_on,
    is_incomplete,
    may_lean,
    own_words,
    parted,
    points_back,
)
from supportbot.llm.types import ChatMessage

QUESTIONS_MOST: Final = 3
QUOTE_MOST: Final = 300


def standalone(question: str, messages: Sequence[ChatMessage]) -> str:
    """Return the question with the words it leans on: one that leans gets the customer's previous question in front."""
    earlier = [text for text in _said_by_customer(messages) if text.strip() != question.strip()]
    if not earlier or not may_lean(question) or courtesy(question):
        return question
    return reduce(carried_on, [*(text[:QUOTE_MOST] for text in _topic(earlier)), question])


@dataclass(frozen=True, slots=True)
class Part:
    """One question of a message that asks several, as it was said and as it is searched for."""

    said: str
    sought: str


def questions_in(text: str) -> tuple[Part, ...]:
    """Return the questions of a message that asks several, if the first can be meant alone; else the message as it is.

    What leans on the first ("and is it in stock?") is searched for with it.
    """
    parts = [part.strip() for part in parted(text)]
    telling = [part for part in parts if (own_words(part) or begins_asking(part)) and not courtesy(part)]
    first, *others = telling or [text]
    if not 1 <= len(others) < QUESTIONS_MOST or _leans(first):
        return (Part(text, text),)
    sought = (carried_on(first, part) if _leans(part) else part for part in others)
    return Part(first, first), *map(Part, others, sought)


def _leans(question: str) -> bool:
    return is_incomplete(question) or points_back(question)


def summary(messages: Sequence[ChatMessage], locale: str) -> str:
    """Return two or three lines for whoever takes over: what the customer came for, said last, and was answered."""
    said = _said_by_customer(messages)
    language = detect(" ".join(said), locale)
    if not said:
        return say("nothing_said", language)
    lines = [f"{say('wants', language)}: {_quote(said[0])}"]
    if len(said) > 1:
        lines.append(f"{say('last_said', language)}: {_quote(said[-1])}")
    answers = [message.content for message in messages if message.role == "assistant" and message.content.strip()]
    if answers:
        lines.append(f"{say('answered', language)}: {_quote(answers[-1])}")
    return "\n".join(lines)


def _topic(earlier: Sequence[str]) -> Sequence[str]:
    """Return the last question; where it leans itself, with the one that it leans on."""
    last = earlier[-1]
    if len(earlier) == 1 or not is_incomplete(last):
        return [last]
    whole = next((text for text in reversed(earlier[:-1]) if not is_incomplete(text)), None)
    return [whole, last] if whole is not None else [last]


def _said_by_customer(messages: Sequence[ChatMessage]) -> list[str]:
    return [
        message.content
        for message in messages
        if message.role == "user" and message.content.strip() and not courtesy(message.content)
    ]


def _quote(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= QUOTE_MOST else text[: QUOTE_MOST - 1].rsplit(" ", 1)[0] + "…"
