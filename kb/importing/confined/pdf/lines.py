"""Turning pieces of text with positions into lines: text on one baseline, cut at gaps, in reading order. Pure."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Final

from kb.importing.confined.pdf.canvas import PageText, Run
from kb.importing.confined.pdf.gaps import WORD_GAP, Upright, closed_up, cut, strips
from kb.importing.confined.pdf.right_to_left import as_seen, logical

SAME_LINE: Final = 0.45  # difference between baselines, in letters: raised and lowered characters stay on their line
EDGE: Final = 0.1  # share of a page's height
TABLE_STEP: Final = 2.5  # largest distance between the column names and the first row, in letters
_RAISED: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_DIGITS: Final = re.compile(r"[0-9]{1,4}")
MOST_MASKED: Final = 200
# Ligatures, and the shapes that Arabic letters take in a font.
_PRESENTATION: Final = re.compile("[\ufb00-\ufb06\ufb13-\ufb4f\ufb50-\ufdff\ufe70-\ufeff]")
Mask = tuple[str, int]  # a line's text and approximate height


@dataclass(frozen=True, slots=True)
class Line:
    """A line, or the part of one between two wide gaps."""

    text: str
    x0: float
    x1: float
    y: float
    size: float
    is_bold: bool
    page: int


def plain_text(runs: Sequence[Run]) -> str:
    """Return the words of some pieces of text, from top to bottom."""
    return " ".join(line.text for row in rows_of(runs, 0) for line in row)


def rows_of(runs: Sequence[Run], page: int, uprights: Sequence[Upright] = ()) -> list[list[Line]]:
    """Return the lines of a page from top to bottom, each from left to right, cut at wide gaps and vertical lines."""
    rows: list[list[Run]] = []
    for run in sorted(runs, key=lambda run: -run.y):
        near = [row for row in rows[-3:] if abs(row[0].y - run.y) <= SAME_LINE * max(row[0].size, run.size)]
        if near:
            near[-1].append(run)
        else:
            rows.append([run])
    ordered = [closed_up(sorted(row, key=lambda run: run.x0)) for row in rows]
    between = strips(ordered)
    return [[_line(part, page) for part in cut(row, uprights, between)] for row in ordered]


def _line(runs: Sequence[Run], page: int) -> Line:
    text = ""
    largest = max(runs, key=lambda run: run.size)
    for last, run in zip([None, *runs], runs, strict=False):
        is_apart = last is not None and run.x0 - last.x1 > WORD_GAP * run.size
        piece = _raised(run, largest)
        text += f" {piece}" if is_apart and not text.endswith(" ") and not piece.startswith(" ") else piece
    text = _PRESENTATION.sub(lambda found: as_seen(unicodedata.normalize("NFKC", found.group())), text)
    letters = sum(len(run.text) for run in runs)
    size = max(runs, key=lambda run: len(run.text)).size
    is_bold = sum(len(run.text) for run in runs if run.is_bold) * 2 > letters
    words = " ".join(logical(text).split())
    return Line(words, runs[0].x0, runs[-1].x1, runs[0].y, size, is_bold, page)


def _raised(run: Run, base: Run) -> str:
    """Return the text of a run; a footnote's raised number stays raised, or it would join the word before it."""
    is_raised = run.size <= 0.85 * base.size and run.y > base.y + 0.1 * base.size and run.text.strip().isdigit()
    return run.text.translate(_RAISED) if is_raised else run.text


def without_repeated(rows: Sequence[list[list[Line]]], pages: Sequence[PageText]) -> list[list[list[Line]]]:
    """Return the lines without those at the edge of at least half of the pages: page numbers and running titles. Text
    beside such lines is also removed, since a running title may change with the chapter.
    """
    at_edge = [
        {mask for row in lines if not _is_inside(row[0].y, page) for mask in _masks(row)}
        for lines, page in zip(rows, pages, strict=True)
    ]
    counts = Counter(mask for masks in at_edge for mask in masks)
    repeated = {mask for mask, count in counts.items() if count > 1 and count >= len(pages) / 2}
    return [_inner(lines, page, repeated) for lines, page in zip(rows, pages, strict=True)]


def _inner(rows: Sequence[list[Line]], page: PageText, repeated: Set[Mask]) -> list[list[Line]]:
    """Return the lines of a page without those that are repeated, unless they are a table's column names."""
    found = [_is_inside(row[0].y, page) or repeated.isdisjoint(_masks(row)) for row in rows]
    return [row for at, row in enumerate(rows) if found[at] or _is_of_table(rows, at, found)]


def _is_of_table(rows: Sequence[list[Line]], at: int, kept: Sequence[bool]) -> bool:
    row, size = rows[at], rows[at][0].size
    below = next((other for other in rows[at + 1 :]), None)
    return (
        below is not None
        and kept[at + 1]
        and min(len(row), len(below)) > 1
        and row[0].y - below[0].y <= TABLE_STEP * size
    )


def _is_inside(y: float, page: PageText) -> bool:
    edge = (page.top - page.bottom) * EDGE
    return page.bottom + edge < y < page.top - edge


def _masks(row: Sequence[Line]) -> Iterator[Mask]:
    """Yield the parts of a row as they may repeat on other pages: as they are, and with the page number masked."""
    for line in row:
        height = round(line.y / 4)
        numbers = list(_DIGITS.finditer(line.text[:MOST_MASKED]))
        yield line.text, height
        for number in {numbers[0], numbers[-1]} if numbers else ():
            offset = int(number.group()) - line.page
            yield f"{line.text[: number.start()]}#{offset}{line.text[number.end() :]}", height
