"""Tables in the form that Markdown supports: one row of column names, and no missing cells. Pure."""

from collections.abc import Sequence
from typing import Final

MAX_CELLS: Final = 20_000  # cells of a table after repeating them; larger spans are cut

Cell = tuple[str, int, int]  # a cell: its text, and the numbers of columns and rows that it spans


def spread(rows: Sequence[Sequence[Cell]]) -> list[list[tuple[str, int]]]:
    """Return the rows with spanning cells repeated in every column and row that they span, since each row is read
    separately. Each cell has its text and the number of columns that it spans.
    """
    table: list[list[tuple[str, int]]] = []
    below: dict[int, tuple[int, tuple[str, int]]] = {}  # by column: the number of further rows, and the cell
    count = 0
    for row in rows:
        cells: list[tuple[str, int]] = []
        waiting = list(row)
        while waiting or any(column >= len(cells) for column in below):
            column = len(cells)
            if column in below:
                left, cell = below.pop(column)
                cells.append(cell)
                if left > 1:
                    below[column] = left - 1, cell
            elif waiting:
                text, width, height = waiting.pop(0)
                width = width if count < MAX_CELLS else 1
                for place in range(column, column + width):
                    if place in below:
                        break
                    cells.append((text, width))
                    if height > 1 and count < MAX_CELLS:
                        below[place] = height - 1, (text, width)
            else:
                cells.append(("", 1))
        count += len(cells)
        table.append(cells)
    return table


def headed(table: Sequence[Sequence[tuple[str, int]]]) -> tuple[list[str], list[list[str]]]:
    """Return a table's title lines, and its rows with one row of column names. A first row with a single cell is a
    title. Names that span several columns are written before the names below them.
    """
    rows = [row for row in table if any(text for text, _ in row)]
    width = max((len(row) for row in rows), default=0)
    titles: list[str] = []
    while len(rows) > 2 and width > 1 and len(rows[0]) == width == rows[0][0][1]:
        titles.append(rows[0][0][0])
        rows = rows[1:]
    texts = [_texts(row, width) for row in rows]
    while len(texts) > 2 and any(span > 1 and text for text, span in rows[len(rows) - len(texts)]):
        above, names = texts[0], texts[1]
        merged = [_named(*pair) for pair in zip(_filled(above, width), _filled(names, width), strict=True)]
        texts = [merged, *texts[2:]]
    return titles, texts


def _texts(row: Sequence[tuple[str, int]], width: int) -> list[str]:
    """Return the texts in a row's cells; the name of a group of rows, which spans all columns, is not repeated."""
    texts = [text for text, _ in row]
    return [texts[0], *[""] * (width - 1)] if len(row) == width == row[0][1] else texts


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows as a pipe table with the first row as header; shorter rows are padded."""
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    if not filled:
        return ""
    width = max(len(row) for row in filled)
    lines = ["| " + " | ".join(_cells(row, width)) + " |" for row in filled]
    lines.insert(1, "|" + "---|" * width)
    return "\n".join(lines)


def _cells(row: Sequence[str], width: int) -> list[str]:
    cells = [cell.replace("|", "\\|").replace("\n", " ") for cell in row]
    return cells + [""] * (width - len(cells))


def _filled(row: Sequence[str], width: int) -> list[str]:
    return [*row, *[""] * (width - len(row))]


def _named(above: str, name: str) -> str:
    return name if above == name else f"{above} {name}".strip()
