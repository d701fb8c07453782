"""Formats dates, numbers and money for the active language.

English is British English: the day comes first, and the clock has 24 hours, as in the team's other languages.
"""

from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_skeleton
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent, get_currency_precision
from django.utils.timezone import localtime
from django.utils.translation import get_language, get_language_info, gettext

from supportbot.formats import format_currency

_BRITISH: Final = "en_GB"


def active_language() -> str:
    """Return the active language without its region, such as `de`."""
    return (get_language() or "en").partition("-")[0]


@cache
def _locale_of(language: str) -> Locale:
    return Locale.parse(_BRITISH if language == "en" else language)


def _locale() -> Locale:
    return _locale_of(active_language())


def day(moment: date, *, with_year: bool = True) -> str:
    """Return a day, such as `28 Nov 2026` or `28. Nov. 2026`. Times are converted to the active time zone."""
    local = localtime(moment) if isinstance(moment, datetime) else moment
    return format_skeleton("yMMMd" if with_year else "MMMd", local, locale=_locale())


def weekday(number: int) -> str:
    """Return the short name of a weekday, such as `Mon` for 0."""
    return str(_locale().days["format"]["abbreviated"][number])


def month(moment: datetime) -> str:
    """Return a month with its year, such as `November 2026`."""
    return format_skeleton("yMMMM", localtime(moment), locale=_locale())


def clock_time(moment: datetime, *, with_seconds: bool = False) -> str:
    """Return a time of day in the active time zone, such as `06:50` or `06:50:12`."""
    return f"{localtime(moment):%H:%M:%S}" if with_seconds else f"{localtime(moment):%H:%M}"


def date_time(moment: datetime, *, with_year: bool = True, with_seconds: bool = False) -> str:
    """Return a day and a time of day, such as `28 Nov 2026, 06:50`."""
    joined = str(_locale().datetime_formats["medium"])  # such as "{1}, {0}"
    return joined.format(clock_time(moment, with_seconds=with_seconds), day(moment, with_year=with_year))


def time_zone(name: str) -> str:
    """Return a time zone with its current difference from UTC, such as `Europe/Berlin, UTC+01:00`."""
    difference = f"{localtime(timezone=ZoneInfo(name)):%z}"
    return name if name == "UTC" else f"{name}, UTC{difference[:3]}:{difference[3:5]}"


def number(value: int | float | Decimal, *, decimals: int | None = None) -> str:
    """Return a number with grouped thousands, such as `1,234.5` or `1.234,5`.

    If `decimals` is given, it has exactly that many decimal places.
    """
    if decimals is None:
        return format_decimal(value, format="#,##0.############", locale=_locale())
    return format_decimal(value, format=f"#,##0.{'0' * decimals}" if decimals else "#,##0", locale=_locale())


def cost(amount: Decimal, currency: str) -> str:
    """Return a cost, such as `€12.50` or `12,50 €`.

    If it is below ten of the currency's smallest units, it has two significant digits, such as `€0.0032` or `€0.0030`.
    Without a currency, return only the number.
    """
    decimals = get_currency_precision(currency) if currency else 2
    if amount < Decimal(10) ** (1 - decimals):
        amount = Decimal(f"{amount:.2g}")
        decimals = max(decimals, 1 - amount.adjusted()) if amount else decimals
    if not currency:
        return number(amount, decimals=decimals)
    return format_currency(amount, currency, decimals, str(_locale()))


def percentage(share: float) -> str:
    """Return a share, from 0 to 100, as a whole percentage, such as `45%` or `45 %`."""
    return format_percent(round(share) / 100, locale=_locale())


def language_name(locale: str) -> str:
    """Return the name of a locale, such as `German` or `German (de-AT)`, or its code if it has no name."""
    code = locale.partition("-")[0].lower()
    try:
        name = str(get_language_info(code)["name_translated"])
    except KeyError:
        return locale
    return name if locale == code else f"{name} ({locale})"


def labelled(label: str, value: str) -> str:
    """Return "label: value". In French, there is a space before the colon."""
    return gettext("{label}: {value}").format(label=label, value=value)


def listed(names: list[str] | tuple[str, ...]) -> str:
    """Join names into a list for use in a sentence, such as `Ada, Bob and Cleo`."""
    return format_list(names, style="standard", locale=_locale())
