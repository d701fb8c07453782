"""Statements with figures in text: its sentences, and the cells of its tables. Pure.

A cell is read with the names of its row and column: "Austria, Delivery costs: €6.90". Two statements are about
different things if each names something that the other does not: a country, a size, a service.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from supportbot.language.figures import Figure, figures_in, figures_read_in, without_figures
from supportbot.language.plain_text import plain
from supportbot.language.sentences import sentences_of
from supportbot.language.words import content_stems, words

LEAST_PARALLEL: Final = 2
COMPARED: Final = ("measure", "money")
_WORD: Final = re.compile(r"\w+")
_RULE: Final = re.compile(r"^[ \t]*+\|?[ \t]*+:?--[-:| \t]*+$")
_OF_A_RANGE: Final = re.compile(r"[^\w.;]*(?:[^\W\d_]{1,3}[^\w.;]*)?")  # between its ends: "3–4", "3 to 4", "3 bis 4"
_BAR: Final = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence or cell with figures: its words, its values by unit, and the names in it.

    `stems` leaves out the words of the figures; `words` are all words. `names` are the names and numbers in a sentence,
    or all words of a row's name (`is_row`). `line` contains a sentence's stems in order. `column` is the name of a
    cell's column, if it has two words or more: a sentence may say "costs" instead of a single word such as "Price".
    """

    text: str
    stems: frozenset[str]
    values: dict[str, frozenset[str]]
    names: frozenset[str]
    words: frozenset[str]
    is_row: bool = False
    column: frozenset[str] = frozenset()
    line: tuple[str, ...] = ()


def statements_of(text: str, locale: str) -> Iterator[Statement]:
    """Yield the sentences and cells of a Markdown text that contain a measure or an amount."""
    lines, place = text.splitlines(), 0
    while place < len(lines):
        rows = _table_at(lines, place)
        if rows:
            yield from _cells(rows, locale)
            place += len(rows)
        else:
            prose = [lines[place]]
            while place + len(prose) < len(lines) and not _is_row(lines[place + len(prose)]):
                prose.append(lines[place + len(prose)])
            yield from _sentences("\n".join(prose), locale)
            place += len(prose)


def same_subject(one: Statement, other: Statement) -> bool:
    """Return whether two statements may be about the same thing: false if each names something that the other does not.

    A sentence is about a cell's subject if it contains all words in the names of the cell's row and column.
    """
    if one.is_row != other.is_row:
        cell, sentence = (one, other) if one.is_row else (other, one)
        return cell.names | cell.column <= sentence.words
    if _each_has_more(one.names, other.names) or _each_has_more(one.column, other.column):
        return False
    # Sentences that differ in a single word have different subjects: "Standard delivery costs", "Express delivery
    # costs".
    is_parallel = len(one.line) == len(other.line) > LEAST_PARALLEL
    return not (is_parallel and sum(ours != theirs for ours, theirs in zip(one.line, other.line, strict=True)) == 1)


def _each_has_more(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one - other and other - one)


def _sentences(text: str, locale: str) -> Iterator[Statement]:
    for paragraph in plain(text).splitlines():
        for sentence in sentences_of(paragraph):
            found = figures_read_in(sentence, locale)
            if values := values_of(found):
                known = _forms(sentence, locale)
                names = _names_in(sentence) | _numbers(sentence, found)
                line = tuple(
                    stem for word in words(_without_units(sentence)) for stem in sorted(content_stems(word, locale))
                )
                yield Statement(sentence.strip(), topic(sentence, locale), values, names, known, line=line)


def _table_at(lines: Sequence[str], place: int) -> list[str]:
    end = place
    while end < len(lines) and _is_row(lines[end]):
        end += 1
    return list(lines[place:end])


def _is_row(line: str) -> bool:
    return line.lstrip().startswith("|")


def _cells(rows: Sequence[str], locale: str) -> Iterator[Statement]:
    """Yield the cells with figures of a table; a passage may begin in the middle of one, without its header."""
    has_header = len(rows) > 1 and bool(_RULE.match(rows[1]))
    header = _split(rows[0]) if has_header else []
    for row in rows[2:] if has_header else rows:
        name, *cells = _split(row)
        if not any(letter.isalpha() for letter in name) and header:
            name = f"{header[0]} {name}".strip()
        for place, cell in enumerate(cells, start=1):
            title = header[place] if place < len(header) else ""
            # The unit may be in the column's name: "2 to 3" below "Working days".
            values = values_of(figures_read_in(cell, locale)) or values_of(figures_read_in(f"{cell} {title}", locale))
            if values and name:
                text = f"{name}, {title}: {cell}" if title else f"{name}: {cell}"
                known, names, column = _forms(text, locale), _forms(name, locale), topic(title, locale)
                column = column if len(column) > 1 else frozenset()
                yield Statement(text, topic(text, locale), values, names, known, is_row=True, column=column)


def _split(row: str) -> list[str]:
    return [plain(cell) for cell in _BAR.split(row.strip().strip("|"))]


def values_of(figures: Sequence[Figure]) -> dict[str, frozenset[str]]:
    """Return the measures and amounts by unit."""
    found: dict[str, frozenset[str]] = {}
    for figure in figures:
        if figure.kind in COMPARED:
            for unit, value in figure.readings:
                found[unit] = found.get(unit, frozenset()) | {value}
    return found


def topic(sentence: str, locale: str) -> frozenset[str]:
    """Return the stems of a sentence without its figures and their units, which say nothing about its subject."""
    return frozenset(content_stems(_without_units(sentence), locale) - {"0"})


def _without_units(sentence: str) -> str:
    kept, end = list[str](), 0
    for figure in figures_in(sentence):
        kept.append(sentence[end : figure.start])
        end = figure.end
    return without_figures(" 0 ".join([*kept, sentence[end:]]))


def _forms(text: str, locale: str) -> frozenset[str]:
    """Return the stems of the text, its numbers and its single letters, such as a size."""
    short = (word for word in words(text) if word.isdigit() or len(word) == 1)
    return frozenset({*content_stems(text, locale), *short})


def _names_in(sentence: str) -> frozenset[str]:
    """Return the capitalised words after the first: names, and in German all nouns."""
    capitalised = [word for word in _WORD.findall(_without_units(sentence))[1:] if word[:1].isupper()]
    return frozenset(word.casefold() for word in capitalised if not word.isupper())


def _numbers(sentence: str, figures: Sequence[Figure]) -> frozenset[str]:
    """Return the numbers without a unit, such as a size, except for the beginning of a range, as in "3 to 4 days"."""
    ends = [*(one.start for one in figures[1:]), None]
    found = [
        one.numbers
        for one, end in zip(figures, ends, strict=True)
        if one.kind in ("count", "name") and not (end and _OF_A_RANGE.fullmatch(sentence, one.end, end))
    ]
    return frozenset().union(*found)
