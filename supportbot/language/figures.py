"""Reads the figures in text in a form that can be compared across spellings and languages. Pure.

"Two weeks" equals "14 days", "6,90 €" equals "€6.90", and "9 Uhr" equals "9:00". An ambiguous figure ("1.234", "05/03")
has several readings; two figures are equal if they share a reading.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import product
from typing import Final, Literal

from supportbot.language.figure_vocabulary import (
    days_between,
    figure_words,
    is_range,
    is_unit_in,
    may_be_figure,
    named,
    named_weekdays,
    spelt_weekdays,
    units_of,
)
from supportbot.language.normalise import fold_homoglyphs
from supportbot.language.words import stop_words

Kind = Literal["count", "measure", "money", "time", "date", "weekday", "name"]

# The size of each unit in the smallest unit of its scale. Months and years have a scale of their own.
_SCALES: Final[dict[str, tuple[str, int]]] = {
    "second": ("second", 1), "minute": ("second", 60), "hour": ("second", 3600), "day": ("second", 86_400),
    "night": ("second", 86_400), "week": ("second", 604_800), "month": ("month", 1), "year": ("month", 12),
    "kilometre": ("millimetre", 1_000_000), "metre": ("millimetre", 1000), "centimetre": ("millimetre", 10),
    "kilogram": ("milligram", 1_000_000), "gram": ("milligram", 1000), "tonne": ("milligram", 1_000_000_000),
    "litre": ("millilitre", 1000), "kilowatt": ("watt", 1000),
}  # fmt: skip
_MOST_DIGITS: Final = 24
_DIGITS: Final = r"\d+(?:[.,'’\u00a0\u202f ](?=\d{3}(?!\d))\d{3})*(?:[.,]\d+)?"
# A day and month without a year, in unambiguous forms: 31-03, 30/06, 10/31, "31.10.".
_DAY: Final = r"(?:0?[1-9]|[12]\d|3[01])"
_SHORT_DATE: Final = (
    rf"{_DAY}[/-]0[1-9]|0[1-9][/-]{_DAY}|1[0-2]/(?:1[3-9]|2\d|3[01])|(?:1[3-9]|2\d|3[01])/1[0-2]"
    rf"|{_DAY}\.(?:0?[1-9]|1[0-2])\.(?!\d)"
)
_DOTTED_DAY: Final = re.compile(rf"{_DAY}\.(?:0[1-9]|1[0-2])")
_SLASHED_DAY: Final = re.compile(rf"(?<![\d./]){_DAY}/{_DAY}(?![\d/])")
_TOKEN: Final = re.compile(
    rf"""
      (?P<iso>\b\d{{4}}-\d{{1,2}}-\d{{1,2}}\b)
    | (?P<numeric>\b\d{{1,2}}(?P<between>[./-])\d{{1,2}}(?P=between)(?:\d{{4}}|\d{{2}})\b)
    | (?P<short>(?:(?<![\w./-])|(?<=[./]\d\d-))(?:{_SHORT_DATE})(?![\d/]|-(?!{_DAY}[./]\d)))
    | (?P<clock>\b\d{{1,2}}(?::|[ \u00a0]?h[ \u00a0]?)\d{{2}}(?::\d{{2}})?(?!\d))
    | (?P<name>(?<![\w.,-])[^\W\d_][\w-]*\d[\w-]*)
    | (?P<always>\b24/7\b)
    | (?P<version>\b\d+(?:\.\d+){{2,}}\b)
    | (?P<number>{_DIGITS})
    | (?P<word>[^\W\d_]+(?:[-'’](?![\w-]*\d)[^\W\d_]+)*)
    """,
    re.VERBOSE,
)
_SIGN_BEFORE: Final = re.compile(  # not the sign of the amount before it, as in "5 € 20 min"
    r"(?<!\d)(?<!\d[\u00a0\u202f ])([^\w\s]|[^\W\d_]{2,4}\$?)[\u00a0\u202f ]?$"
)
_BEHIND: Final = re.compile(
    r"[\u00a0\u202f \t-]{0,2}(?P<first>[^\w\s.,;:!?()\[\]\"'+*/=<>|-]{1,2}[^\W\d_]?|[^\W\d_]+\.?(?:-[^\W\d_]+)?\$?)"
    r"(?:[\u00a0\u202f ](?P<second>[^\W\d_]+))?"
)
_DOTTED_CLOCK: Final = re.compile(r"([01]?\d|2[0-3])\.([0-5]\d)")
_PERIOD: Final = re.compile(r"[\u00a0\u202f ]?([^\W\d_]\.?[^\W\d_]\.?)(?![^\W\d_])")
# "am" in the middle of a sentence, where it may also be the German word for "on the".
_WORD_BEHIND: Final = re.compile(r"[\u00a0\u202f ][^\W\d_]{2}[\u00a0\u202f ][^\W\d_]")
# Matches from the start of a run without spaces and never backtracks: otherwise, the time for long words would be
# quadratic.
_ANY: Final = re.compile(r"(?<![\w.,:/-])(?:[^\W\d]|[.,:/-])*+\d[\w.,:/-]*(?<![.,:])")
_CODE: Final = re.compile(r"-(?=[^-]*\d)(?=[^-]*[^\W\d_])[^-]{4,}$")  # such as RF-3A9F, which may have few digits
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_NEXT: Final = re.compile(r"(?<=[^\w\s])(?P<blank>\s?)\d")  # a number after a sign
_SIGN: Final = re.compile(r"[%٪°$£¥฿\u20a0-\u20cf]")  # the last range is Unicode's currency signs
_MOST_IN_A_NAME: Final = 2  # digits in well-known names: MP3, A4, COVID-19


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure in the text (`text[start:end]`) with all its readings."""

    kind: Kind
    readings: frozenset[tuple[str, str]]  # (unit, value); the unit of a bare number is ""
    start: int = field(compare=False)
    end: int = field(compare=False)
    numbers: frozenset[str] = frozenset()  # the number itself, without its unit


@dataclass(frozen=True)
class Known:
    """All figures in the texts that may support an answer."""

    readings: frozenset[tuple[str, str]]
    numbers: frozenset[str]
    bare: frozenset[str]  # numbers without a known unit, which may be in the name of a table's column
    months: frozenset[str]
    days: frozenset[str]  # days of a month: the second day of "from 18 August to the 20th" has no unit
    text: str
    amounts: frozenset[str]  # the numbers in amounts of money

    def holds(self, figure: Figure) -> bool:
        """Return whether a reading of the figure is known, or its number is known without a unit that contradicts
        it.
        """
        if figure.kind == "name":
            return any(name in self.text for _, name in figure.readings)
        if not self.readings.isdisjoint(figure.readings):
            return True
        if figure.kind == "count":
            return not (self.numbers | self.days).isdisjoint(figure.numbers)
        # In "22 de manhã", the number may be the day of a date; the price in "€8, until noon" is not an hour.
        if figure.kind == "time":
            return not (self.bare | self.days).isdisjoint(figure.numbers)
        if figure.kind == "date":  # "5 to 7 March" also names the fifth; "10 March, 8:00" does not name the eighth
            return any(
                month in self.months and day in self.bare
                for month, _, day in (value.partition("-") for _, value in figure.readings)
            )
        return not self.bare.isdisjoint(figure.numbers)


def known_figures(texts: Iterable[str], notes: Iterable[str] = ()) -> Known:
    """Return the figures in these texts, including numbers in words ("three colours"). In `notes`, which are records of
    past actions, "16.09" and "3/8" may also be days; in other texts, they are prices, ratings, versions or fractions.
    """
    found = [figure for text in texts for figure in _figures(text, True)]
    found += [_noted(figure, note) for note in notes for figure in _figures(note, True)]
    found += [day for note in notes for day in _slashed_days(note)]
    dates = [value.partition("-") for figure in found for unit, value in figure.readings if unit == "date"]
    return Known(
        readings=frozenset().union(*(figure.readings for figure in found)),
        numbers=frozenset().union(*(figure.numbers for figure in found)),
        bare=frozenset().union(*(figure.numbers for figure in found if figure.kind == "count")),
        months=frozenset(month for month, _, _ in dates),
        days=frozenset(day for _, _, day in dates),
        text="\n".join(map(_casefolded, (*texts, *notes))),
        amounts=frozenset().union(*(figure.numbers for figure in found if figure.kind == "money")),
    )


def _slashed_days(note: str) -> Iterator[Figure]:
    """Yield the days in a note that would be fractions in other texts: "visit 3/8, 12:00"."""
    for match in _SLASHED_DAY.finditer(note):
        yield Figure("date", frozenset(("date", day) for day in _days(match.group())), match.start(), match.end())


def _noted(figure: Figure, note: str) -> Figure:
    written = fold_homoglyphs(note)[figure.start : figure.end]
    if figure.kind != "count" or not _DOTTED_DAY.fullmatch(written):
        return figure
    day, month = map(int, written.split("."))
    return replace(figure, readings=figure.readings | {("date", f"{month}-{day}")})


@lru_cache(maxsize=512)  # the same page supports many answers
def _casefolded(text: str) -> str:
    return fold_homoglyphs(text).casefold()


def figures_in(text: str, language: str = "") -> tuple[Figure, ...]:
    """Return the figures in the text, in order. A number in words counts only with a unit of the same language. If it
    is a stop word in the text's language, the unit must be of that language, too, because the Dutch "het" means seven
    in Hungarian. Signs count in all languages.
    """
    found = _figures(text, False)
    if not language or not found:
        return found
    plain = fold_homoglyphs(text)

    def counts(figure: Figure) -> bool:
        number, *unit = plain[figure.start : figure.end].split(maxsplit=1)
        if figure.kind not in ("measure", "money") or number.casefold() not in stop_words(language):
            return True
        is_of_the_next = _NEXT.match(plain, figure.end) is not None  # in German, "hat € 5" is not six euros
        return _is_unit_of_any("".join(unit), (language,)) and not is_of_the_next

    return tuple(filter(counts, found))


def figures_read_in(text: str, language: str) -> tuple[Figure, ...]:
    """Return the figures in a text whose language is known, in order. Inflected units of other languages are ignored,
    so that the number in "size 42 fits" has no unit.
    """
    plain = fold_homoglyphs(text)

    def read(figure: Figure) -> Figure:
        behind = _LETTERS.findall(plain[figure.start : figure.end].lower())
        if figure.kind not in ("measure", "money") or not behind or any(units_of(one, language) for one in behind):
            return figure
        return Figure("count", frozenset(("", one) for one in figure.numbers), figure.start, figure.end, figure.numbers)

    return tuple(map(read, figures_in(text)))


def all_figures_in(text: str, language: str) -> tuple[Figure, ...]:
    """Return the figures in the text, in order, including numbers in words: "five withdrawals". A stop word of the
    text's language is read neither as a number ("once" is eleven in Spanish) nor as the unit of a number in words.
    """
    plain = fold_homoglyphs(text)

    def counts(figure: Figure) -> bool:
        word = plain[figure.start : figure.end].casefold()
        return figure.kind != "count" or not (
            word in stop_words(language) or (word.isalpha() and "1" in figure.numbers)
        )

    return tuple(filter(counts, _figures(text, True)))


def without_figures(text: str) -> str:
    """Return the text with all figures replaced by the same one, because amounts, dates and order numbers say nothing
    about the kind of text.
    """
    return _ANY.sub("0", text)


@lru_cache(maxsize=2_048)  # large enough that pages stay cached despite the many sentences of answers
def _figures(text: str, with_spelt: bool) -> tuple[Figure, ...]:
    plain = fold_homoglyphs(text)
    found: list[Figure] = []
    for token in _TOKEN.finditer(plain):
        if token.lastgroup == "word" and not may_be_figure(token.group()):
            continue
        figure = _figure(plain, token, with_spelt=with_spelt)
        if figure is not None:
            found.extend(_days_between(found, figure, plain))
            found.append(figure)
    return tuple(found)


def _figure(text: str, token: re.Match[str], *, with_spelt: bool) -> Figure | None:
    start, end, kind = token.start(), token.end(), token.lastgroup
    written = token.group().lower()
    if kind == "word":
        return _spelt(text, token, with_spelt=with_spelt)
    if kind == "always":  # in any language, this is an idiom and not a figure
        return None
    if kind == "name":
        if sum(sign.isdigit() for sign in written) <= _MOST_IN_A_NAME and _CODE.search(written) is None:
            return None
        return Figure("name", frozenset({("", written)}), start, end)
    if kind in ("iso", "numeric"):
        years = frozenset(re.findall(r"\d{4}", written))
        return Figure("date", frozenset(("date", day) for day in _days(written)), start, end, years)
    if kind == "short":
        return _dated_or_counted(text, written, start, end)
    if kind == "clock":
        return _clock(text, written, start, end)
    if kind == "version":
        return Figure("count", frozenset({("", written)}), start, end, frozenset({written}))
    return _counted(text, frozenset(_values(written)), start, end)


def _spelt(text: str, token: re.Match[str], *, with_spelt: bool) -> Figure | None:
    word, start, end = token.group(), token.start(), token.end()
    days = spelt_weekdays(text, start, end) if with_spelt else named_weekdays(word)
    if days:
        return Figure("weekday", frozenset(("weekday", str(one)) for one in days), start, end)
    value = figure_words().numbers.get(word.casefold())
    if value is None:
        return None
    figure = _counted(text, frozenset({str(value)}), start, end)
    if figure is None or with_spelt:
        return figure
    following = _NEXT.match(text, figure.end)
    if following is not None and not following["blank"]:  # "two $59.99 payments"
        return None
    is_counted = figure.kind in ("measure", "money") and _are_of_one_language(word, text[end : figure.end])
    return figure if is_counted else None


def _are_of_one_language(number: str, unit: str) -> bool:
    """Return whether both words exist in the same language; in "hat noch", they are Hungarian (six) and Polish
    (night).
    """
    return _is_unit_of_any(unit, figure_words().number_languages[number.casefold()])


def _is_unit_of_any(unit: str, languages: Iterable[str]) -> bool:
    """Return whether a unit is a word of one of the languages or a sign ("%", "€", "US$"). A text without letters also
    counts, because a sign may come before the number.
    """
    letters = _LETTERS.findall(unit)
    if not letters or _SIGN.search(unit):
        return True
    return any(is_unit_in(language, one) for language in languages for one in letters)


def _counted(text: str, values: frozenset[str], start: int, end: int) -> Figure | None:
    """Return a number as a figure: a date, a time of day, or a count with its unit, which is the sign or word before or
    after it.
    """
    if (date := _dated(text, values, start, end)) is not None:
        return date
    before = _SIGN_BEFORE.search(text[max(0, start - 6) : start])
    sign = before[1].lower() if before else ""
    units = figure_words().money.get(sign, frozenset())
    if units and (not sign.isalpha() or sign.upper() in units):  # "EUR 5" is money, "new one" is not
        return _measured(values, units, start, end)  # whatever follows, because "$45 a day" is not 45 days
    behind = _BEHIND.match(text, end)
    if behind is not None:
        period = _PERIOD.match(text, end)
        if period is not None and (shift := figure_words().periods.get(period[1].replace(".", "").lower())) is not None:
            if _DOTTED_CLOCK.fullmatch(text[start:end]):  # "9.30 am"
                clock = _clock(text, text[start:end], start, end)
                if shift or _WORD_BEHIND.match(text, end) is None:
                    return clock
                # In German, "2.50 am Tag" is an amount per day, and "12.30 am Montag" is half past twelve.
                plain = {("", value) for value in values} | _dotted_clock(text[start:end])
                return replace(clock, readings=clock.readings | plain)
            if any(map(str.isdigit, values)):  # unlike the German "2,5 am Tag"
                return _oclock(values, shift, start, period.end())
        for name in ("first", "second"):
            units = units_of(behind[name].lower()) if behind[name] else frozenset()
            if units:
                return _measured(values, units, start, behind.end(name), written=text[start:end])
    readings = {("", value) for value in values} | _dotted_clock(text[start:end])
    return Figure("count", frozenset(readings), start, end, values)


def _dotted_clock(written: str) -> set[tuple[str, str]]:
    """Return the times of day that digits with a dot may mean, such as "14.30"."""
    clock = _DOTTED_CLOCK.fullmatch(written)
    return {("time", str(60 * int(clock[1]) + int(clock[2])))} if clock else set()


def _measured(values: frozenset[str], units: frozenset[str], start: int, end: int, *, written: str = "") -> Figure:
    is_money = any(unit.isupper() for unit in units)
    readings = {_scaled(unit, value) for unit in units for value in values}
    if "hour" in units:  # "9 heures" can also be a time of day
        readings |= {("time", str(60 * int(value))) for value in values if value.isdigit() and int(value) <= 24}
        readings |= _dotted_clock(written)
    return Figure("money" if is_money else "measure", frozenset(readings), start, end, values)


def _scaled(unit: str, value: str) -> tuple[str, str]:
    base, times = _SCALES.get(unit, (unit, 1))
    return base, _spelling(Decimal(value) * times)


def _clock(text: str, written: str, start: int, end: int) -> Figure:
    hour, minute = map(int, re.findall(r"\d+", written)[:2])
    period = _PERIOD.match(text, end)
    shift = figure_words().periods.get(period[1].replace(".", "").lower()) if period else None
    # In German, "14.30 am Montag" is not in the morning.
    hours = {hour} if shift is None or hour > 12 else {hour % 12 + shift}
    whole = {str(one) for one in {hour} | hours} if minute == 0 else set()
    readings = frozenset(("time", str(60 * one + minute)) for one in hours)
    return Figure("time", readings, start, end, frozenset(whole))


def _oclock(values: frozenset[str], shift: int, start: int, end: int) -> Figure:
    hours = {int(value) for value in values if value.isdigit()}
    of_the_day = {hour % 12 + shift for hour in hours}
    readings = frozenset(("time", str(60 * hour)) for hour in of_the_day)
    return Figure("time", readings, start, end, frozenset(map(str, hours | of_the_day)))


def _dated(text: str, values: frozenset[str], start: int, end: int) -> Figure | None:
    """Return a date if the number is next to the name of a month ("5 March", "March 5", "le 5 mars"); otherwise,
    None.
    """
    days = {int(value) for value in values if value.isdigit() and 1 <= int(value) <= 31}
    if not days:
        return None
    behind = re.compile(r"(?:st|nd|rd|th|er|\.|[oa]\b)?[\s,]*(?:of |de |d['’])?([^\W\d_]{3,})").match(text, end)
    before = re.search(r"([^\W\d_]{3,})\.?\s+$", text[max(0, start - 16) : start])
    for match in (behind, before):
        month = named(figure_words().months, match[1], in_any_case=False) if match else None
        if match is not None and month is not None:
            readings = frozenset(("date", f"{month}-{day}") for day in days)
            return Figure("date", readings, start, max(end, match.end() if match is behind else end))
    return None


def _dated_or_counted(text: str, written: str, start: int, end: int) -> Figure | None:
    """Return a day and month in digits as a date or, because "31.10." may end a sentence, as another figure."""
    days = frozenset(("date", day) for day in _days(written.rstrip(".")))
    if not written.endswith("."):
        numbers = frozenset(str(int(part)) for part in re.split("[/-]", written))
        return Figure("date", days, start, end, numbers)
    counted = _counted(text, frozenset(_values(written.rstrip("."))), start, end - 1)
    if counted is None or counted.kind != "count":
        return counted
    return Figure("count", days | counted.readings, start, end, counted.numbers)


def _days(written: str) -> Iterator[str]:
    """Yield each month and day that a date in digits may mean."""
    parts = [int(part) for part in re.split(r"[./-]", written)]
    for month, day in ((parts[1], parts[2]),) if parts[0] > 31 else ((parts[1], parts[0]), (parts[0], parts[1])):
        if 1 <= month <= 12 and 1 <= day <= 31:
            yield f"{month}-{day}"


def _days_between(found: list[Figure], figure: Figure, text: str) -> Iterator[Figure]:
    """Yield the weekdays inside a range such as "Monday to Friday" that the text does not name."""
    if figure.kind != "weekday" or not found or found[-1].kind != "weekday":
        return
    if not is_range(text[found[-1].end : figure.start]):
        return
    for (_, first), (_, last) in product(found[-1].readings, figure.readings):
        for day in days_between(int(first), int(last)):
            yield Figure("weekday", frozenset({("weekday", str(day))}), figure.start, figure.end)


def _values(written: str) -> Iterator[str]:
    """Yield the values that digits may mean: "1.234" is 1234 or 1.234."""
    bare = re.sub(r"['’\u00a0\u202f ]", "", written)
    if len(bare) > _MOST_DIGITS:  # not a figure; int() refuses more than 4,300 digits
        return
    grouped = re.fullmatch(r"[1-9]\d{0,2}(?:[.,]\d{3})+(?:[.,]\d+)?", bare)
    readings = {bare.replace(",", ".")} if bare.count(".") + bare.count(",") <= 1 else set()
    if grouped:
        last = max(bare.rfind("."), bare.rfind(","))
        is_fraction = len(bare) - last != 4 or (bare.count(bare[last]) == 1 and bare.count(".") + bare.count(",") > 1)
        whole, fraction = (bare[:last], bare[last + 1 :]) if is_fraction else (bare, "0")
        readings.add(f"{re.sub('[.,]', '', whole)}.{fraction}")
    for reading in readings:
        try:
            yield _spelling(Decimal(reading))
        except InvalidOperation:
            continue


def _spelling(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
