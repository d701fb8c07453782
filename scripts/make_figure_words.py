#!/usr/bin/env python3
"""Make `supportbot/language/data/figures.json`: the words with which languages write numbers, units, money and dates.

    pip install babel num2words && python scripts/make_figure_words.py

Units, months, weekdays, currencies and day periods come from Unicode's CLDR (Unicode licence 3.0), number words from
num2words. Neither package is needed to run the product.
"""

import json
from collections import Counter
from pathlib import Path

from babel import Locale
from num2words import num2words

FILE = Path(__file__).parent.parent / "supportbot" / "language" / "data" / "figures.json"
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
WIDESPREAD = 12  # languages
PREPOSITIONS = {"in"}
NUMBERS = (*range(101), 200, 300, 400, 500, 600, 700, 800, 900, 1000)


def main() -> None:
    FILE.parent.mkdir(parents=True, exist_ok=True)
    made = {language: words_of(language) for language in LANGUAGES}
    drop_ambiguous(made)
    lines = [f"{json.dumps(name)}: {json.dumps(words, ensure_ascii=False)}" for name, words in made.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


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
        "periods": {name: periods(data, name) for name in ("am", "pm")},
        "numbers": numbers(language),
    }


def forms(patterns: dict[str, object]) -> list[str]:
    """Return the words of a unit, short and long, in all plurals, without single letters."""
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
    """Return a currency's code, sign and names; of a name of several words, only those that other currencies share.

    "Dollar" alone may mean several currencies; "New Zealand" means none.
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
    """Return the widths to keep: short names in many languages are common words of others ("out", "set", "ago")."""
    return ("wide", "abbreviated") if language in ("en", "de", "fr") else ("wide",)


def names(widths: dict[str, dict[str, dict[int, str]]], number: int, lengths: tuple[str, ...]) -> list[str]:
    """Return the names of a month or day as written: "May" and "may" are different words in English."""
    found = {
        str(widths[context][width][number]).strip(".")
        for context in widths
        for width in lengths
        if number in widths[context].get(width, {})
    }
    return sorted(name for name in found if len(name) > 2 and name.isalpha())


def periods(data: dict[str, dict[str, object]], name: str) -> list[str]:
    widths = data["day_periods"].get("format", {})
    found = {str(widths[width][name]).casefold() for width in widths if name in widths[width]}
    return sorted(found | ({"am", "a.m."} if name == "am" else {"pm", "p.m."}))


def numbers(language: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for number in NUMBERS:
        try:
            spelt = num2words(number, lang=language[:2]).casefold()
        # Raised for a language that num2words lacks or knows in part: it gets no number words here.
        except (NotImplementedError, KeyError, IndexError):
            return {}
        if len(spelt) > 2 and " " not in spelt:  # two letters are words of too many other languages
            found[spelt] = number
    return found


if __name__ == "__main__":
    main()
