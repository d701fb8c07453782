"""What was said before: follow-ups made whole, several questions parted, and a summary for whoever takes over. Pure.

Which words join, point back or ask is data (`cues`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import Final

from supportbot.builtin.cues import cues, listed, silent_words
from supportbot.builtin.intents import courtesy
from supportbot.builtin.phrases import say
from supportbot.language.detection import detect
from supportbot.language.words import words
from supportbot.llm.types import ChatMessage

# How many meaningful words a question may have and still lean on what was said before: bare, after "and", with "it".
BARE_WORDS_MOST: Final = 1
ELLIPTIC_WORDS_MOST: Final = 2
CONNECTED_WORDS_MOST: Final = 3
POINTING_WORDS_MOST: Final = 4
POINTING_PLACES: Final = 4  # "it" further back stands for something in the question itself
QUESTIONS_MOST: Final = 3
QUOTE_MOST: Final = 300


def standalone(question: str, messages: Sequence[ChatMessage]) -> str:
    """Return the question with the words it leans on: one that leans gets the customer's previous question in front."""
    earlier = [text for text in _said_by_customer(messages) if text.strip() != question.strip()]
    if not earlier or not _leans(question) or courtesy(question):
        return question
    return reduce(_carried_on, [*(text[:QUOTE_MOST] for text in _topic(earlier)), question])


@dataclass(frozen=True, slots=True)
class Part:
    """One question of a message that asks several, as it was said and as it is searched for."""

    said: str
    sought: str


def questions_in(text: str) -> tuple[Part, ...]:
    """Return the questions of a message that asks several, if the first can be meant alone; else the message as it is.

    What leans on the first ("and is it in stock?") is searched for with it.
    """
    parts = [part.strip() for part in _next_question().split(text)]
    telling = [part for part in parts if (_own(part) or _begins_asking(part)) and not courtesy(part)]
    first, *others = telling or [text]
    if not 1 <= len(others) < QUESTIONS_MOST or _leans_on_another(first):
        return (Part(text, text),)
    sought = (_carried_on(first, part) if _leans_on_another(part) else part for part in others)
    return Part(first, first), *map(Part, others, sought)


def _leans_on_another(question: str) -> bool:
    return is_incomplete(question) or _points_back(question)


def is_incomplete(question: str) -> bool:
    """Return whether a question cannot be meant alone: what it is about was said before, and must be searched for."""
    own = len(_own(question))
    if own <= BARE_WORDS_MOST and _points_back(question):
        return True
    if own and not listed("clause").isdisjoint(words(question)):
        return False
    if _joining().match(question):
        return own <= CONNECTED_WORDS_MOST
    return own == 0 or (own <= BARE_WORDS_MOST and _is_elliptic(question))


def asks(text: str) -> bool:
    """Return whether a text has the form of a question: a part of a message may also tell what happened."""
    return "?" in text or _begins_asking(text)


def _begins_asking(text: str) -> bool:
    return not listed("asking").isdisjoint(words(text)[:1])


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


def _leans(question: str) -> bool:
    own = len(_own(question))
    if _joining().match(question):
        return own <= CONNECTED_WORDS_MOST
    if own <= ELLIPTIC_WORDS_MOST and _is_elliptic(question):
        return True
    points = not (listed("pointing") | listed("pointing_at_end")).isdisjoint(words(question)[:POINTING_PLACES])
    return own <= (POINTING_WORDS_MOST if points else BARE_WORDS_MOST)


def _points_back(question: str) -> bool:
    said = words(question)
    return not listed("pointing").isdisjoint(said) or bool(said and said[-1] in listed("pointing_at_end"))


def _is_elliptic(question: str) -> bool:
    """Return whether a question begins as one does that has left out what it is about: "at what temperature?"."""
    said = words(_joining().sub("", question, count=1))
    return bool(said and said[0] in listed("asking") | listed("lone"))


def _own(question: str) -> set[str]:
    """Return the words that tell what a question is about."""
    return {word for word in words(question) if len(word) > 1 and word not in silent_words()}


def _carried_on(text: str, follow_up: str) -> str:
    """Return both in one; what the follow-up puts in another's place goes: "to Austria" before "And to Italy?"."""
    for kinds in cues().values():
        named = re.match(
            rf"\W*(?:{_either(kinds['joining'])})\s+({_either(kinds['places'])})\b", follow_up, re.IGNORECASE
        )
        if named is not None:
            asked = named[1].lower()
            same = kinds["destinations"] if asked in kinds["destinations"] else (asked,)
            articles = _either(kinds["articles"])
            gone = rf"(?i:\s+(?:{_either(same)})\s+(?:(?:{articles})\s*)?\w+)(?:\s+[A-ZÀ-ÖØ-Þ]\w*)*"
            # The last one: "to send a parcel to Austria" is still about sending.
            for last in list(re.finditer(gone, text))[-1:]:
                text = text[: last.start()] + text[last.end() :]
            break
    return f"{text} {follow_up}"


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


@cache
def _joining() -> re.Pattern[str]:
    """How a follow-up begins: "And ...", "What about ..."."""
    return re.compile(rf"\W*(?:(?:{_either(sorted(listed('joining')))})\b[\s,]*)+", re.IGNORECASE)


@cache
def _next_question() -> re.Pattern[str]:
    return re.compile("|".join([r"(?<=\?)\s+", r"\n+", *_and_asks()]), re.IGNORECASE)


def _and_asks() -> Iterator[str]:
    for kinds in cues().values():
        yield rf",?(?<!\s)\s+{re.escape(kinds['joining'][0])}\s+(?=(?:{_either(kinds['asking'])})\b)"


def _either(listed: Sequence[str]) -> str:
    return "|".join(map(re.escape, sorted(listed, key=len, reverse=True)))
