"""Detects whether a question depends on the question before it, and combines both. Pure.

The words that indicate this are data, by language and kind (`data/cues.*.json`). `joining` words begin a follow-up.
`pointing` words refer to something named earlier (`pointing_at_end` only as the last word). `asking` and `lone` words
begin a question that may lack its subject. `places` are prepositions with which a follow-up replaces one thing with
another (`destinations` replace each other). A `clause` word shows that a sentence is complete (in languages that drop
the subject, it is the verb). `vague` words can refer to anything.
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from supportbot.language.words import stem, stop_words, words

_DATA: Final = files("supportbot.language") / "data"
# The maximum number of content words in a follow-up: without and with a word that indicates one.
MAX_BARE_WORDS: Final = 1
MAX_FOLLOW_UP_WORDS: Final = 3
_CLAUSE: Final = re.compile(r"[,.;:!–—…]+\s+|\s+-\s+|\n+")


def is_incomplete(question: str) -> bool:
    """Return whether a question makes no sense on its own, so that its topic must be taken from earlier messages."""
    own = len(content_words(question))
    if own and not _listed("clause").isdisjoint(words(question)):  # a complete sentence counts only if it refers back
        return own <= MAX_BARE_WORDS and has_back_reference(question)
    most = MAX_FOLLOW_UP_WORDS if _joining().match(question) else MAX_BARE_WORDS
    return not own or (own <= most and _looks_like_follow_up(question))


def may_be_follow_up(question: str) -> bool:
    """Return whether a question may be a follow-up, so that a second search with the earlier question is worthwhile."""
    most = MAX_FOLLOW_UP_WORDS if _looks_like_follow_up(question) else MAX_BARE_WORDS
    return len(content_words(question)) <= most


def is_short(question: str) -> bool:
    """Return whether a question is short or refers back, so that it may depend on the earlier question."""
    return has_back_reference(question) or len(content_words(question)) <= MAX_FOLLOW_UP_WORDS


def has_back_reference(question: str) -> bool:
    """Return whether a word refers to something named earlier."""
    tokens = words(question)
    return not _listed("pointing").isdisjoint(tokens) or bool(tokens and tokens[-1] in _listed("pointing_at_end"))


def _looks_like_follow_up(question: str) -> bool:
    """Return whether a question begins like a follow-up, refers back, or seems to leave out its subject."""
    begins_bare = not (_listed("asking") | _listed("lone")).isdisjoint(words(question)[:1])
    return begins_bare or has_back_reference(question) or _joining().match(question) is not None


def is_question(text: str) -> bool:
    """Return whether the text has the form of a question."""
    return "?" in text or begins_like_question(text)


def asks_something(text: str) -> bool:
    """Return whether any part of the text has the form of a question."""
    return "?" in text or any(map(begins_like_question, _CLAUSE.split(text)))


def begins_like_question(text: str) -> bool:
    return not _listed("asking").isdisjoint(words(text)[:1])


def content_words(question: str) -> set[str]:
    """Return the content words of a question, which carry its topic."""
    return {word for word in words(question) if len(word) > 1 and word not in _function_words()}


@cache
def vague_stems(language: str) -> frozenset[str]:
    """Return the stems of a language's words that can refer to anything, such as "things" or "items"."""
    return frozenset(stem(word, language) for word in _cues().get(language, {}).get("vague", ()))


def join_follow_up(text: str, follow_up: str) -> str:
    """Return a question and its follow-up as one text, without the part that the follow-up replaces, such as "to
    Austria" before "And to Italy?".
    """
    for kinds in _cues().values():
        named = re.match(
            rf"\W*(?:{_either(kinds['joining'])})\s+({_either(kinds['places'])})\b", follow_up, re.IGNORECASE
        )
        if named is not None:
            asked = named[1].lower()
            same = kinds["destinations"] if asked in kinds["destinations"] else (asked,)
            articles = _either(kinds["articles"])
            replaced = rf"(?i:\s+(?:{_either(same)})\s+(?:(?:{articles})\s*)?\w+)(?:\s+[A-ZÀ-ÖØ-Þ]\w*)*"
            # Replace only the last one: "to send a parcel to Austria" is still about sending.
            for last in list(re.finditer(replaced, text))[-1:]:
                text = text[: last.start()] + text[last.end() :]
            break
    return f"{text} {follow_up}"


@cache
def _joining() -> re.Pattern[str]:
    """Return the pattern for the beginning of a follow-up: "And ...", "What about ..."."""
    return re.compile(rf"\W*(?:{_either(_listed('joining'))})\b", re.IGNORECASE)


def split_at_questions(text: str) -> list[str]:
    """Return the text, split wherever another question may begin."""
    return _next_question().split(text)


@cache
def _next_question() -> re.Pattern[str]:
    return re.compile("|".join([r"(?<=\?)\s+", r"\n+", *_and_asks()]), re.IGNORECASE)


def _and_asks() -> Iterator[str]:
    for kinds in _cues().values():
        yield rf",?(?<!\s)\s+{re.escape(kinds['joining'][0])}\s+(?=(?:{_either(kinds['asking'])})\b)"


def _either(entries: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(entries, key=len, reverse=True)))


@cache
def _cues() -> dict[str, dict[str, list[str]]]:
    """Return the words by language and kind."""
    return {
        entry.name.split(".")[1]: json.loads(entry.read_text(encoding="utf-8"))
        for entry in _DATA.iterdir()
        if entry.name.startswith("cues.")
    }


@cache
def _listed(kind: str) -> frozenset[str]:
    """Return the words of a kind in all languages, because a follow-up is too short to detect its language."""
    return frozenset(word for kinds in _cues().values() for word in kinds[kind])


@cache
def _function_words() -> frozenset[str]:
    """Return the words, in all languages, that never indicate the topic of a question."""
    listed_words = (kinds[kind] for kinds in _cues().values() for kind in kinds if kind != "vague")
    return frozenset(word for listed in listed_words for entry in listed for word in words(entry)).union(
        *map(stop_words, _cues())
    )
