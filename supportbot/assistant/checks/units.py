"""The smallest parts of a source that say something by themselves, with what two of them are compared by. Pure.

A unit is a sentence, a row of a table, or one cell of it with the names of its row and column.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from supportbot.language.detection import detect
from supportbot.language.figures import Figure, Known, all_figures_in, known_figures
from supportbot.language.operators import languages_with_operators, operators
from supportbot.language.sentences import split_off
from supportbot.language.words import stem, stop_words, words

_KEY: Final = 6  # letters of a stem that are compared: compounds, and endings that a stemmer leaves, begin alike
_FOREIGN_KEY: Final = 5  # and of a word in two languages: "transport" and "transporte"
_LEAST_FOREIGN: Final = 4
_ROW: Final = re.compile(r"\s*\|.*\|\s*$")
_NO_TEXT: Final = re.compile(r"[\s|:=-]*$")  # an empty line, or the line under a table's head


@dataclass(frozen=True, slots=True)
class Unit:
    """What one sentence or cell says, in a form that compares."""

    keys: frozenset[str]  # how its telling words begin
    foreign_keys: frozenset[str]  # the same, for a comparison with another language: names and international words
    operators: Mapping[str, int] | None  # None in a language whose operators are not known
    figures: Known
    around: tuple["Unit", ...] = ()  # for each figure the words between the one before it and the one behind it

    def keys_for(self, *, is_foreign: bool) -> frozenset[str]:
        return self.foreign_keys if is_foreign else self.keys


@lru_cache(maxsize=256)
def units_of_source(source: str, language: str) -> tuple[tuple[Unit, ...], bool]:
    """Return the units of a source, and whether it is in another language than `language`."""
    spoken = detect(source, language)
    return tuple(_units(source, spoken)), spoken != language


def _units(source: str, language: str) -> Iterator[Unit]:
    head: list[str] = []
    for line in source.split("\n"):
        if _NO_TEXT.match(line):
            continue
        if not _ROW.match(line):
            head = []
            yield from _sentences(line.strip(), language)
        elif not head:
            head = _cells(line)
        else:
            row = _cells(line)
            yield unit_of(" ".join(row), language)
            for name, cell in list(zip(head, row, strict=False))[1:]:
                yield unit_of(f"{row[0]} {name}: {cell}", language)


def _sentences(line: str, language: str) -> Iterator[Unit]:
    while line:
        sentence, line = split_off(line) or (line, "")
        yield unit_of(sentence, language)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def unit_of(text: str, language: str) -> Unit:
    """Return one sentence as a unit."""
    return replace(_unit(text, language), around=tuple(_around(text, language)))


def _unit(text: str, language: str) -> Unit:
    silent = stop_words(language)
    telling = [word for word in words(text) if word not in silent and word.isalpha()]
    return Unit(
        frozenset(_folded(stem(word, language))[:_KEY] for word in telling if len(word) > 1),
        frozenset(_folded(word)[:_FOREIGN_KEY] for word in telling if len(word) >= _LEAST_FOREIGN),
        _simplified(operators(text, language)) if language in languages_with_operators() else None,
        known_figures([text]),
    )


def _around(text: str, language: str) -> Iterator[Unit]:
    figures = figures_of(text, language)
    ends = [0, *(figure.end for figure in figures)]
    starts = [*(figure.start for figure in figures), len(text)]
    for at, figure in enumerate(figures):
        beside = _unit(text[ends[at] : starts[at + 1]], language)
        yield replace(beside, figures=known_figures([text[figure.start : figure.end]]))


def figures_of(text: str, language: str) -> list[Figure]:
    """Return the figures of a text without what is only an article or a particle: German "eine", English "once"."""
    return [figure for figure in all_figures_in(text) if not _is_particle(figure, text, language)]


def _is_particle(figure: Figure, text: str, language: str) -> bool:
    written = text[figure.start : figure.end].casefold()
    is_one = figure.kind == "count" and figure.numbers == {"1"} and written.isalpha()
    return is_one or written in stop_words(language)


def _simplified(found: dict[str, int]) -> dict[str, int]:
    """Return the operators with "you pay nothing" and "costless" read as what they say: free."""
    denied = next((one for one in ("none", "not", "without") if one in found), None)
    if "free" in found:
        return {category: count for category, count in found.items() if category != "without"}
    if "paid" in found and denied is not None:
        return {category: count for category, count in found.items() if category not in ("paid", denied)} | {"free": 1}
    return found


def _folded(word: str) -> str:
    if word.isascii():
        return word
    return "".join(sign for sign in unicodedata.normalize("NFKD", word) if not unicodedata.combining(sign))


def has_money(unit: Unit) -> bool:
    """Return whether an amount of money stands in a unit."""
    return any(measure.isupper() for measure, _ in unit.figures.readings)


def measures_of(readings: frozenset[tuple[str, str]]) -> set[str]:
    """Return what readings of figures count: days, percent, EUR."""
    return {measure for measure, _ in readings}
