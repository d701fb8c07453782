"""The content drawn on a page of a PDF: pieces of text with their positions and whether they are visible, pictures, and
the edges of painted areas.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pypdf.generic import StreamObject
from pypdf.generic._font import Font  # pypdf's own text extraction uses it; it has no public name

from kb.importing.confined.pdf.geometry import IDENTITY, Box, Matrix, contains

if TYPE_CHECKING:  # `framed_text` imports `lines`, which imports this module
    from kb.importing.confined.pdf.framed_text import FramedText

MAX_BOXES: Final = 5_000
MIN_RULE_POINTS: Final = 15
MIN_UPRIGHT_POINTS: Final = 6
AGAIN: Final = 0.12  # distance as a share of the letters' size; even two narrow letters are farther apart
MOST_COMPARED: Final = 200
MIN_LINES_APART: Final = 2  # points; the baselines of one line differ by less
SMALLEST_POINTS: Final = 1.5  # smaller letters are not legible
_INVISIBLE_MODES: Final = (3, 7)


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of text on one baseline, in points from the bottom left."""

    text: str
    x0: float
    x1: float
    y: float
    size: float
    is_bold: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture as a page shows it."""

    box: Box
    stream: StreamObject
    description: str = ""  # from its own marked content
    mark: int | None = None  # the number of the marked content that it is in


@dataclass(frozen=True, slots=True)
class RotatedText:
    """Text that runs up or down a page, as if the page were turned; `back` turns it back."""

    runs: list[Run]
    bars: list[tuple[float, float, float]]
    uprights: list[tuple[float, float, float]]
    back: Matrix


@dataclass(frozen=True, slots=True)
class PageText:
    number: int
    bottom: float
    top: float
    runs: list[Run]
    hidden: list[Run]
    rotated: str  # text that is left out, because it is at an angle to most of the page's text
    pictures: int
    drawings: list[Drawing]  # without inline pictures
    area: float
    bars: list[tuple[float, float, float]]  # horizontal lines: height, left and right end
    uprights: list[tuple[float, float, float]]  # vertical lines: position, bottom, top
    sideways: tuple[FramedText, ...] = ()  # tables, with the text around them


@dataclass(slots=True)
class GraphicsState:
    ctm: Matrix = IDENTITY
    font: Font | None = None
    is_bold: bool = False
    size: float = 0
    character_space: float = 0
    word_space: float = 0
    scale: float = 1
    leading: float = 0
    rise: float = 0
    mode: int = 0
    is_white: bool = False


@dataclass(slots=True)
class Canvas:
    """The content drawn so far, in order: text may be covered, or be on a background that makes it visible."""

    page: Box
    runs: list[Run] = field(default_factory=list)
    hidden: list[Run] = field(default_factory=list)
    rotated: list[tuple[int | None, str]] = field(default_factory=list)  # texts; the direction is None if slanted
    drawn: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    pieces: int = 0  # pieces of text, wherever they are shown
    pictures: int = 0
    dark: list[Box] = field(default_factory=list)
    images: list[Box] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)
    bars: set[tuple[float, float, float]] = field(default_factory=set)
    uprights: set[tuple[float, float, float]] = field(default_factory=set)
    letters: Counter[int] = field(default_factory=Counter)  # how many letters are drawn in each direction
    baselines: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))  # of letters, in points

    def direction(self) -> int:
        """Return the direction of most letters in degrees, counter-clockwise: wide tables are often set sideways."""
        return max(self.letters, key=lambda degrees: self.letters[degrees]) if self.letters else 0

    def has_lines(self, degrees: int) -> bool:
        """Return whether text in this direction takes more than one line, as tables and column names do."""
        found = self.baselines[degrees]
        return bool(found) and max(found) - min(found) > MIN_LINES_APART

    def rule(self, boxes: Sequence[Box]) -> None:
        """Record the edges of boxes: they may be lines of a table."""
        if len(self.bars) + len(self.uprights) > MAX_BOXES:
            return
        for left, bottom, right, top in boxes:
            if right - left >= MIN_RULE_POINTS:
                self.bars.update((round(y, 1), round(left, 1), round(right, 1)) for y in (bottom, top))
            if top - bottom >= MIN_UPRIGHT_POINTS:
                self.uprights.update((round(x, 1), round(bottom, 1), round(top, 1)) for x in (left, right))

    def show(self, run: Run, state: GraphicsState) -> None:
        if not run.text.strip() or self._is_again(run):
            return
        (self.hidden if self._is_hidden(run, state) else self.runs).append(run)

    def _is_again(self, run: Run) -> bool:
        """Return whether the same text was already drawn in the same position, as some programs do for bold type or a
        shadow.
        """
        drawn = self.drawn.setdefault(run.text, [])
        near = AGAIN * run.size
        if any(abs(x - run.x0) < near and abs(y - run.y) < near for x, y in drawn[-MOST_COMPARED:]):
            return True
        drawn.append((run.x0, run.y))
        return False

    def _is_hidden(self, run: Run, state: GraphicsState) -> bool:
        x, y = (run.x0 + run.x1) / 2, run.y + run.size / 4
        if run.size < SMALLEST_POINTS or not contains(self.page, x, y):
            return True
        if state.mode in _INVISIBLE_MODES:  # recognised text below the picture of a page
            return not any(contains(box, x, y) for box in self.images)
        return state.is_white and not any(contains(box, x, y) for box in (*self.dark, *self.images))
