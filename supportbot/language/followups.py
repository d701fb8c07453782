"""Whether a question leans on what was said before it, and how the two are put together. Pure.

The words that tell it are data, by language and kind (`data/cues.*.json`): `joining` begins a follow-up, `pointing`
stands for what was named before (`pointing_at_end` only as the last word), `asking` and `lone` begin a question that
may have left out what it is about, `places` put one thing in another's place (`destinations` in each other's), `clause`
shows a whole sentence: where its subject is left out, by the verb. `vague` names any thing at all.
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from supportbot.language.words import stem, stop_words, words

_DATA: Final = files("supportbot.language") / "data"
# How many meaningful words a question may have and still lean on what was said before: without a sign of it, with one.
BARE_WORDS_MOST: Final = 1
LEANING_WORDS_MOST: Final = 3


def is_incomplete(question: str) -> bool:
    """Return whether a question cannot be meant alone: what it is about was said before, and must be searched for."""
    own = len(own_words(question))
    if own and not _listed("clause").isdisjoint(words(question)):  # a whole sentence leans by what points back alone
        return own <= BARE_WORDS_MOST and points_back(question)
    most = LEANING_WORDS_MOST if _joining().match(question) else BARE_WORDS_MOST
    return not own or (own <= most and _shows_that_it_leans(question))


def may_lean(question: str) -> bool:
    """Return whether a question may be about what was said before: it is worth a second search together with that."""
    most = LEANING_WORDS_MOST if _shows_that_it_leans(question) else BARE_WORDS_MOST
    return len(own_words(question)) <= most


def is_short(question: str) -> bool:
    """Return whether a question names so little, or points back, that what was said before may be meant with it."""
    return points_back(question) or len(own_words(question)) <= LEANING_WORDS_MOST


def points_back(question: str) -> bool:
    """Return whether a word stands for something that was named before."""
    said = words(question)
    return not _listed("pointing").isdisjoint(said) or bool(said and said[-1] in _listed("pointing_at_end"))


def _shows_that_it_leans(question: str) -> bool:
    """Return whether a question joins on, points back or begins as if it had left out what it is about."""
    begins_bare = not (_listed("asking") | _listed("lone")).isdisjoint(words(question)[:1])
    return begins_bare or points_back(question) or _joining().match(question) is not None


def asks(text: str) -> bool:
    """Return whether a text has the form of a question: a part of a message may also tell what happened."""
    return "?" in text or begins_asking(text)


def begins_asking(text: str) -> bool:
    return not _listed("asking").isdisjoint(words(text)[:1])


def own_words(question: str) -> set[str]:
    """Return the words that tell what a question is about."""
    return {word for word in words(question) if len(word) > 1 and word not in _silent_words()}


@cache
def vague_stems(language: str) -> frozenset[str]:
    """Return the stems of the words that name any thing at all, in one language: things, items."""
    return frozenset(stem(word, language) for word in _cues().get(language, {}).get("vague", ()))


def carried_on(text: str, follow_up: str) -> str:
    """Return both in one; what the follow-up puts in another's place goes: "to Austria" before "And to Italy?"."""
    for kinds in _cues().values():
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
    return re.compile(rf"\W*(?:{_either(_listed('joining'))})\b", re.IGNORECASE)


def parted(text: str) -> list[str]:
    """Return a text parted where another question may begin."""
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
    """Return the words of a kind in all languages: a follow-up is too short to tell its own."""
    return frozenset(word for kinds in _cues().values() for word in kinds[kind])


@cache
def _silent_words() -> frozenset[str]:
    """Return the words that never tell what a question is about."""
    told = (kinds[kind] for kinds in _cues().values() for kind in kinds if kind != "vague")
    return frozenset(word for listed in told for entry in listed for word in words(entry)).union(
        *map(stop_words, _cues())
    )
