"""Formats numbers, dates and lists for a locale, with Babel's locale data.

For a locale that Babel does not know, its base language is used or, if that is also unknown, English. Using a locale
for the first time reads its data, which takes a few milliseconds.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime, time, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time, get_day_names, get_timezone_name
from babel.lists import format_list
from babel.numbers import NumberPattern, format_decimal, get_currency_symbol, parse_pattern

_FALLBACK: Final = "en"
# Languages whose default region in the data differs from that of our texts.
_REGIONS: Final = {"pt": "pt_PT"}
# International English: "4 March 2026" cannot be misread, and the clock has 24 hours. The data's default is American.
_INTERNATIONAL: Final = "en_GB"
# The separators for the locale's own digits. Babel does not convert the digits themselves; see `_in_own_digits`.
_SEPARATORS: Final = "default"
# The digit zero of each CLDR numbering system that is a locale's default; the other digits follow it.
_ZEROS: Final = {"arab": "٠", "arabext": "۰", "beng": "০", "deva": "०", "mymr": "၀"}


@lru_cache(maxsize=1024)  # locales come from outside
def babel_locale(locale: str) -> Locale:
    """Return the locale data for a tag such as `de-AT`."""
    tag = _REGIONS.get(locale, locale.replace("-", "_"))
    for known in (tag, tag.split("_")[0]):
        try:
            return Locale.parse(known)
        except (UnknownLocaleError, ValueError, TypeError):
            continue
    return Locale.parse(_FALLBACK)


def format_number(number: int | Decimal, locale: str) -> str:
    data = babel_locale(locale)
    return _in_own_digits(format_decimal(number, locale=data, numbering_system=_SEPARATORS), data)


def format_currency(amount: Decimal, currency: str, decimals: int, locale: str) -> str:
    """Return an amount with its currency's symbol and `decimals` decimals, such as "€69.00" or "69,00 €"."""
    data = babel_locale(locale)
    is_code = get_currency_symbol(currency, data)[-1].isalpha()
    text: str = _currency_pattern(str(data), decimals, is_code).apply(
        amount, data, currency=currency, currency_digits=False, numbering_system=_SEPARATORS
    )
    return _in_own_digits(text, data)


@lru_cache(maxsize=1024)
def _currency_pattern(locale: str, decimals: int, is_code: bool) -> NumberPattern:
    pattern = Locale.parse(locale).currency_formats["standard"].pattern
    if is_code:
        pattern = pattern.replace("¤#", "¤\N{NO-BREAK SPACE}#")  # CLDR's currencySpacing, which Babel does not support
    fraction = f".{'0' * decimals}" if decimals else ""
    return parse_pattern(pattern.replace(".00", fraction))


def format_day(day: date, locale: str, form: Literal["medium", "long"] = "long") -> str:
    """Return a day with its year, such as "4 March 2026"."""
    data = _international(locale)
    return _in_own_digits(format_date(day, form, locale=data), data)


def format_day_of_year(iso: str, locale: str) -> str:
    """Return a day such as `2026-03-04` without its year, as "4 March".

    Text that is not a day is returned unchanged.
    """
    try:
        day = date.fromisoformat(iso)
    except ValueError:
        return iso
    data = _international(locale)
    return _in_own_digits(format_skeleton("MMMMd", day, locale=data), data)


def format_moment(moment: datetime, locale: str) -> str:
    """Return a day and time, such as "4 Mar 2026 10:05", in the time zone of `moment`."""
    data = _international(locale)
    text = f"{format_date(moment, 'medium', locale=data)} {_time_in(moment, data)}"
    return _in_own_digits(text, data)


def format_time_of_day(moment: time, locale: str) -> str:
    """Return a time such as "09:00", or "9:00 AM" where the clock has twelve hours."""
    data = _international(locale)
    return _in_own_digits(_time_in(moment, data), data)


def _time_in(moment: datetime | time, data: Locale) -> str:
    short = str(data.time_formats["short"].pattern)
    return format_time(moment, short if _is_twelve_hours(short) else re.sub("H+", "HH", short), locale=data)


def has_twelve_hours(locale: str) -> bool:
    """Return whether the locale's clock has twelve hours. Browsers' data differ from ours in some regions."""
    return _is_twelve_hours(str(_international(locale).time_formats["short"].pattern))


def _is_twelve_hours(pattern: str) -> bool:
    return "H" not in pattern


def time_zone_name(zone: tzinfo, locale: str) -> str:
    """Return a time zone's name, which is the same in summer and winter, such as "Central European Time".

    For a zone that has no name of its own, return its difference from Greenwich, such as "GMT-03:00".
    """
    data, moment = _international(locale), datetime.now(zone)  # without a moment, UTC would be named "Unknown region"
    generic = get_timezone_name(moment, "long", locale=data, zone_variant="generic")
    has_name = not any(sign.isdigit() for sign in generic)
    # Zones without summer time, such as India's, have no generic name, but a standard one.
    return _in_own_digits(generic if has_name else get_timezone_name(moment, "long", locale=data), data)


def format_weekdays(days: Sequence[int], locale: str) -> str:
    """Return days of the week (Monday is 0) as text: as a range if they are consecutive, such as "Monday–Friday",
    otherwise as a list.
    """
    data = _international(locale)
    names = get_day_names("wide", "stand-alone", locale=data)
    shown = [names[day] for day in days]
    is_row = len(days) > 2 and list(days) == list(range(days[0], days[-1] + 1))
    return f"{shown[0]}–{shown[-1]}" if is_row else format_list(shown, locale=data)


def format_choice(items: Sequence[str], locale: str) -> str:
    """Return items as a list of alternatives: "a, b or c"."""
    return format_list(items, style="or", locale=_international(locale))


def country_name(code: str, locale: str) -> str:
    """Return a country's name, such as "Germany" for `DE`. Unknown codes are returned unchanged."""
    name: str = babel_locale(locale).territories.get(code, code)
    return name


def language_name(code: str, locale: str) -> str:
    """Return a language's name, such as "German" for `de`, or "" for an unknown code."""
    name: str = babel_locale(locale).languages.get(code, "")
    return name


def text_direction(locale: str) -> str:
    """Return `rtl` for a language that is written from right to left, otherwise `ltr`."""
    direction: str = babel_locale(locale).text_direction
    return direction


def _in_own_digits(text: str, data: Locale) -> str:
    """Return the text with the digits that the locale uses: ٣ in Egypt, 3 in Morocco."""
    zero = _ZEROS.get(data.default_numbering_system)
    return text.translate({ord("0") + n: ord(zero) + n for n in range(10)}) if zero else text


def _international(locale: str) -> Locale:
    """Return the locale data. English without a region is international English."""
    data = babel_locale(locale)
    return Locale.parse(_INTERNATIONAL) if str(data) == "en" else data


def with_region(locale: str, *others: str) -> str:
    """Return the locale. If it has no region, return the first of `others` in its language that has one, if any."""
    language, _, region = locale.lower().partition("-")
    return locale if region else next((other for other in others if other.lower().startswith(f"{language}-")), locale)


def in_region(language: str, locale: str) -> str:
    """Return the locale if it is in this language, otherwise only the language."""
    return locale if locale.partition("-")[0].lower() == language else language
