"""Columns of prose on a page, put into reading order; their lines need not be aligned. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from statistics import median
from typing import Final

from kb.importing.confined.pdf.lines import Line
from kb.importing.confined.pdf.right_to_left import is_right_to_left

MIN_LINES: Final = 4
PROSE_WORDS: Final = 3.5
PROSE_FILL: Final = 0.62
STEP: Final = 3.0  # points between the positions that are tried
MOST_PLACES: Final = 200
SLACK: Final = 2.0  # points by which a line may extend into a gutter
MIN_TOGETHER: Final = 3
TOGETHER: Final = 0.8
SHORT: Final = 4  # the most lines that cells have on average
PARAGRAPH: Final = 1.2  # times the usual step between lines
MOST_BARS: Final = 1  # horizontal lines across a gutter; more belong to a table
BOTH: Final = 2
MOST_SAMPLED: Final = 50  # pages that are compared
MOST_LEVELS: Final = 6  # nesting of columns within columns, and number of bands one below another

Rows = Sequence[Sequence[Line]]
Bar = tuple[float, float, float]  # a horizontal line: its height, left and right end


@dataclass(frozen=True, slots=True)
class _Gutter:
    """A vertical strip between two heights that no line crosses."""

    x: float
    bottom: float
    top: float


def usual_gutters(pages: Sequence[tuple[Rows, Sequence[Bar]]]) -> list[float]:
    """Return the positions of gutters that several pages share, even if a column on one of these pages contains a
    table.
    """
    sampled = pages[:: max(1, len(pages) // MOST_SAMPLED)]
    found = sorted((x, number) for number, page in enumerate(sampled) for x in _gutters(*page))
    usual: list[list[tuple[float, int]]] = []
    for x, number in found:
        if usual and x - usual[-1][-1][0] <= 2 * STEP:
            usual[-1].append((x, number))
        else:
            usual.append([(x, number)])
    return [median(x for x, _ in group) for group in usual if len({number for _, number in group}) > 1]


def in_columns(
    rows: Rows, bars: Sequence[Bar], usual: Sequence[float] = (), level: int = 0
) -> Iterator[list[list[Line]]]:
    """Yield the parts of a page: each column, and the lines above and below the columns."""
    gutter = _gutter([line for row in rows for line in row], bars, usual) if level < MOST_LEVELS else None
    if gutter is None:
        yield [list(row) for row in rows]
        return
    for part in _parts(rows, gutter):
        yield from in_columns(part, bars, usual, level + 1)


def _gutters(rows: Rows, bars: Sequence[Bar], level: int = 0) -> Iterator[float]:
    gutter = _gutter([line for row in rows for line in row], bars) if level < MOST_LEVELS else None
    if gutter is not None:
        yield gutter.x
        for part in _parts(rows, gutter):
            yield from _gutters(part, bars, level + 1)


def _parts(rows: Rows, gutter: _Gutter) -> Iterator[Rows]:
    """Yield the part above a gutter, its two sides in reading order, and the part below, without empty parts."""
    above, beside, below = _cut(rows, gutter)
    left = _part(beside, lambda line: line.x1 <= gutter.x + SLACK)
    right = _part(beside, lambda line: line.x1 > gutter.x + SLACK)
    turned = is_right_to_left("".join(line.text for row in beside for line in row))
    yield from (part for part in (above, *((right, left) if turned else (left, right)), below) if part)


def is_prose(lines: Sequence[Line]) -> bool:
    """Return whether successive lines are text rather than cells."""
    if len(lines) < MIN_LINES:
        return False
    longest = max(max(line.x1 - line.x0 for line in lines), 1)
    fill = median((line.x1 - line.x0) / longest for line in lines)
    return median(len(line.text.split()) for line in lines) >= PROSE_WORDS and fill >= PROSE_FILL


def start_together(left: Sequence[Line], right: Sequence[Line]) -> bool:
    """Return whether most paragraphs of two columns begin at the same height, like the cells of a table.

    Paragraphs may do so by chance, but only if all paragraphs above are as long as those beside them; cells begin
    together whatever their lengths.
    """
    heights, others = _heights(left), _heights(right)
    begins, other_begins = _begins(heights), _begins(others)
    together = [one for one in begins if any(abs(one - other) < SLACK for other in other_begins)]
    fewer = min(len(begins), len(other_begins))
    if fewer < MIN_TOGETHER or len(together) < TOGETHER * fewer:
        return False
    are_short = min(len(heights), len(others)) <= SHORT * fewer
    return are_short or any(abs(_above(heights, one) - _above(others, one)) > SLACK for one in together[1:])


def _heights(lines: Sequence[Line]) -> list[float]:
    return sorted({line.y for line in lines}, reverse=True)


def _begins(heights: Sequence[float]) -> list[float]:
    """Return the heights of the first line and of each line that is farther than usual below the line above it."""
    steps = [above - below for above, below in pairwise(heights)]
    usual = median(steps) if steps else 0.0
    begins = [below for step, below in zip(steps, heights[1:], strict=True) if step > PARAGRAPH * usual]
    return [*heights[:1], *begins]


def _above(heights: Sequence[float], height: float) -> float:
    """Return the height of the next line above `height`, or `height` if there is none."""
    return min((one for one in heights if one > height + SLACK), default=height)


def _part(rows: Rows, belongs: Callable[[Line], bool]) -> list[list[Line]]:
    parts = [[line for line in row if belongs(line)] for row in rows]
    return [part for part in parts if part]


def _cut(rows: Rows, gutter: _Gutter) -> tuple[Rows, Rows, Rows]:
    above = _part(rows, lambda line: line.y >= gutter.top)
    beside = _part(rows, lambda line: gutter.bottom < line.y < gutter.top)
    return above, beside, _part(rows, lambda line: line.y <= gutter.bottom)


def _gutter(lines: Sequence[Line], bars: Sequence[Bar], usual: Sequence[float] = ()) -> _Gutter | None:
    """Return a gutter at one of the `usual` positions or, if there is none, the one with the most lines beside it, at
    the middle of its width; None if there is no gutter.
    """
    if len(lines) < 2 * MIN_LINES:
        return None
    begin, end = min(line.x0 for line in lines), max(line.x1 for line in lines)
    known = [band for x in usual if begin < x < end for band in _bands(lines, x, bars) if band.fits_layout]
    if known:
        return max(known, key=lambda band: band.size).gutter
    step = max(STEP, (end - begin) / MOST_PLACES)
    places = [begin + step * number for number in range(1, int((end - begin) / step))]
    bands = [band for x in places for band in _bands(lines, x, bars)]
    tables = [band for band in bands if band.are_cells or (band.is_ruled and band.prose == BOTH)]
    prose = [band for band in bands if band.prose == BOTH and not any(band.overlaps(table) for table in tables)]
    most = max((band.size for band in prose), default=0)
    best = [band for band in prose if band.size == most]
    widest = list(takewhile(lambda band: band.gutter.x - best[0].gutter.x <= step * len(best), best))
    return widest[len(widest) // 2].gutter if widest else None


@dataclass(frozen=True, slots=True)
class _Band:
    """Lines on both sides of a gutter: their number and heights, how many sides are prose, whether both begin their
    paragraphs together like cells, and whether horizontal lines cross the gutter.
    """

    gutter: _Gutter
    size: int
    low: float
    high: float
    prose: int
    are_cells: bool
    is_ruled: bool

    @property
    def fits_layout(self) -> bool:
        """Return whether this may be the document's gutter: at least one side contains prose."""
        return not self.is_ruled and (self.prose == BOTH or (self.prose > 0 and not self.are_cells))

    def overlaps(self, other: "_Band") -> bool:
        return self.low <= other.high and other.low <= self.high


def _bands(lines: Sequence[Line], x: float, bars: Sequence[Bar]) -> Iterator[_Band]:
    """Yield the bands where no line crosses the position `x`, with prose or cells beside it."""
    crossing = sorted(line.y for line in lines if line.x0 < x - SLACK and line.x1 > x + SLACK)
    for bottom, top in pairwise([float("-inf"), *crossing, float("inf")]):
        beside = [line for line in lines if bottom < line.y < top]
        left = [line for line in beside if line.x1 <= x + SLACK]
        right = [line for line in beside if line.x1 > x + SLACK]
        if min(len(left), len(right)) < MIN_LINES:
            continue
        are_cells, prose = start_together(left, right), is_prose(left) + is_prose(right)
        if are_cells or prose:
            low, high = min(line.y for line in beside), max(line.y for line in beside)
            ruled = sum(low < y < high and begin < x < end for y, begin, end in bars) > MOST_BARS
            yield _Band(_Gutter(x, bottom, top), len(beside), low, high, prose, are_cells, ruled)
