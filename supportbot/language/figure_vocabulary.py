"""The words and signs that turn a number into a figure, in all languages: units, money, months, weekdays, numbers.
Pure.

Weekdays are read in full, abbreviated ("Thu 8:00") or as a range ("Mo–Fr"). The words come from CLDR
(`data/figures.json`, made by `scripts/make_figure_words.py`).
"""

import json
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from typing import Final

from supportbot.language.normalise import fold_homoglyphs
from supportbot.language.words import stop_words

_DATA: Final = Path(__file__).parent / "data" / "figures.json"
_LEAST_STEM: Final = 3  # letters that the word for a unit must have without its ending
_JOINING: Final = ("de", "nl", "da", "sv", "nb", "fi", "hu")  # languages in which "working days" is one word
_MOST_ENDING: Final = 2
_LONGEST: Final = 40  # letters; the time for longer words would be quadratic
_LEAST_PLURAL: Final = 6  # minimum number of letters of a plural: "mons" is not the plural of "Mon"
# Many abbreviations of days are also words, so they count only in these contexts: before a time or a date ("Thu 8:00",
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
# The text between the days of a range: "Mon–Sat", "**Monday** to **Saturday**", "lundi au samedi", "lun.-ven."
_RANGE: Final = re.compile(r"(?:\.?[\s*_]{0,4}[–—-][\s*_]{0,4}|\.?[*_]{0,2}\s(?P<to>[^\W\d_]{1,3})\s[*_]{0,2})")


@dataclass(frozen=True)
class FigureWords:
    units: dict[str, frozenset[str]]
    money: dict[str, frozenset[str]]
    months: dict[str, int]
    weekdays: dict[str, int]
    short_weekdays: dict[str, frozenset[int]]  # "ma" is a day in several languages
    joining: set[str]  # "and", "or"
    periods: dict[str, int]  # hours to add to 12-hour time
    numbers: dict[str, int]
    number_languages: dict[str, frozenset[str]]
    last_parts: dict[str, frozenset[str]]  # units at the end of compounds
    languages: dict[str, frozenset[str]]  # languages in which a form stands for a unit
    endings: set[str]  # endings that turn one form into another: "jahr", "jahre"


@lru_cache(maxsize=4_096)
def units_of(word: str, language: str = "") -> frozenset[str]:
    """Return the units that a word or sign may stand for in any language, even if it is inflected or at the end of a
    compound.

    If the text's language is known, only words of that language may be inflected or part of a compound: "fits" is not
    the Turkish "fit" (foot), and "Germany" does not contain the Swedish "mån" (month).
    """
    word = word.rstrip(".")
    known = figure_words().units
    if found := known.get(word) or figure_words().money.get(word):
        return found
    if len(word) > _LONGEST:
        return frozenset()
    if not word.isalpha():
        return units_of(word.partition("-")[0], language) if "-" in word else frozenset()
    for cut in range(1, _MOST_ENDING + 1):
        base = word[:-cut]
        if (
            len(base) >= _LEAST_STEM
            and _is_of(language, base)
            and (found := known.get(base) or figure_words().money.get(base))
        ):
            return found
    if language and language not in _JOINING:
        return frozenset()
    for first in range(2, len(word) - _LEAST_STEM + 1):
        for part in (word[first:], word[first:-1]) if word[-1] in figure_words().endings else (word[first:],):
            if _is_of(language, part) and (found := figure_words().last_parts.get(part)):
                return found
    return frozenset()


def _is_of(language: str, form: str) -> bool:
    """Return whether a form stands for a unit in this language, or in any language if `language` is ""."""
    return not language or language in figure_words().languages.get(form, ())


def is_unit_in(language: str, word: str) -> bool:
    """Return whether a word stands for a unit or for money in this language."""
    known = figure_words().languages.get(word.lower())
    return language in known if known is not None else bool(units_of(word.lower(), language))


def named(names: dict[str, int], word: str, *, in_any_case: bool) -> int | None:
    """Return the number of the month or weekday that a word names; None if it names none. The word must be capitalised
    as its language requires, because "may" is an English verb. If `in_any_case` is true, capitals are optional, because
    customers often leave them out.
    """
    number = names.get(word)
    if number is None:
        number = names.get(word.lower())
    return names.get(word.capitalize()) if number is None and in_any_case else number


@cache
def figure_words() -> FigureWords:
    """Return the words of all languages, converted by `fold_homoglyphs` like the texts that are read."""
    data = json.loads(_DATA.read_text())
    words = FigureWords({}, {}, {}, {}, {}, set(), {}, {}, {}, {}, {}, set())
    for name, language in data.items():
        if name in _JOINING:
            for unit, forms in language["units"].items():
                words.last_parts.update(
                    {fold_homoglyphs(form): frozenset({unit}) for form in forms if len(form) >= _LEAST_STEM}
                )
        for table, target in ((language["units"], words.units), (language["money"], words.money)):
            for unit, forms in table.items():
                for form in map(fold_homoglyphs, forms):
                    target[form] = target.get(form, frozenset()) | {unit}
                    words.languages[form] = words.languages.get(form, frozenset()) | {name.partition("_")[0]}
        for table, numbered in ((language["months"], words.months), (language["weekdays"], words.weekdays)):
            for number, names in table.items():
                for form in map(fold_homoglyphs, names):
                    numbered.setdefault(form, int(number))
        for number, names in language["short_weekdays"].items():
            for form in map(fold_homoglyphs, names):
                words.short_weekdays[form] = words.short_weekdays.get(form, frozenset()) | {int(number)}
        words.joining.update(map(fold_homoglyphs, language["joining"]))
        for period, hours in (("am", 0), ("pm", 12)):
            for form in language["periods"][period]:
                if len(bare := form.replace(".", "")) == 2:
                    words.periods.setdefault(bare, hours)
        for form, value in language["numbers"].items():
            number = fold_homoglyphs(form)
            words.numbers.setdefault(number, value)
            spoken = words.number_languages.get(number, frozenset())
            words.number_languages[number] = spoken | {name.partition("_")[0]}
    words.endings.update(form[-1] for form in words.last_parts if form[:-1] in words.last_parts)
    return words


@lru_cache(maxsize=16_384)  # few words can be figures, and most recur on many pages
def may_be_figure(word: str) -> bool:
    """Return whether a word may stand for a number or a weekday in any context."""
    return word.casefold() in figure_words().numbers or bool(_possible_weekdays(word)[0])


def named_weekdays(word: str) -> AbstractSet[int]:
    """Return the weekdays (0 is Monday) that a word names if it is capitalised as its language requires; empty for
    other words.
    """
    day = named(figure_words().weekdays, word, in_any_case=False)
    return frozenset() if day is None else {day}


def spelt_weekdays(text: str, start: int, end: int) -> AbstractSet[int]:
    """Return the weekdays that the word `text[start:end]` may mean, however it is written: "on wednesdays",
    "mittwochs", "Mon-Fri", or an abbreviation in a suitable context.
    """
    days, is_abbreviated = _possible_weekdays(text[start:end])
    return days if not is_abbreviated or _stands_for_a_day(text, start, end) else frozenset()


def _possible_weekdays(word: str) -> tuple[frozenset[int], bool]:
    """Return the weekdays that a word may mean, and whether it is an abbreviation that may also mean something else."""
    for form in (word, word.removesuffix("s") if len(word) >= _LEAST_PLURAL else word):
        if (day := named(figure_words().weekdays, form, in_any_case=True)) is not None:
            return frozenset({day}), False
    first, _, last = word.partition("-")
    if last:
        ends = product(_weekdays(first), _weekdays(last))
        days = (day for begin, until in ends for day in (begin, *days_between(begin, until), until))
        return frozenset(days), False
    abbreviated = frozenset(_weekdays(first))
    return abbreviated, bool(abbreviated)


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
    """Return the weekdays that a name or an abbreviation may mean. An abbreviation must be written as in its language,
    capitalised, or in capitals.
    """
    day = named(figure_words().weekdays, word, in_any_case=True)
    if day is not None:
        return {day}
    known = figure_words().short_weekdays
    return known.get(word) or known.get(word.lower() if word[1:].islower() else word.capitalize(), frozenset())


def is_range(between: str) -> bool:
    """Return whether the text between two days makes them a range, and not a list ("Monday and Friday")."""
    found = _RANGE.fullmatch(between)
    return found is not None and not _joins(found["to"])


def days_between(first: int, last: int) -> list[int]:
    """Return the weekdays after the first and before the last day."""
    return [day % 7 for day in range(first + 1, first + (last - first) % 7)]
