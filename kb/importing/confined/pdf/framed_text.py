"""Finding text and tables in frames beside other text, such as notes; they are read separately. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from kb.importing.confined.pdf.canvas import PageText
from kb.importing.confined.pdf.geometry import Box
from kb.importing.confined.pdf.lines import Line
from kb.importing.confined.pdf.prose_columns import Bar

TOUCH_POINTS: Final = 3.0  # largest distance between lines that belong together
MAX_DRAWN_LINES: Final = 200  # lines on a page; a drawing has more
MIN_NOTE_WORDS: Final = 3  # words in a line of a note; cells and fields of forms have fewer
SAME_HEIGHT_POINTS: Final = 1.0
MAX_SHARED_HEIGHTS: Final = 0.5  # share of a frame's lines that are level with text beside it; with more, they are rows

Rows = list[list[Line]]


@dataclass(frozen=True, slots=True)
class FramedText:
    """The text inside a frame."""

    page: int
    box: Box
    rows: Rows
    bars: tuple[Bar, ...] | None = None  # for rotated text, since the page's own bars are not rotated with it


def boxed(rows: Sequence[list[Line]], page: PageText) -> tuple[Rows, list[FramedText]]:
    """Return the lines of a page without those in frames beside other text, and the content of these frames."""
    rest, found = list(rows), list[FramedText]()
    for frame, drawn in _frames(page):
        inside = _part(rest, frame, is_inside=True)
        outside = _part(rest, frame, is_inside=False)
        beside = [line for row in outside for line in row if frame.bottom < line.y < frame.top]
        if not inside or not beside or _share_heights(inside, beside):
            continue
        if _is_table(frame, drawn) or _is_note(frame, drawn, inside, beside):
            found.append(FramedText(page.number, frame, inside))
            rest = outside
    return rest, found


def _frames(page: PageText) -> Iterator[tuple[Box, list[Box]]]:
    """Yield the outlines of connected horizontal and vertical lines, with these lines."""
    lines = [Box(left, y, right, y) for y, left, right in page.bars]
    lines += [Box(x, bottom, x, top) for x, bottom, top in page.uprights]
    groups: list[list[Box]] = []
    for line in lines if len(lines) <= MAX_DRAWN_LINES else ():
        touching = [group for group in groups if any(_touch(line, other) for other in group)]
        groups = [group for group in groups if group not in touching]
        groups.append([line, *(other for group in touching for other in group)])
    for group in groups:
        frame = Box(
            left=min(line.left for line in group),
            bottom=min(line.bottom for line in group),
            right=max(line.right for line in group),
            top=max(line.top for line in group),
        )
        if _is_closed(frame, group):
            yield frame, group


def _touch(one: Box, other: Box) -> bool:
    return (
        one.left <= other.right + TOUCH_POINTS
        and other.left <= one.right + TOUCH_POINTS
        and one.bottom <= other.top + TOUCH_POINTS
        and other.bottom <= one.top + TOUCH_POINTS
    )


def _is_closed(frame: Box, drawn: Sequence[Box]) -> bool:
    """Return whether lines are drawn along all four sides."""
    left, bottom, right, top = frame
    return all(
        _is_drawn(side, drawn)
        for side in (
            Box(left, bottom, left, top),
            Box(right, bottom, right, top),
            Box(left, bottom, right, bottom),
            Box(left, top, right, top),
        )
    )


def _is_drawn(side: Box, drawn: Sequence[Box]) -> bool:
    """Return whether lines cover a side, possibly piece by piece."""
    along, across = (1, 0) if side.left == side.right else (0, 1)  # indexes in a `Box`; the far end is at index + 2
    end = side[along]
    for line in sorted(drawn, key=lambda one: one[along]):
        is_on_side = all(abs(line[at] - side[across]) <= TOUCH_POINTS for at in (across, across + 2))
        if is_on_side and line[along] <= end + TOUCH_POINTS:
            end = max(end, line[along + 2])
    return end >= side[along + 2] - TOUCH_POINTS


def _part(rows: Sequence[list[Line]], frame: Box, *, is_inside: bool) -> Rows:
    parts = [[line for line in row if _holds(frame, line) == is_inside] for row in rows]
    return [part for part in parts if part]


def _holds(frame: Box, line: Line) -> bool:
    left, bottom, right, top = frame
    return left - TOUCH_POINTS <= line.x0 and line.x1 <= right + TOUCH_POINTS and bottom < line.y < top


def _share_heights(inside: Rows, beside: Sequence[Line]) -> bool:
    """Return whether lines inside and beside a frame are parts of the same rows, such as names beside a table."""
    shared = sum(any(abs(row[0].y - line.y) <= SAME_HEIGHT_POINTS for line in beside) for row in inside)
    return shared > MAX_SHARED_HEIGHTS * len(inside)


def _is_table(frame: Box, drawn: Sequence[Box]) -> bool:
    """Return whether vertical lines divide a frame."""
    uprights = (line for line in drawn if line.left == line.right)
    return any(frame.left + 2 * TOUCH_POINTS < line.left < frame.right - 2 * TOUCH_POINTS for line in uprights)


def _is_note(frame: Box, drawn: Sequence[Box], inside: Rows, beside: Sequence[Line]) -> bool:
    """Return whether a frame contains sentences beside other sentences, rather than a cell of a row or a field of a
    form.
    """
    bars = (line for line in drawn if line.bottom == line.top)
    if any(frame.bottom + 2 * TOUCH_POINTS < line.bottom < frame.top - 2 * TOUCH_POINTS for line in bars):
        return False
    words = median(len(" ".join(line.text for line in row).split()) for row in inside)
    words_beside = median(len(line.text.split()) for line in beside)
    return len(inside) > 1 and min(words, words_beside) >= MIN_NOTE_WORDS
