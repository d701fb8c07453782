"""Numbers, dates and lists in the format of a locale."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from supportbot.formats import (
    country_name,
    format_choice,
    format_currency,
    format_day,
    format_day_of_year,
    format_moment,
    format_number,
    format_time_of_day,
    in_region,
    language_name,
    text_direction,
    time_zone_name,
    with_region,
)

DAY = date(2026, 3, 4)


@pytest.mark.parametrize(
    ("locale", "long", "short"),
    [
        ("en", "4 March 2026", "4 March"),
        ("en-US", "March 4, 2026", "March 4"),
        ("de", "4. März 2026", "4. März"),
        ("fr", "4 mars 2026", "4 mars"),
        ("es", "4 de marzo de 2026", "4 de marzo"),
        ("it", "4 marzo 2026", "4 marzo"),
        ("nl", "4 maart 2026", "4 maart"),
        ("pl", "4 marca 2026", "4 marca"),
        ("pt", "4 de março de 2026", "4 de março"),
        ("tr", "4 Mart 2026", "4 Mart"),
        ("ar", "4 مارس 2026", "4 مارس"),
        ("ar-EG", "٤ مارس ٢٠٢٦", "٤ مارس"),
        ("xx", "4 March 2026", "4 March"),
    ],
)
def test_days_are_formatted_by_locale(locale: str, long: str, short: str) -> None:
    assert (format_day(DAY, locale), format_day_of_year(DAY.isoformat(), locale)) == (long, short)


def test_an_invalid_date_of_a_merchant_stays_unchanged() -> None:
    assert format_day_of_year("Saturday", "de") == "Saturday"


def test_a_moment_includes_its_time_of_day() -> None:
    moment = datetime(2026, 3, 4, 17, 5, tzinfo=UTC)
    assert (format_moment(moment, "en"), format_moment(moment, "de")) == ("4 Mar 2026 17:05", "04.03.2026 17:05")
    assert format_moment(moment, "en-US") == "Mar 4, 2026 5:05\u202fPM"


@pytest.mark.parametrize(
    ("locale", "shown"),
    [
        ("en", "09:05"), ("en-GB", "09:05"), ("en-US", "9:05\u202fAM"), ("de", "09:05"), ("es", "09:05"),
        ("fr-CA", "09 h 05"), ("en-FI", "09.05"), ("es-AR", "09:05"), ("zh-Hant", "上午9:05"),
        ("ar", "9:05 ص"), ("ar-EG", "٩:٠٥ ص"),
    ],
)  # fmt: skip
def test_a_time_has_the_clock_of_its_locale(locale: str, shown: str) -> None:
    assert format_time_of_day(time(9, 5), locale) == shown


def test_a_locale_without_a_region_gets_that_of_its_own_language() -> None:
    assert with_region("en", "de-AT", "en-US", "en-GB") == "en-US"
    assert (with_region("en-AU", "en-US"), with_region("EN", "de", "en-US")) == ("en-AU", "en-US")
    assert (with_region("en", "de-AT"), with_region("en")) == ("en", "en")
    assert (in_region("en", "en-US"), in_region("de", "en-US"), in_region("en", "EN-us")) == ("en-US", "de", "EN-us")


@pytest.mark.parametrize(
    ("zone", "locale", "shown"),
    [
        ("Europe/Berlin", "en", "Central European Time"),
        ("Europe/Berlin", "de", "Mitteleuropäische Zeit"),
        ("Asia/Kathmandu", "ar", "توقيت نيبال"),
        ("Asia/Kolkata", "en", "India Standard Time"),
        ("America/Lima", "xx", "Peru Time"),
        ("UTC", "de", "Koordinierte Weltzeit"),
        ("Etc/GMT+3", "fr", "UTC-03:00"),
        ("Etc/GMT+3", "ar-EG", "غرينتش-٠٣:٠٠"),
    ],
)
def test_a_time_zone_is_named_in_the_readers_language(zone: str, locale: str, shown: str) -> None:
    assert time_zone_name(ZoneInfo(zone), locale) == shown


@pytest.mark.parametrize(
    ("locale", "shown"), [("en", "a, b or c"), ("de", "a, b oder c"), ("pl", "a, b lub c"), ("ar", "a أو b أو c")]
)
def test_choices_are_listed_by_language(locale: str, shown: str) -> None:
    assert format_choice(["a", "b", "c"], locale) == shown


@pytest.mark.parametrize(
    ("locale", "shown"),
    [
        ("en", "€1,234.50"), ("de", "1.234,50\u00a0€"), ("fr", "1\u202f234,50\u00a0€"), ("nl", "€\u00a01.234,50"),
        ("pt", "1\u00a0234,50\u00a0€"), ("pt-BR", "€\u00a01.234,50"), ("ar", "\u200f1,234.50\u00a0€"),
        ("ar-EG", "\u200f١٬٢٣٤٫٥٠\u00a0€"),
    ],
)  # fmt: skip
def test_amounts_are_formatted_by_locale(locale: str, shown: str) -> None:
    assert format_currency(Decimal("1234.5"), "EUR", 2, locale) == shown


@pytest.mark.parametrize(
    ("currency", "decimals", "shown"),
    [("KWD", 3, "KWD\u00a012.500"), ("JPY", 0, "¥12"), ("USD", 2, "$12.50"), ("CHF", 2, "CHF\u00a012.50")],
)
def test_a_currency_has_its_decimals_and_a_code_is_separated(currency: str, decimals: int, shown: str) -> None:
    assert format_currency(Decimal("12.5"), currency, decimals, "en") == shown


def test_names_and_numbers_are_formatted_by_locale() -> None:
    assert (country_name("DE", "pl"), country_name("XX", "pl")) == ("Niemcy", "XX")
    assert (language_name("de", "tr"), language_name("xx", "tr")) == ("Almanca", "")
    assert (format_number(12345, "de"), format_number(12345, "ar-EG")) == ("12.345", "١٢٬٣٤٥")
    assert (text_direction("ar-MA"), text_direction("pl")) == ("rtl", "ltr")
