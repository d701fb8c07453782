"""The gaps between pieces of text on one baseline: which ones separate words, cells or columns. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from itertools import pairwise
from statistics import median
from typing import Final

from kb.importing.confined.pdf.canvas import Run

WORD_GAP: Final = 0.18  # in letters; a wider gap separates words
CELL_GAP: Final = 0.9  # in letters; a wider gap separates cells or columns
MIN_SPACED: Final = 4  # letters of a spaced word; fewer may be cells or words
MIN_EVEN_GAPS: Final = 3
EVEN: Final = 1.1
WIDEST_SPACE: Final = 2.5
STEP: Final = 3.0  # points of one step across a page
MAX_STEPS: Final = 5_000  # no text is farther to the right
MIN_ROWS: Final = 12
MOST_COVERED: Final = 0.1  # share of rows that may cover a strip: titles extend across the space between columns
_MARK_ALONE: Final = re.compile(r"(?:[•‣▪▫◦●○∙·■□➢➤✓\uf0b7\uf0a7\uf0d8–—*-]|\(?(?:\d{1,3}|[a-z])[.)])")
Upright = tuple[float, float, float]  # a vertical line: its position, bottom and top


def strips(rows: Sequence[Sequence[Run]]) -> list[int] | None:
    """Return the positions, in steps, that few rows cover, such as the space between columns; None if there are too few
    rows.
    """
    if len(rows) < MIN_ROWS:
        return None
    covered = Counter(place for row in rows for place in {place for run in row for place in _steps(run.x0, run.x1)})
    return [place for place in range(max(covered, default=0)) if covered[place] < MOST_COVERED * len(rows)]


def _steps(begin: float, end: float) -> range:
    first, last = (int(max(0.0, min(place / STEP, MAX_STEPS))) for place in (begin, end))
    return range(first, last + 1)


def closed_up(runs: Sequence[Run]) -> list[Run]:
    """Return the runs; in spaced-out words, the space after a letter counts as part of it."""
    found: list[Run] = []
    for letters in _spaced(runs):
        spacing = median(_gaps(letters)) if len(letters) >= MIN_SPACED else 0
        if 0 < spacing < CELL_GAP * letters[0].size:
            letters = [*(replace(run, x1=run.x1 + spacing) for run in letters[:-1]), letters[-1]]
        found += letters
    return found


def _spaced(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Yield successive letters that have space between them, and other runs one by one."""
    letters: list[Run] = []
    for last, run in zip([None, *runs], runs, strict=False):
        is_apart = last is None or run.x0 - last.x1 > WORD_GAP * run.size
        is_letter = is_apart and len(run.text.strip()) == 1
        if letters and not is_letter:
            yield letters
            letters = []
        if is_letter:
            letters.append(run)
        else:
            yield [run]
    if letters:
        yield letters


def _gaps(runs: Sequence[Run]) -> list[float]:
    return [run.x0 - last.x1 for last, run in pairwise(runs)]


def cut(runs: Sequence[Run], uprights: Sequence[Upright], strips: Sequence[int] | None) -> list[list[Run]]:
    """Return the parts of a line between wide gaps or vertical lines."""
    groups: list[list[Run]] = [[runs[0]]]
    middle = runs[0].y + runs[0].size / 4
    walls = [x for x, bottom, top in uprights if bottom <= middle <= top]
    between = set(strips or ())
    cell_gap = max(CELL_GAP * runs[0].size, _justified_gap(runs, between))
    spaced = set[int]() if strips is None else _justified_spaces(runs, between)
    for at, run in enumerate(runs[1:], start=1):
        gap = 0.0 if at in spaced else run.x0 - groups[-1][-1].x1
        is_mark = len(groups[-1]) == 1 and _MARK_ALONE.fullmatch(groups[-1][0].text.strip())
        is_walled = any(run.x0 - gap - 1 <= wall <= run.x0 + 1 for wall in walls) and gap > -1
        if is_walled or (gap > cell_gap and not (is_mark and gap < 5 * run.size)):
            groups.append([run])
        else:
            groups[-1].append(run)
    return [group for group in groups if "".join(run.text for run in group).strip()]


def _justified_gap(runs: Sequence[Run], strips: Set[int]) -> float:
    """Return the widest gap in a justified line, whose words are spread evenly; 0 for any other line."""
    apart = [(last.x1, run.x0) for last, run in pairwise(runs) if run.x0 - last.x1 > WORD_GAP * run.size]
    gaps = [end - begin for begin, end in apart if strips.isdisjoint(_steps(begin, end))]
    is_of_words = MIN_EVEN_GAPS <= len(gaps) == len(apart) and not any(" " in run.text.strip() for run in runs)
    is_even = is_of_words and max(gaps) <= min(EVEN * min(gaps), WIDEST_SPACE * runs[0].size)
    return max(gaps) if is_even else 0.0


def _justified_spaces(runs: Sequence[Run], strips: Set[int]) -> set[int]:
    """Return the indexes of the runs after the wide spaces of a justified line in one of several columns. Such a line
    has several even spaces, and most of its words begin with a lowercase letter, unlike figures and names.
    """
    found: set[int] = set()
    for places in filter(None, _even_spaces(runs, strips)):
        first = max((at for at in range(places[0]) if _is_apart(runs, at)), default=0)
        words = [runs[at].text.strip()[:1] for at in (first, *places)]
        if len(places) >= MIN_EVEN_GAPS and 2 * sum(word.islower() for word in words) > len(words):
            found.update(places)
    return found


def _even_spaces(runs: Sequence[Run], strips: Set[int]) -> Iterator[list[int]]:
    """Yield the indexes of successive runs after spaces of about the same width, none of them between columns."""
    places: list[int] = []
    widths: list[float] = []
    for at in range(1, len(runs)):
        if not _is_apart(runs, at):
            continue
        width = runs[at].x0 - runs[at - 1].x1
        is_space = width <= WIDEST_SPACE * runs[at].size and strips.isdisjoint(_steps(runs[at - 1].x1, runs[at].x0))
        is_even = max([*widths, width]) <= EVEN * min([*widths, width]) and " " not in runs[at].text.strip()
        if not is_space or not is_even:
            yield places
            places, widths = [], []
        if is_space:
            places, widths = [*places, at], [*widths, width]
    yield places


def _is_apart(runs: Sequence[Run], at: int) -> bool:
    return at > 0 and runs[at].x0 - runs[at - 1].x1 > WORD_GAP * runs[at].size
