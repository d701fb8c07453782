"""The small words that change a sentence's meaning: not, only, unless, before, at least, free, we. Pure.

Texts with the same nouns can say opposite things because of such words. The words are data
(`data/operators.<language>.json`), with the same categories in every language, so texts in different languages can be
compared by category.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from typing import Final

from supportbot.language.words import words

_DATA: Final = Path(__file__).parent / "data"
_SIGN: Final = "*"  # "kein*" is a prefix, "*sız" a suffix
_GAP: Final = "…"  # "ne … que"
_LONGEST_GAP: Final = 4  # maximum number of words in the gap
_MIN_OF_ENDING: Final = 2  # minimum number of letters before a suffix
# Languages that write suffixes after an apostrophe. There, they look like words: "KKTC'de" does not contain "de"
# ("too").
_JOINED: Final = frozenset({"tr"})
_APOSTROPHES: Final = re.compile("['’](?=\\w)")


@dataclass(frozen=True)
class _Listed:
    """The operators of a language."""

    exact: dict[str, frozenset[str]]
    beginnings: tuple[tuple[str, str], ...]  # (beginning, category)
    endings: tuple[tuple[str, str], ...]
    middles: tuple[tuple[str, str], ...]  # a suffix that may itself be inflected
    phrases: dict[str, tuple[tuple[tuple[str, ...], str], ...]]  # first word -> (the words, category), longest first


@cache
def languages_with_operators() -> frozenset[str]:
    """Return the languages whose operators are known."""
    return frozenset(entry.name.split(".")[1] for entry in _DATA.glob("operators.*.json"))


@cache
def categories() -> tuple[str, ...]:
    """Return the names of all categories, in alphabetical order."""
    return tuple(sorted({name for language in languages_with_operators() for name in _read(language)}))


def operators(text: str, language: str) -> dict[str, int]:
    """Return the number of operators in `text` by category; {} for a language without a list.

    A phrase counts as one operator, whatever its individual words mean: "no later than" is not a negation.
    """
    tokens = words(_APOSTROPHES.sub("", text) if language in _JOINED else text)
    found: dict[str, int] = {}
    if language not in languages_with_operators():
        return found
    phrases = _listed(language).phrases
    taken: set[int] = set()
    for at, word in enumerate(tokens):
        for phrase, category in phrases.get(word, ()):
            if at not in taken and (places := _places(phrase, tokens, at)):
                taken.update(places)
                found[category] = found.get(category, 0) + 1
                break
    for at, word in enumerate(tokens):
        if at not in taken:
            for category in _categories_of(word, language):
                found[category] = found.get(category, 0) + 1
    return found


def _places(phrase: tuple[str, ...], tokens: Sequence[str], start: int) -> list[int]:
    """Return the positions of a phrase's words if it begins at `start`; otherwise, []."""
    at, places, reach = start, [], 1
    for part in phrase:
        if part == _GAP:
            reach = _LONGEST_GAP + 1
            continue
        found = next((one for one in range(at, min(at + reach, len(tokens))) if _is_like(part, tokens[one])), None)
        if found is None:
            return []
        places.append(found)
        at, reach = found + 1, 1
    return places


def _is_like(part: str, word: str) -> bool:
    return word.startswith(part[:-1]) if part.endswith(_SIGN) else word == part


@lru_cache(maxsize=20_000)
def _categories_of(word: str, language: str) -> frozenset[str]:
    listed = _listed(language)
    return (
        listed.exact.get(word, frozenset())
        | {category for beginning, category in listed.beginnings if word.startswith(beginning)}
        | {category for ending, category in listed.endings if word.endswith(ending) and _is_before(ending, word)}
        | {category for middle, category in listed.middles if word.find(middle) >= _MIN_OF_ENDING}
    )


def _is_before(ending: str, word: str) -> bool:
    return len(word) >= len(ending) + _MIN_OF_ENDING


@cache
def _listed(language: str) -> _Listed:
    exact: dict[str, set[str]] = {}
    beginnings, endings, middles = [], [], []
    phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for category, entries in _read(language).items():
        for parts in (one for entry in entries for one in _spellings(entry)):
            first = parts[0]
            if len(parts) > 1:
                phrases.setdefault(first, []).append((parts, category))
            elif first.startswith(_SIGN) and first.endswith(_SIGN):
                middles.append((first.strip(_SIGN), category))
            elif first.startswith(_SIGN):
                endings.append((first[1:], category))
            elif first.endswith(_SIGN):
                beginnings.append((first[:-1], category))
            else:
                exact.setdefault(first, set()).add(category)
    return _Listed(
        {word: frozenset(named) for word, named in exact.items()},
        tuple(beginnings),
        tuple(endings),
        tuple(middles),
        {first: tuple(sorted(listed, key=lambda one: -len(one[0]))) for first, listed in phrases.items()},
    )


def _spellings(entry: str) -> list[tuple[str, ...]]:
    """Return the words of an entry, split as by `words`, for each combination of alternatives: "ne|n … pas|plus" gives
    four.
    """
    parts = [part.split("|") for part in re.split(r"[\s']+", entry.casefold()) if part]
    return list(product(*parts))


@cache
def _read(language: str) -> dict[str, list[str]]:
    read: dict[str, list[str]] = json.loads((_DATA / f"operators.{language}.json").read_text(encoding="utf-8"))
    return read
