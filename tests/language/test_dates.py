"""Days in texts, read as the locale writes them."""

import json
from datetime import date
from pathlib import Path

import pytest

from supportbot import language
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
        ("5/3/2027", "en", [None]),  # a day in March or in May
        ("5 March", "en", [None]),
        ("31.2.2027", "de", [None]),
        ("H-2048 for 2 guests", "en", []),
    ],
)
def test_a_day_is_read_as_the_locale_writes_it(text: str, locale: str, days: list[str | None]) -> None:
    assert [one.day and one.day.isoformat() for one in days_in(text, locale)] == days


@pytest.mark.parametrize("locale", LOCALES)
def test_a_day_that_we_have_formatted_is_read_as_the_same_day(locale: str) -> None:
    for month in range(1, 13):
        day = date(2027, month, 5)
        assert [one.day for one in days_in(format_day(day, locale), locale)] == [day], month


TODAY = date(2026, 11, 28)  # a Saturday


@pytest.mark.parametrize(
    ("text", "locale", "day"),
    [
        ("Can you deliver it tomorrow?", "en", "2026-11-29"),
        ("The day after tomorrow, please", "en", "2026-11-30"),
        ("the day before yesterday", "en", "2026-11-26"),
        ("on friday", "en", "2026-12-04"),
        ("Friday, the 4th of December 2026", "en", "2026-12-04"),
        ("in three days", "en", "2026-12-01"),
        ("I bought it 2 weeks ago", "en", "2026-11-14"),
        ("Friday next week", "en", "2026-12-04"),
        ("next Monday", "en", "2026-11-30"),
        ("Ich möchte morgen kommen", "de", "2026-11-29"),
        ("Übermorgen passt es", "de", "2026-11-30"),
        ("Freitag, den 4. Dezember 2026", "de", "2026-12-04"),
        ("vor zwei Wochen", "de", "2026-11-14"),
        ("après-demain", "fr", "2026-11-30"),
        ("aujourd'hui", "fr", "2026-11-28"),
        ("vendredi prochain", "fr", "2026-12-04"),
        ("pasado mañana", "es", "2026-11-30"),
        ("dopodomani", "it", "2026-11-30"),
        ("overmorgen", "nl", "2026-11-30"),
        ("za dwa dni", "pl", "2026-11-30"),
        ("depois de amanhã", "pt", "2026-11-30"),
        ("3 gün sonra", "tr", "2026-12-01"),
        ("YARIN gelin", "tr", "2026-11-29"),
        ("yarin icin masa", "tr", "2026-11-29"),
        ("Yarın", "tr", "2026-11-29"),
        ("غدًا", "ar", "2026-11-29"),
    ],
)
def test_a_relative_day_counts_from_the_day_on_which_the_text_was_written(text: str, locale: str, day: str) -> None:
    assert [one.day and one.day.isoformat() for one in days_in(text, locale, TODAY)] == [day]
    assert day[:4] in text or not days_in(text, locale)


@pytest.mark.parametrize(
    ("text", "locale", "written_on", "possible"),
    [
        ("next Friday", "en", date(2026, 11, 25), ["2026-11-27", "2026-12-04"]),
        ("last Friday", "en", date(2026, 11, 28), ["2026-11-20", "2026-11-27"]),
        ("5 March", "en", TODAY, ["2026-03-05", "2027-03-05"]),
        ("this Monday", "en", date(2026, 11, 24), ["2026-11-23", "2026-11-30"]),
    ],
)
def test_an_ambiguous_day_stays_undecided(text: str, locale: str, written_on: date, possible: list[str]) -> None:
    [found] = days_in(text, locale, written_on)
    assert found.day is None and [one.isoformat() for one in found.possible] == possible


def test_every_name_of_a_day_is_read_in_any_case() -> None:
    data = json.loads((Path(language.__file__).parent / "data" / "days.json").read_text(encoding="utf-8"))
    for locale, words in data.items():
        for name in (*words["days"], *words["weekdays"], *words["mornings"]):
            for written in (name, name.upper(), name.lower(), name.replace("i", "ı"), name.replace("i", "İ")):
                days_in(written, locale, TODAY)
            assert days_in(name, locale, TODAY) or name in words["mornings"], (locale, name)


def test_weekdays_of_two_weeks_are_unclear() -> None:
    found = days_in("last week Tuesday did not work, next week Friday would", "en", TODAY)
    assert [one.day for one in found] == [None, None]


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("Guten Morgen, ich habe eine Frage", "de"),
        ("hallo, guten morgen", "de"),
        ("goede morgen", "nl"),
        ("por la mañana", "es"),
        ("within 3 days", "en"),
        ("3 days", "en"),
    ],
)
def test_text_without_a_day_has_none(text: str, locale: str) -> None:
    assert days_in(text, locale, TODAY) == ()
