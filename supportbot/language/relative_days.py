"""Reads days that are relative to the day a text was written: "tomorrow", "on Friday", "in 3 days". Pure.

The words come from CLDR (`data/days.json`, made by `scripts/make_figure_words.py`). A weekday alone means the next such
day. "Next Friday" may be the coming Friday or that of the following week, and "last Friday" is ambiguous in the same
way. On a Tuesday, "this Monday" may be yesterday or next week. In these cases, both days are possible.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from supportbot.language.detection import base_language
from supportbot.language.figures import Figure, all_figures_in

_DATA: Final = Path(__file__).parent / "data" / "days.json"
_DAY: Final = 86_400  # the seconds in a day
_WEEK: Final = timedelta(weeks=1)
_DOTS: Final = str.maketrans({"ı": "i", "\u0307": None})
_FARTHEST: Final = 3650  # maximum distance of a day, in days
_BEGINNING: Final = re.compile(r"(?:^|[.!?\n])\s*$")


@dataclass(frozen=True, slots=True)
class NamedDay:
    """The position of a named day in the text, and the days that it may be."""

    start: int
    end: int
    possible: tuple[date, ...]


@dataclass(frozen=True)
class _Words:
    named: re.Pattern[str]  # a day, a weekday in a certain week, or a morning
    weeks: re.Pattern[str]
    days_off: Mapping[str, int]
    weeks_off: Mapping[str, int]
    mornings: frozenset[str]
    weekdays: Mapping[str, tuple[int, int]]  # (weekday, weeks from this one)
    future: tuple[tuple[str, str], ...]  # the text before and after a span of time
    past: tuple[tuple[str, str], ...]


def relative_days_in(text: str, locale: str, written_on: date) -> list[NamedDay]:
    """Return the relative days in the text in this locale, in order."""
    language = base_language(locale)
    words = _words_of(language)
    if words is None:
        return []
    plain = text.replace("’", "'")
    found = [*_named(plain, words, written_on)]
    taken = [(one.start, one.end) for one in found]
    figures = all_figures_in(plain, language)
    others = (*_weekdays(plain, figures, words, written_on), *_spans(plain, figures, words, written_on))
    found += [one for one in others if not any(start < one.end and one.start < end for start, end in taken)]
    return sorted(found, key=lambda one: one.start)


def _named(text: str, words: _Words, today: date) -> Iterator[NamedDay]:
    for match in words.named.finditer(text):
        name = _plain(match[0])
        # A noun in a language that capitalises nouns, as in "Am Morgen".
        if name in words.mornings or (match[0][0].isupper() and not _BEGINNING.search(text[: match.start()])):
            continue
        if name in words.days_off:
            possible: tuple[date, ...] = (today + timedelta(days=words.days_off[name]),)
        else:
            possible = _weekday(*words.weekdays[name], today)
        yield NamedDay(match.start(), match.end(), possible)


def _weekday(weekday: int, week: int, today: date) -> tuple[date, ...]:
    """Return the possible days for a weekday of this week (0), next week (1) or last week (-1)."""
    of_week = _of_week(weekday, week, today)
    coming = today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)
    if not week:
        return (of_week,) if of_week >= today else (of_week, coming)
    past = today - timedelta(days=(today.weekday() - weekday - 1) % 7 + 1)
    return tuple(sorted({of_week, coming if week > 0 else past}))


def _of_week(weekday: int, week: int, today: date) -> date:
    return today + timedelta(days=weekday - today.weekday()) + week * _WEEK


def _weekdays(text: str, figures: Sequence[Figure], words: _Words, today: date) -> Iterator[NamedDay]:
    """Yield the weekdays without a week. If the text names weeks elsewhere, as in "next week", the days in these weeks
    are possible; otherwise, only the next such day.
    """
    weeks = {words.weeks_off[_plain(match[0])] for match in words.weeks.finditer(text)}
    for figure in figures:
        if figure.kind != "weekday" or figure.start == figure.end:
            continue
        for _, value in figure.readings:
            weekday = int(value)
            coming = today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)
            possible = {_of_week(weekday, week, today) for week in weeks} or {coming}
            yield NamedDay(figure.start, figure.end, tuple(sorted(possible)))


def _spans(text: str, figures: Sequence[Figure], words: _Words, today: date) -> Iterator[NamedDay]:
    """Yield the days given by a span of time: "in 3 days", "two weeks ago"."""
    for figure in figures:
        seconds = [int(value) for unit, value in figure.readings if unit == "second" and value.isdecimal()]
        if figure.kind != "measure" or len(seconds) != 1 or seconds[0] % _DAY or seconds[0] > _FARTHEST * _DAY:
            continue
        for sign, around in ((1, words.future), (-1, words.past)):
            if any(_stands_between(text, figure.start, figure.end, *marks) for marks in around):
                yield NamedDay(figure.start, figure.end, (today + sign * timedelta(seconds=seconds[0]),))


def _stands_between(text: str, start: int, end: int, before: str, after: str) -> bool:
    head, tail = text[:start].rstrip().casefold(), text[end:].lstrip().casefold()
    begins = not before or re.search(rf"(?<!\w){re.escape(before)}$", head) is not None
    return begins and (not after or re.match(rf"{re.escape(after)}(?!\w)", tail) is not None)


@cache
def _words_of(language: str) -> _Words | None:
    data = _data().get(language)
    if data is None:
        return None
    return _Words(
        _any_of([*data["days"], *data["mornings"], *data["weekdays"]]),
        _any_of(data["weeks"]),
        {_plain(name): off for name, off in data["days"].items()},
        {_plain(name): off for name, off in data["weeks"].items()},
        frozenset(map(_plain, data["mornings"])),
        {_plain(name): (weekday, off) for name, (weekday, off) in data["weekdays"].items()},
        *(tuple((_plain(before), _plain(after)) for before, after in data[tense]) for tense in ("future", "past")),
    )


def _plain(words: str) -> str:
    """Return words in the form used for comparison: casefolded, with the same "i" for the dotted and the dotless
    letter.
    """
    return words.replace("’", "'").casefold().translate(_DOTS)


def _any_of(names: Mapping[str, Any] | list[str]) -> re.Pattern[str]:
    longest_first = sorted(map(_plain, names), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)


@cache
def _data() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(_DATA.read_text(encoding="utf-8"))
    return found
