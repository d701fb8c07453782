"""Reads the dates in text according to a locale. Pure.

Dates in digits are read in the locale's order: "5/3/2027" is in March in Germany and in May in the United States.
English without a region may mean either, so it is read only if both orders give the same day. Dots always mean that the
day comes first. A day without a year is read only if a later day in the same range has a year, or if the day the text
was written is known. In the latter case, the matching days in the last and in the next twelve months are possible, and
so are both meanings of "next Friday". `relative_days` reads days such as "tomorrow".
"""

import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Final

from supportbot.formats import babel_locale
from supportbot.language.figures import figures_in
from supportbot.language.relative_days import NamedDay, relative_days_in

_YEAR: Final = re.compile(r"[.,]*\s*(?:(?:de|del|of)\s+)?(?P<year>(?:19|20)\d{2})(?![\w:])")
_DIGIT: Final = re.compile(r"\d")  # a digit of any script
_PIVOT: Final = 69  # POSIX: 69 to 99 are in the last century, 00 to 68 in this one
_BETWEEN: Final = re.compile(r"[\s,.(]*(?:[^\W\d_]{1,3}\s+)?[(]?")  # "Friday, 5 March", "Freitag, den 5. März"


@dataclass(frozen=True, slots=True)
class Day:
    """A day in the text (`text[start:end]`). `day` is None if it is unclear which of the `possible` days is meant."""

    day: date | None
    start: int
    end: int
    possible: tuple[date, ...] = ()


def days_in(text: str, locale: str, written_on: date | None = None) -> tuple[Day, ...]:
    """Return the days in the text, in order. Relative days are included if the day the text was written is known."""
    plain = _DIGIT.sub(lambda digit: str(unicodedata.digit(digit[0])), text)
    found = [*_days_in(plain, locale)]
    years = [day.year if day else 0 for _, _, day, _ in found]
    days = [
        _of_month(day or _in_year_of_next(month_day, years[at + 1 :]), start, end, month_day, written_on)
        for at, (start, end, day, month_day) in enumerate(found)
    ]
    if written_on is not None:
        relative = relative_days_in(plain, locale, written_on)
        days += [_as_day(one) for one in relative if not any(_concerns(plain, one, day) for day in days)]
    return tuple(sorted(days, key=lambda day: day.start))


def _as_day(found: NamedDay) -> Day:
    only = found.possible[0] if len(found.possible) == 1 else None
    return Day(only, found.start, found.end, found.possible)


def _concerns(text: str, weekday: NamedDay, day: Day) -> bool:
    """Return whether a relative day is part of a written date or is the weekday of one, as in "Friday, 5 March
    2027".
    """
    if weekday.start < day.end and day.start < weekday.end:
        return True
    first, last = sorted(((weekday.start, weekday.end), (day.start, day.end)))
    return _BETWEEN.fullmatch(text, first[1], last[0]) is not None


def _of_month(day: date | None, start: int, end: int, month_day: str, written_on: date | None) -> Day:
    if day is not None or not month_day or written_on is None:
        return Day(day, start, end, (day,) if day else ())
    years = range(written_on.year - 1, written_on.year + 2)
    near = [
        one for one in (_day(f"{year}-{month_day}") for year in years) if one and abs((one - written_on).days) < 366
    ]
    return Day(None, start, end, tuple(near))


def _days_in(text: str, locale: str) -> Iterator[tuple[int, int, date | None, str]]:
    """Yield (start, end, day, "month-day") for each date. The last value is "" unless only the year is missing."""
    for figure in figures_in(text):
        month_days = [value for unit, value in figure.readings if unit == "date"]
        if not month_days:
            continue
        written = text[figure.start : figure.end]
        if re.fullmatch(r"\d+[./-][\d./-]+", written):
            yield figure.start, figure.end, _in_digits(written, locale), ""
            continue
        named = _YEAR.match(text, figure.end)
        only = month_days[0] if len(month_days) == 1 else ""
        day = _day(f"{named['year']}-{only}") if named and only else None
        yield figure.start, named.end() if named else figure.end, day, "" if named else only


def _in_year_of_next(month_day: str, years: list[int]) -> date | None:
    """Return a day without a year in the year of the next day in the text, as in "from 5 March to 7 March 2027"."""
    return _day(f"{years[0]}-{month_day}") if month_day and years and years[0] else None


def _in_digits(written: str, locale: str) -> date | None:
    parts = re.split(r"[./-]", written.rstrip("."))
    if len(parts) != 3:
        return None
    if len(parts[0]) == 4:
        return _day("-".join(parts))
    year = parts[2] if len(parts[2]) == 4 else f"{19 if int(parts[2]) >= _PIVOT else 20}{parts[2]}"
    orders = _orders(locale) if "." not in written else ("day",)
    by_order = {"day": _day(f"{year}-{parts[1]}-{parts[0]}"), "month": _day(f"{year}-{parts[0]}-{parts[1]}")}
    possible = {by_order[order] for order in orders} - {None}
    return possible.pop() if len(possible) == 1 else None


def _orders(locale: str) -> tuple[str, ...]:
    """Return the parts, day or month, that may come first in a date in digits."""
    data = babel_locale(locale)
    if str(data) == "en":
        return ("day", "month")
    is_month_first = data.date_formats["short"].pattern.startswith("M")
    return ("month",) if is_month_first else ("day",)  # four digits at the beginning are always a year


def _day(written: str) -> date | None:
    with suppress(ValueError):
        return date(*map(int, written.split("-")))
    return None
