"""The words and signs that turn a number into a figure, in all languages: units, money, months, weekdays, numbers.
Pure.

They come from CLDR (`data/figures.json`, made by `scripts/make_figure_words.py`).
"""

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from supportbot.language.normalise import fold_homoglyphs

_DATA: Final = Path(__file__).parent / "data" / "figures.json"
_LEAST_STEM: Final = 3  # letters that the word for a unit must have without its ending
_JOINING: Final = ("de", "nl", "da", "sv", "nb", "fi", "hu")  # languages that write "working days" as one word
_MOST_ENDING: Final = 2
_LONGEST: Final = 40  # letters; very long words would take quadratic time


@dataclass(frozen=True)
class FigureWords:
    units: dict[str, frozenset[str]]
    money: dict[str, frozenset[str]]
    months: dict[str, int]
    weekdays: dict[str, int]
    short_weekdays: dict[str, frozenset[int]]  # "ma" is a day in several languages
    joining: set[str]  # "and", "or"
    periods: dict[str, int]  # hours to add to 12-hour time
    numbers: dict[str, int]
    number_languages: dict[str, frozenset[str]]
    last_parts: dict[str, frozenset[str]]  # units at the end of compounds
    languages: dict[str, frozenset[str]]  # the languages in which a form stands for a unit


@lru_cache(maxsize=4_096)
def units_of(word: str, language: str = "") -> frozenset[str]:
    """Return the units that a word or sign may stand for in any language, also inflected or at the end of a compound.

    If the text's language is known, only words of that language may be inflected or joined: "fits" is not the Turkish
    "fit" (foot), and "Germany" does not end with the Swedish "mån" (month).
    """
    word = word.rstrip(".")
    known = figure_words().units
    if found := known.get(word) or figure_words().money.get(word):
        return found
    if len(word) > _LONGEST:
        return frozenset()
    if not word.isalpha():
        return units_of(word.partition("-")[0], language) if "-" in word else frozenset()
    for cut in range(1, _MOST_ENDING + 1):
        base = word[:-cut]
        if (
            len(base) >= _LEAST_STEM
            and _is_of(language, base)
            and (found := known.get(base) or figure_words().money.get(base))
        ):
            return found
    if language and language not in _JOINING:
        return frozenset()
    for first in range(2, len(word) - _LEAST_STEM + 1):
        for part in (word[first:], word[first:-1]):
            if _is_of(language, part) and (found := figure_words().last_parts.get(part)):
                return found
    return frozenset()


def _is_of(language: str, form: str) -> bool:
    """Return whether a form stands for a unit in this language; "" means any language."""
    return not language or language in figure_words().languages.get(form, ())


def is_unit_in(language: str, word: str) -> bool:
    """Return whether a word stands for a unit or for money in this language."""
    known = figure_words().languages.get(word.lower())
    return language in known if known is not None else bool(units_of(word.lower(), language))


def named(names: dict[str, int], word: str, *, in_any_case: bool) -> int | None:
    """Return the number of a month or weekday. Its capitalisation must be right for the language, because English "may"
    is a verb. With `in_any_case`, capitals are optional, because customers often leave them out.
    """
    number = names.get(word)
    if number is None:
        number = names.get(word.lower())
    return names.get(word.capitalize()) if number is None and in_any_case else number


@cache
def figure_words() -> FigureWords:
    """Return the words of all languages in the form of `fold_homoglyphs`, because texts are read without accents."""
    data = json.loads(_DATA.read_text())
    words = FigureWords({}, {}, {}, {}, {}, set(), {}, {}, {}, {}, {})
    for name, language in data.items():
        if name in _JOINING:
            for unit, forms in language["units"].items():
                words.last_parts.update(
                    {fold_homoglyphs(form): frozenset({unit}) for form in forms if len(form) >= _LEAST_STEM}
                )
        for table, target in ((language["units"], words.units), (language["money"], words.money)):
            for unit, forms in table.items():
                for form in map(fold_homoglyphs, forms):
                    target[form] = target.get(form, frozenset()) | {unit}
                    words.languages[form] = words.languages.get(form, frozenset()) | {name.partition("_")[0]}
        for table, numbered in ((language["months"], words.months), (language["weekdays"], words.weekdays)):
            for number, names in table.items():
                for form in map(fold_homoglyphs, names):
                    numbered.setdefault(form, int(number))
        for number, names in language["short_weekdays"].items():
            for form in map(fold_homoglyphs, names):
                words.short_weekdays[form] = words.short_weekdays.get(form, frozenset()) | {int(number)}
        words.joining.update(map(fold_homoglyphs, language["joining"]))
        for period, hours in (("am", 0), ("pm", 12)):
            for form in language["periods"][period]:
                if len(bare := form.replace(".", "")) == 2:
                    words.periods.setdefault(bare, hours)
        for form, value in language["numbers"].items():
            number = fold_homoglyphs(form)
            words.numbers.setdefault(number, value)
            spoken = words.number_languages.get(number, frozenset())
            words.number_languages[number] = spoken | {name.partition("_")[0]}
    return words
