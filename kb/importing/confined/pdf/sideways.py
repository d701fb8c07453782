"""Sideways text on a page whose other text is upright: tables, and the names of columns. Pure.

Other sideways text, such as a printer's mark along an edge, is left out.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from kb.importing.confined.pdf.canvas import RotatedText, Run
from kb.importing.confined.pdf.framed_text import FramedText, Rows
from kb.importing.confined.pdf.geometry import Box, Matrix, placed
from kb.importing.confined.pdf.lines import Line, rows_of
from kb.importing.confined.pdf.tables_or_columns import Grid, flows_and_grids

MOST_LINES: Final = 500
ABOVE: Final = 6.0  # the most letters between the names of columns and the first row
CLOSE: Final = 2.0  # letters above that row at which the upright names are placed
BESIDE: Final = 8.0  # letters; a name may be this far to the left or right of the cells below it


def table_in(text: RotatedText, page: int) -> FramedText | None:
    """Return sideways text with a table, including the text around the table; None if there is no table."""
    rows = rows_of(text.runs, page, text.uprights)
    if len(rows) > MOST_LINES or not any(_is_table(part) for part in flows_and_grids(rows, text.bars)):
        return None
    return FramedText(page, _box(rows, text.back), rows, tuple(text.bars))


def names_of_columns(text: RotatedText, page: int, upright: Sequence[Run]) -> list[Run]:
    """Turn adjacent sideways lines above the cells of a table into upright column names; return an empty list if the
    lines are something else.
    """
    lines = [line for row in rows_of(text.runs, page) for line in row]  # a long name may leave its cell
    if not 1 < len(lines) <= MOST_LINES:
        return []
    boxes = [_box([[line]], text.back) for line in lines]
    low, size = min(box.bottom for box in boxes), max(line.size for line in lines)
    below = _row_below(upright, low, ABOVE * size)
    if len(below) < 2 or max(box.bottom for box in boxes) >= min(box.top for box in boxes):
        return []
    return list(_over_cells(lines, boxes, below, min(low, below[0].y + CLOSE * size)))


def _over_cells(lines: Sequence[Line], boxes: Sequence[Box], below: Sequence[Run], y: float) -> Iterator[Run]:
    """Yield the names of the columns as runs at height `y`, each beginning where the cells below it begin."""
    named: dict[Run, list[str]] = {}
    for line, box in sorted(zip(lines, boxes, strict=True), key=lambda one: one[1].left):
        middle = (box.left + box.right) / 2
        nearest = min(below, key=lambda run: max(run.x0 - middle, middle - run.x1, 0.0))
        if max(nearest.x0 - middle, middle - nearest.x1) > BESIDE * line.size:
            return  # a drawing's labels
        named.setdefault(nearest, []).append(line.text)
    if len(named) < 2:
        return
    for run, words in named.items():
        yield Run(" ".join(words), run.x0, run.x0 + run.size, y, run.size, is_bold=True)


def _row_below(runs: Sequence[Run], y: float, most: float) -> list[Run]:
    """Return the first pieces of text of each cell in the row below a height."""
    near = [run for run in runs if y - most <= run.y < y]
    if not near:
        return []
    top = max(run.y for run in near)
    row = sorted((run for run in near if top - run.y < run.size / 2), key=lambda run: run.x0)
    return [run for last, run in zip([None, *row], row, strict=False) if last is None or run.x0 - last.x1 > run.size]


def _is_table(part: list[Line] | Grid) -> bool:
    return isinstance(part, Grid)


def _box(rows: Rows, back: Matrix) -> Box:
    lines = [line for row in rows for line in row]
    box = Box(
        left=min(line.x0 for line in lines),
        bottom=min(line.y for line in lines),
        right=max(line.x1 for line in lines),
        top=max(line.y + line.size for line in lines),
    )
    return placed(box, back)
