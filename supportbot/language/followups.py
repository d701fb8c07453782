"""Whether a question leans on what was said before it, and how the two are put together. Pure.

Which words join, point back or ask is data (`cues`).
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from supportbot.language.cues import cues, listed, silent_words
from supportbot.language.words import words

# How many meaningful words a question may have and still lean on what was said before: bare, after "and", with "it".
BARE_WORDS_MOST: Final = 1
ELLIPTIC_WORDS_MOST: Final = 2
CONNECTED_WORDS_MOST: Final = 3
POINTING_WORDS_MOST: Final = 4
POINTING_PLACES: Final = 4  # "it" further back stands for something in the question itself


def leans_on_another(question: str) -> bool:
    return is_incomplete(question) or _points_back(question)


def is_incomplete(question: str) -> bool:
    """Return whether a question cannot be meant alone: what it is about was said before, and must be searched for."""
    own = len(own_words(question))
    if own <= BARE_WORDS_MOST and _points_back(question):
        return True
    if own and not listed("clause").isdisjoint(words(question)):
        return False
    if _joining().match(question):
        return own <= CONNECTED_WORDS_MOST
    return own == 0 or (own <= BARE_WORDS_MOST and _is_elliptic(question))


def asks(text: str) -> bool:
    """Return whether a text has the form of a question: a part of a message may also tell what happened."""
    return "?" in text or begins_asking(text)


def begins_asking(text: str) -> bool:
    return not listed("asking").isdisjoint(words(text)[:1])


def may_lean(question: str) -> bool:
    own = len(own_words(question))
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


def own_words(question: str) -> set[str]:
    """Return the words that tell what a question is about."""
    return {word for word in words(question) if len(word) > 1 and word not in silent_words()}


def carried_on(text: str, follow_up: str) -> str:
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


@cache
def _joining() -> re.Pattern[str]:
    """How a follow-up begins: "And ...", "What about ..."."""
    return re.compile(rf"\W*(?:(?:{_either(sorted(listed('joining')))})\b[\s,]*)+", re.IGNORECASE)


def parted(text: str) -> list[str]:
    """Return a text parted where another question may begin."""
    return _next_question().split(text)


@cache
def _next_question() -> re.Pattern[str]:
    return re.compile("|".join([r"(?<=\?)\s+", r"\n+", *_and_asks()]), re.IGNORECASE)


def _and_asks() -> Iterator[str]:
    for kinds in cues().values():
        yield rf",?(?<!\s)\s+{re.escape(kinds['joining'][0])}\s+(?=(?:{_either(kinds['asking'])})\b)"


def _either(listed: Sequence[str]) -> str:
    return "|".join(map(re.escape, sorted(listed, key=len, reverse=True)))
