#!/usr/bin/env python3
"""Make `figures.json` and `days.json` in `supportbot/language/data`.

They contain the words for numbers, units, money and dates in each language, and the words for days relative to today.

    pip install babel num2words && python scripts/make_figure_words.py

Units, months, weekdays, currencies and day periods come from Unicode's CLDR (Unicode licence 3.0), number words from
num2words. Neither package is needed to run the product.
"""

import json
from collections import Counter
from pathlib import Path

from babel import Locale
from num2words import num2words

DATA = Path(__file__).parent.parent / "supportbot" / "language" / "data"
LANGUAGES = (
    "en", "en_GB",
    "de", "fr", "es", "it", "nl", "pl", "pt", "tr", "da", "sv", "nb", "fi", "cs", "sk", "hu", "ro", "ru", "uk",
    "el", "ja", "zh", "ko", "th", "vi", "id", "ar", "he",
)  # fmt: skip
UNITS = {
    "second": "duration-second", "minute": "duration-minute", "hour": "duration-hour", "day": "duration-day",
    "week": "duration-week", "month": "duration-month", "year": "duration-year", "night": "duration-night",
    "kilometre": "length-kilometer", "metre": "length-meter", "centimetre": "length-centimeter",
    "millimetre": "length-millimeter", "mile": "length-mile", "foot": "length-foot", "inch": "length-inch",
    "yard": "length-yard", "kilogram": "mass-kilogram", "gram": "mass-gram", "milligram": "mass-milligram",
    "tonne": "mass-tonne", "ounce": "mass-ounce", "celsius": "temperature-celsius",
    "fahrenheit": "temperature-fahrenheit", "litre": "volume-liter", "millilitre": "volume-milliliter",
    "gallon": "volume-gallon", "terabyte": "digital-terabyte", "gigabyte": "digital-gigabyte",
    "megabyte": "digital-megabyte", "kilobyte": "digital-kilobyte", "watt": "power-watt", "kilowatt": "power-kilowatt",
    "kilowatt_hour": "energy-kilowatt-hour", "volt": "electric-volt", "percent": "concentr-percent",
    "square_metre": "area-square-meter", "kilometre_per_hour": "speed-kilometer-per-hour",
}  # fmt: skip
CURRENCIES = (
    "EUR", "USD", "GBP", "CHF", "JPY", "CNY", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "RON", "TRY", "RUB", "UAH",
    "INR", "PKR", "LKR", "EGP", "LBP", "ISK", "COP", "ARS", "BRL", "CAD", "AUD", "NZD", "MXN", "KRW", "THB", "VND",
    "IDR", "ILS", "AED", "SAR", "ZAR",
)  # fmt: skip
WIDESPREAD = 12  # units of one or two letters are kept if at least this many languages use them
PREPOSITIONS = {"in"}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# CLDR has no English words for these two.
MORE_DAYS = {"en": {"day before yesterday": -2, "day after tomorrow": 2}}
# Where the word for tomorrow also means morning.
MORNINGS = {
    "de": ["guten Morgen"],
    "es": ["por la mañana", "de la mañana", "en la mañana", "a la mañana"],
    "nl": ["goede morgen", "in de morgen"],
}
NUMBERS = (*range(101), 200, 300, 400, 500, 600, 700, 800, 900, 1000)


def main() -> None:
    DATA.mkdir(parents=True, exist_ok=True)
    made = {language: words_of(language) for language in LANGUAGES}
    drop_ambiguous(made)
    write("figures.json", made)
    write("days.json", {language: relative_days(language) for language in LANGUAGES if "_" not in language})


def write(name: str, made: dict[str, dict[str, object]]) -> None:
    lines = [f"{json.dumps(language)}: {json.dumps(words, ensure_ascii=False)}" for language, words in made.items()]
    (DATA / name).write_text("{\n" + ",\n".join(lines) + "\n}\n")


def drop_ambiguous(made: dict[str, dict[str, dict[str, list[str]]]]) -> None:
    """Leave out units of one or two letters that few languages use: "to" is a terabyte only in French."""
    counts = Counter(form for words in made.values() for forms in words["units"].values() for form in forms)
    for words in made.values():
        for name, forms in words["units"].items():
            kept = [form for form in forms if len(form) > 2 or not form.isalpha() or not form.isascii()]
            kept += [
                form for form in forms if form not in kept and counts[form] >= WIDESPREAD and form not in PREPOSITIONS
            ]
            words["units"][name] = kept


def words_of(language: str) -> dict[str, dict[str, object]]:
    data = Locale.parse(language)._data
    return {
        "units": {name: forms(data["unit_patterns"].get(key, {})) for name, key in UNITS.items()},
        "money": {code: money(data, code) for code in CURRENCIES},
        "months": {str(number): names(data["months"], number, month_widths(language)) for number in range(1, 13)},
        "weekdays": {str(number): names(data["days"], number, ("wide",)) for number in range(7)},
        "short_weekdays": {str(number): names(data["days"], number, ("abbreviated",), least=2) for number in range(7)},
        "joining": joining(language),
        "periods": {name: periods(data, name) for name in ("am", "pm")},
        "numbers": numbers(language),
    }


def relative_days(language: str) -> dict[str, object]:
    """Return a language's words for days near today and for weekdays of this, the last and the next week, and the words
    around a number of days: "in 3 days", "3 days ago".
    """
    fields = Locale.parse(language)._data["date_fields"]
    days = {name: steps for steps, name in fields["day"]["relative"].items()}
    weekdays = {
        name: [number, week] for number, day in enumerate(WEEKDAYS) for week, name in fields[day]["relative"].items()
    }
    around = {
        tense: sorted(
            {
                tuple(word.strip() for word in (pattern.split("{0}")[0], last_word(pattern.split("{0}")[1])))
                for unit in ("day", "week")
                for pattern in fields[unit][tense].values()
                if "{0}" in pattern
            }
        )
        for tense in ("future", "past")
    }
    weeks = {name: step for step, name in fields["week"]["relative"].items()}
    mornings = MORNINGS.get(language, [])
    return {
        "days": days | MORE_DAYS.get(language, {}),
        "mornings": mornings,
        "weeks": weeks,
        "weekdays": weekdays,
        **around,
    }


def last_word(unit_and_more: str) -> str:
    """Return the words after the unit: "ago" of " days ago"."""
    return unit_and_more.strip().partition(" ")[2]


def forms(patterns: dict[str, object]) -> list[str]:
    """Return the names of a unit, short and long, in all plurals, without single letters."""
    found: dict[str, None] = {}
    for length in ("long", "short"):
        for pattern in (patterns.get(length) or {}).values():
            if isinstance(pattern, str) and "{0}" in pattern:
                found[pattern.replace("{0}", "").strip(" \u00a0\u202f-.").casefold()] = None
    return [form for form in found if is_word(form)]


def is_word(form: str) -> bool:
    is_single_letter = len(form) == 1 and form.isalpha() and form.isascii() and form != "h"
    return bool(form) and not is_single_letter and " " not in form and "/" not in form


def money(data: dict[str, dict[str, object]], code: str) -> list[str]:
    """Return a currency's code, sign and names. If a name has several words, only words that also occur in other
    currencies' names are used.

    "New Zealand dollar" gives "dollar", which may mean several currencies, but not "New" and "Zealand".
    """
    sign = str(data["currency_symbols"].get(code, code)).casefold().strip(".")
    shared = Counter(part for other in CURRENCIES for part in {word for name in named(data, other) for word in name})
    single = {name[0] for name in named(data, code) if len(name) == 1}
    parts = {word for name in named(data, code) for word in name if shared[word] > 1 and len(word) > 2}
    return sorted(part for part in {code.casefold(), sign, *single, *parts} if len(part) > 1 or not part.isalnum())


def named(data: dict[str, dict[str, object]], code: str) -> list[list[str]]:
    """Return the names of a currency, in singular and plural, each as a list of words."""
    plurals = data["currency_names_plural"].get(code, {}).values()
    names = (str(name).casefold() for name in (data["currency_names"].get(code, code), *plurals))
    return [name.replace("-", " ").split() for name in names]


def month_widths(language: str) -> tuple[str, ...]:
    """Return the widths (full or abbreviated names) to keep. Most languages' abbreviations are common words in another
    language ("out", "set", "ago").
    """
    return ("wide", "abbreviated") if language in ("en", "de", "fr") else ("wide",)


def names(
    widths: dict[str, dict[str, dict[int, str]]], number: int, lengths: tuple[str, ...], *, least: int = 3
) -> list[str]:
    """Return the names of a month or day as written: "May" and "may" are different words in English."""
    found = {
        str(widths[context][width][number]).strip(".")
        for context in widths
        for width in lengths
        if number in widths[context].get(width, {})
    }
    return sorted(name for name in found if len(name) >= least and name.isalpha())


def joining(language: str) -> list[str]:
    """Return the words that join two things as a list and not as a range: "and", "or"."""
    patterns = Locale.parse(language).list_patterns
    found = {patterns[kind]["2"].replace("{0}", "").replace("{1}", "").strip() for kind in ("standard", "or")}
    return sorted(word.casefold() for word in found if word.isalpha())


def periods(data: dict[str, dict[str, object]], name: str) -> list[str]:
    widths = data["day_periods"].get("format", {})
    found = {str(widths[width][name]).casefold() for width in widths if name in widths[width]}
    return sorted(found | ({"am", "a.m."} if name == "am" else {"pm", "p.m."}))


def numbers(language: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for number in NUMBERS:
        try:
            spelt = num2words(number, lang=language[:2]).casefold()
        # Raised for a language that num2words lacks or knows only in part; such a language gets no number words.
        except (NotImplementedError, KeyError, IndexError):
            return {}
        if len(spelt) > 2 and " " not in spelt:  # words of two letters exist in too many other languages
            found[spelt] = number
    return found


if __name__ == "__main__":
    main()
