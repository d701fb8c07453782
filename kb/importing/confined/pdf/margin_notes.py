"""Finding notes without a frame in the margin beside running text; they are read separately. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median
from typing import Final

from kb.importing.confined.pdf.continuations import SENTENCE_END
from kb.importing.confined.pdf.framed_text import FramedText, Rows
from kb.importing.confined.pdf.geometry import Box
from kb.importing.confined.pdf.lines import Line
from kb.importing.confined.pdf.prose_columns import is_prose

EDGE_POINTS: Final = 2.0  # difference between the left ends of the text's lines
APART_POINTS: Final = 6.0  # smallest distance between the text and a note
WIDEST_MARGIN: Final = 0.5  # share of the text's width; anything wider is a column
MOST_LINES: Final = 0.7  # share of the text's lines; anything longer is a column
NOTE_STEP: Final = 1.8  # largest distance between two lines of a note, in letters
PARAGRAPH: Final = 1.2  # times the usual step between lines
MAX_PIECES: Final = 1000  # pieces of text on a page; more are a drawing's labels
FULL_LINE: Final = 0.75  # share of the text's width
MIN_BROKEN: Final = 0.5  # share of the notes that begin beside the middle of a sentence or are small sentences
SMALL: Final = 0.9  # share of the text's size
MIN_WORDS: Final = 5  # words in a small sentence; labels have fewer

Note = list[Line]


@dataclass(frozen=True, slots=True)
class _Text:
    """The running text of a page: its lines from top to bottom, and its edges."""

    lines: list[Line]
    left: float
    right: float


def margin_notes(rows: Sequence[list[Line]]) -> tuple[Rows, list[FramedText]]:
    """Return the lines of a page without the notes in its margins, and the notes.

    A note begins beside the middle of a sentence or is a sentence in smaller letters; cells and labels begin where the
    text does. In a table without ruled lines whose row names are centred beside texts of several lines, one row in
    thirty is read as a note.
    """
    lines = [line for row in rows for line in row]
    text = _running_text(lines) if len(lines) <= MAX_PIECES else None
    found: list[FramedText] = []
    if text is None:
        return list(rows), found
    rest = list(rows)
    for strip in _strips(rest, text):
        notes = list(_notes(strip))
        if _is_margin(notes, strip, text):
            rest = [left for row in rest if (left := [line for line in row if line not in strip])]
            found += [_boxed(note, text) for note in notes]
    return rest, found


def _running_text(lines: Sequence[Line]) -> _Text | None:
    """Return the lines with the left edge that has the most text, and those indented from it."""
    if not lines:
        return None
    by_edge = sorted(lines, key=lambda line: line.x0)
    edges = [line.x0 for line in by_edge]
    lengths = list(accumulate((line.x1 - line.x0 for line in by_edge), initial=0.0))

    def near(edge: float) -> tuple[int, int]:
        return bisect_left(edges, edge - EDGE_POINTS), bisect_right(edges, edge + EDGE_POINTS)

    def length(edge: float) -> float:
        first, end = near(edge)
        return lengths[end] - lengths[first]

    left = max(edges, key=length)
    first, end = near(left)
    flush = sorted(by_edge[first:end], key=lambda line: -line.y)
    right = max(line.x1 for line in flush)
    if not is_prose(flush):
        return None
    inside = [line for line in lines if left - EDGE_POINTS <= line.x0 and line.x1 <= right + EDGE_POINTS]
    return _Text(sorted(inside, key=lambda line: -line.y), left, right)


def _strips(rows: Sequence[list[Line]], text: _Text) -> Iterator[list[Line]]:
    """Yield the lines in the left and in the right margin that are at the heights of the text."""
    low, high = text.lines[-1].y, text.lines[0].y
    lines = [line for row in rows for line in row if low - line.size <= line.y <= high + line.size]
    yield [line for line in lines if line.x1 <= text.left - APART_POINTS]
    yield [line for line in lines if line.x0 >= text.right + APART_POINTS]


def _notes(strip: Sequence[Line]) -> Iterator[Note]:
    note: Note = []
    for line in sorted(strip, key=lambda line: -line.y):
        if note and note[-1].y - line.y > NOTE_STEP * max(note[-1].size, line.size):
            yield note
            note = []
        note.append(line)
    if note:
        yield note


def _is_margin(notes: Sequence[Note], strip: Sequence[Line], text: _Text) -> bool:
    if not strip or len(strip) > MOST_LINES * len(text.lines):
        return False
    if max(line.x1 for line in strip) - min(line.x0 for line in strip) > WIDEST_MARGIN * (text.right - text.left):
        return False
    broken = sum(_breaks_a_sentence(note, text) or _is_small_sentence(note, text) for note in notes)
    return broken > 0 and broken >= MIN_BROKEN * len(notes) and not _has_one_each(notes, text)


def _breaks_a_sentence(note: Note, text: _Text) -> bool:
    """Return whether a note begins beside a line that continues the sentence of the line above it."""
    beside = [at for at, line in enumerate(text.lines) if line.y <= note[0].y + EDGE_POINTS]
    if not beside or beside[0] == 0:
        return False
    above, below = text.lines[beside[0] - 1], text.lines[beside[0]]
    is_full = above.x1 >= text.left + FULL_LINE * (text.right - text.left)
    is_next = 0 < above.y - below.y <= NOTE_STEP * max(above.size, below.size)
    goes_on = below.text[:1].isalpha() and not below.text[:1].isupper()
    return is_full and is_next and goes_on and not SENTENCE_END.search(above.text)


def _is_small_sentence(note: Note, text: _Text) -> bool:
    words = sum(len(line.text.split()) for line in note)
    is_small = max(line.size for line in note) <= SMALL * median(line.size for line in text.lines)
    return is_small and words >= MIN_WORDS and bool(SENTENCE_END.search(note[-1].text))


def _has_one_each(notes: Sequence[Note], text: _Text) -> bool:
    """Return whether each paragraph has one note beside it, like the rows of a table whose names are centred."""
    steps = [above.y - below.y for above, below in pairwise(text.lines) if above.y > below.y]
    usual = median(steps) if steps else 0.0
    begins = [below.y for above, below in pairwise(text.lines) if above.y - below.y > PARAGRAPH * usual]
    paragraphs = [sum(note[0].y + EDGE_POINTS < begin for begin in begins) for note in notes]
    return len(notes) > 1 and paragraphs == list(range(paragraphs[0], paragraphs[0] + len(notes)))


def _boxed(note: Note, text: _Text) -> FramedText:
    """Return a note as a box that is as wide as the text, since it belongs after the text above it."""
    size = note[0].size
    return FramedText(note[0].page, Box(text.left, note[-1].y, text.right, note[0].y + size), [[line] for line in note])
