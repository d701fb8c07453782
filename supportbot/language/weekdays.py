"""Reads weekdays in a text, in all languages: in full, abbreviated ("Thu 8:00") or as a range ("Mo–Fr"). Pure."""

import re
from collections.abc import Set as AbstractSet
from itertools import product
from typing import Final

from supportbot.language.figure_words import figure_words, named
from supportbot.language.words import stop_words

_LEAST: Final = 6  # letters of a plural: "mons" is not a plural of "Mon"
# The contexts in which an abbreviation means a day, since many are also words: before a time or a date ("Thu 8:00",
# "mar. 06/05", "Sat 18 Oct"), in a range ("Mo–Fr", "seg. a sex."), or as a separate value ("| Sat |", '"day": "Thu"').
_BEFORE_A_TIME: Final = re.compile(
    r"[.,]?[\u00a0\u202f ]?\d{1,2}(?::\d\d|[ \u00a0]?h\b|h\d\d|[./]\d{1,2}\b|\.?[ \u00a0](?P<month>[^\W\d_]{3,}))"
)
# not for abbreviations that are English words, as in "So 2-3 weeks"
_BEFORE_HOURS: Final = re.compile(r"[.,]?[\u00a0\u202f ]?\d{1,2}[–-]\d{1,2}\b")
_TO: Final = r"\.?(?:\s?[–-]\s?|\s([^\W\d_]{1,3})\s)"
_RANGE_BEHIND: Final = re.compile(rf"{_TO}(?P<other>[^\W\d_]{{2,}})")
_RANGE_BEFORE: Final = re.compile(rf"(?<![^\W\d_])(?P<other>[^\W\d_]{{2,}}){_TO}$")
_VALUE_BEFORE: Final = re.compile(r"[\"'|(\[]\s*$")
_VALUE_BEHIND: Final = re.compile(r"\.?\s*[\"'|)\]]")
_SEEN_BEFORE: Final = 16  # characters read before a word
# The text between two days of a range: "Mon–Sat", "**Monday** to **Saturday**", "lundi au samedi", "lun.-ven."
_RANGE: Final = re.compile(r"(?:\.?[\s*_]{0,4}[–—-][\s*_]{0,4}|\.?[*_]{0,2}\s(?P<to>[^\W\d_]{1,3})\s[*_]{0,2})")


def named_weekdays(word: str) -> AbstractSet[int]:
    """Return the weekday (0 is Monday) named by a word in its language's capitalisation; empty for other words."""
    day = named(figure_words().weekdays, word, in_any_case=False)
    return frozenset() if day is None else {day}


def spelt_weekdays(text: str, start: int, end: int) -> AbstractSet[int]:
    """Return the days that the word `text[start:end]` may mean in any spelling: "on wednesdays", "mittwochs",
    "Mon-Fri", or an abbreviation in a suitable context.
    """
    word = text[start:end]
    for form in (word, word.removesuffix("s") if len(word) >= _LEAST else word):
        if (day := named(figure_words().weekdays, form, in_any_case=True)) is not None:
            return {day}
    first, _, last = word.partition("-")
    if last:
        ends = product(_weekdays(first), _weekdays(last))
        return {day for begin, until in ends for day in (begin, *days_between(begin, until), until)}
    days = _weekdays(first)
    return days if days and _stands_for_a_day(text, start, end) else frozenset()


def _stands_for_a_day(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - _SEEN_BEFORE) : start]
    if _VALUE_BEFORE.search(before) and _VALUE_BEHIND.match(text, end):
        return True
    if (time := _BEFORE_A_TIME.match(text, end)) and (not time["month"] or _is_month(time["month"])):
        return True
    if _BEFORE_HOURS.match(text, end) and text[start:end].casefold() not in stop_words("en"):
        return True
    others = (_RANGE_BEHIND.match(text, end), _RANGE_BEFORE.search(before))
    return any(other is not None and not _joins(other[1]) and _weekdays(other["other"]) for other in others)


def _is_month(word: str) -> bool:
    return named(figure_words().months, word, in_any_case=True) is not None


def _joins(word: str | None) -> bool:
    # "a" means "to" in more languages than it means "and"
    return word is not None and word.casefold() in figure_words().joining - {"a"}


def _weekdays(word: str) -> AbstractSet[int]:
    """Return the days that a name or an abbreviation may mean; an abbreviation must have its language's case or
    capitals.
    """
    day = named(figure_words().weekdays, word, in_any_case=True)
    if day is not None:
        return {day}
    known = figure_words().short_weekdays
    return known.get(word) or known.get(word.lower() if word[1:].islower() else word.capitalize(), frozenset())


def is_range(between: str) -> bool:
    """Return whether the text between two days makes them a range and not a list ("Monday and Friday")."""
    found = _RANGE.fullmatch(between)
    return found is not None and not _joins(found["to"])


def days_between(first: int, last: int) -> list[int]:
    """Return the days after the first and before the last day."""
    return [day % 7 for day in range(first + 1, first + (last - first) % 7)]
