"""Columns of prose on a page in reading order; their lines need not be aligned. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from statistics import median
from typing import Final

from kb.importing.confined.pdf_direction import is_right_to_left
from kb.importing.confined.pdf_lines import Line

MIN_LINES: Final = 4
PROSE_WORDS: Final = 3.5
PROSE_FILL: Final = 0.62
STEP: Final = 3.0  # points between tried places
MOST_PLACES: Final = 200
SLACK: Final = 2.0  # points by which a line may extend into a gutter
MIN_TOGETHER: Final = 3
TOGETHER: Final = 0.8
PARAGRAPH: Final = 1.2  # of the usual step between lines
MOST_BARS: Final = 1  # horizontal lines across a gutter; more belong to a table
MOST_LEVELS: Final = 6  # nesting of columns within columns, and number of bands below each other

Rows = Sequence[Sequence[Line]]
Bar = tuple[float, float, float]  # a horizontal line: its height, left and right end


@dataclass(frozen=True, slots=True)
class _Gutter:
    """A vertical strip between two heights that no line crosses."""

    x: float
    bottom: float
    top: float


def in_columns(rows: Rows, bars: Sequence[Bar], level: int = 0) -> Iterator[list[list[Line]]]:
    """Yield the parts of a page: columns one after the other, and separately what is above and below them."""
    gutter = _gutter([line for row in rows for line in row], bars) if level < MOST_LEVELS else None
    if gutter is None:
        yield [list(row) for row in rows]
        return
    above, beside, below = _cut(rows, gutter)
    if above:
        yield from in_columns(above, bars, level + 1)
    left = _part(beside, lambda line: line.x1 <= gutter.x + SLACK)
    right = _part(beside, lambda line: line.x1 > gutter.x + SLACK)
    turned = is_right_to_left("".join(line.text for row in beside for line in row))
    for column in (right, left) if turned else (left, right):
        yield from in_columns(column, bars, level + 1)
    if below:
        yield from in_columns(below, bars, level + 1)


def is_prose(lines: Sequence[Line]) -> bool:
    """Return whether successive lines are text rather than cells."""
    if len(lines) < MIN_LINES:
        return False
    longest = max(max(line.x1 - line.x0 for line in lines), 1)
    fill = median((line.x1 - line.x0) / longest for line in lines)
    return median(len(line.text.split()) for line in lines) >= PROSE_WORDS and fill >= PROSE_FILL


def start_together(left: Sequence[Line], right: Sequence[Line]) -> bool:
    """Return whether most paragraphs of two columns begin at the same height, like the cells of a table."""
    begins, others = _begins(left), _begins(right)
    fewer = min(len(begins), len(others))
    together = sum(any(abs(one - other) < SLACK for other in others) for one in begins)
    return fewer >= MIN_TOGETHER and together >= TOGETHER * fewer


def _begins(lines: Sequence[Line]) -> list[float]:
    """Return the heights of the first line and of all lines farther below the line above than usual."""
    heights = sorted({line.y for line in lines}, reverse=True)
    steps = [above - below for above, below in pairwise(heights)]
    usual = median(steps) if steps else 0.0
    return heights[:1] + [below for step, below in zip(steps, heights[1:], strict=True) if step > PARAGRAPH * usual]


def _part(rows: Rows, belongs: Callable[[Line], bool]) -> list[list[Line]]:
    parts = [[line for line in row if belongs(line)] for row in rows]
    return [part for part in parts if part]


def _cut(rows: Rows, gutter: _Gutter) -> tuple[Rows, Rows, Rows]:
    above = _part(rows, lambda line: line.y >= gutter.top)
    beside = _part(rows, lambda line: gutter.bottom < line.y < gutter.top)
    return above, beside, _part(rows, lambda line: line.y <= gutter.bottom)


def _gutter(lines: Sequence[Line], bars: Sequence[Bar]) -> _Gutter | None:
    """Return the gutter with the most lines beside it, at the middle of its width."""
    if len(lines) < 2 * MIN_LINES:
        return None
    begin, end = min(line.x0 for line in lines), max(line.x1 for line in lines)
    step = max(STEP, (end - begin) / MOST_PLACES)
    places = [begin + step * number for number in range(1, int((end - begin) / step))]
    bands = [band for x in places for band in _bands(lines, x, bars)]
    tables = [band for band in bands if band.are_cells]
    prose = [band for band in bands if not any(band.overlaps(table) for table in tables)]
    most = max((band.size for band in prose), default=0)
    best = [band for band in prose if band.size == most]
    widest = list(takewhile(lambda band: band.gutter.x - best[0].gutter.x <= step * len(best), best))
    return widest[len(widest) // 2].gutter if widest else None


@dataclass(frozen=True, slots=True)
class _Band:
    """Lines on both sides of a gutter: their number, heights, and whether they are cells of a table."""

    gutter: _Gutter
    size: int
    low: float
    high: float
    are_cells: bool

    def overlaps(self, other: "_Band") -> bool:
        return self.low <= other.high and other.low <= self.high


def _bands(lines: Sequence[Line], x: float, bars: Sequence[Bar]) -> Iterator[_Band]:
    """Yield the bands in which no line crosses a place, with prose or cells on both sides."""
    crossing = sorted(line.y for line in lines if line.x0 < x - SLACK and line.x1 > x + SLACK)
    for bottom, top in pairwise([float("-inf"), *crossing, float("inf")]):
        beside = [line for line in lines if bottom < line.y < top]
        left = [line for line in beside if line.x1 <= x + SLACK]
        right = [line for line in beside if line.x1 > x + SLACK]
        are_cells = min(len(left), len(right)) >= MIN_LINES and start_together(left, right)
        if not are_cells and not (is_prose(left) and is_prose(right)):
            continue
        low, high = min(line.y for line in beside), max(line.y for line in beside)
        ruled = sum(low < y < high and begin < x < end for y, begin, end in bars) > MOST_BARS
        yield _Band(_Gutter(x, bottom, top), len(beside), low, high, ruled or are_cells)
