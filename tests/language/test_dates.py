"""Written days, read by a locale."""

from datetime import date

import pytest

from supportbot.formats import format_day
from supportbot.language.dates import days_in

LOCALES = ("en", "en-US", "en-GB", "de", "fr", "es", "it", "nl", "pl", "pt", "tr", "ar")


@pytest.mark.parametrize(
    ("text", "locale", "days"),
    [
        ("5 March 2027", "en", ["2027-03-05"]),
        ("March 5, 2027 at 10:00", "en", ["2027-03-05"]),
        ("from 5 March to 7 March 2027", "en", ["2027-03-05", "2027-03-07"]),
        ("5.3.2027", "en", ["2027-03-05"]),
        ("05.03.27", "de", ["2027-03-05"]),
        ("5/3/2027", "fr", ["2027-03-05"]),
        ("5/3/2027", "en-GB", ["2027-03-05"]),
        ("5/3/2027", "en-US", ["2027-05-03"]),
        ("5/13/2027", "en", ["2027-05-13"]),
        ("2027-03-05", "de", ["2027-03-05"]),
        ("5/3/2027", "en", [None]),  # a day of March or of May
        ("5 March", "en", [None]),
        ("31.2.2027", "de", [None]),
        ("H-2048 for 2 guests", "en", []),
    ],
)
def test_a_day_is_read_as_the_locale_writes_it(text: str, locale: str, days: list[str | None]) -> None:
    assert [one.day and one.day.isoformat() for one in days_in(text, locale)] == days


@pytest.mark.parametrize("locale", LOCALES)
def test_what_we_write_is_read_as_the_same_day(locale: str) -> None:
    for month in range(1, 13):
        day = date(2027, month, 5)
        assert [one.day for one in days_in(format_day(day, locale), locale)] == [day], month
