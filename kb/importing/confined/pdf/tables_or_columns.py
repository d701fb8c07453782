"""Deciding whether vertical gaps that run through several lines separate columns of prose, which are read one after the
other, or the columns of a table. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from kb.importing.confined.pdf.lines import Line
from kb.importing.confined.pdf.prose_columns import Bar, is_prose, start_together
from kb.importing.confined.pdf.right_to_left import is_right_to_left

MIN_GAP: Final = 0.25  # the least width that a gap may shrink to over many rows, in letters
ROW_STEP: Final = 4.0  # largest distance between rows, in letters: a table may have space between them
HEAD_STEP: Final = 2.5  # largest distance between a row and a name that spans several columns, in letters
LEADING: Final = 1.5  # largest distance between lines of one paragraph, in letters
FLUSH: Final = 1.5  # points by which the ends of aligned lines may differ
MIN_ROWS: Final = 3
FULL: Final = 0.8  # share of the rows between two lines that have all cells
MOST_EDGES: Final = 6  # horizontal lines above a table that are considered; they come in pairs

Cell = tuple[str, int]  # its text, and the number of columns it spans
Cells = tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Lines in columns, with the gaps between them."""

    rows: list[list[Line]]
    gaps: list[tuple[float, float]]

    @property
    def lines(self) -> list[Line]:
        return [line for row in self.rows for line in row]

    def columns(self) -> list[list[Line]]:
        found: list[list[Line]] = [[] for _ in range(len(self.gaps) + 1)]
        for line in self.lines:
            found[self._column(line)].append(line)
        return found[::-1] if is_right_to_left("".join(line.text for line in self.lines)) else found

    def is_prose(self) -> bool:
        """Return whether these are columns of text rather than of cells."""
        columns = self.columns()
        are_cells = any(start_together(*pair) for pair in pairwise(columns))
        return len(columns) <= 3 and all(is_prose(column) for column in columns) and not are_cells

    def cells(self, bars: Sequence[Bar]) -> Cells:
        """Return the rows. If the table has horizontal lines, each row is between two of them. Otherwise, a line
        without a first cell that is close below another line continues that line's cells.
        """
        top, bottom = self.rows[0][0].y, self.rows[-1][0].y
        inner = [y for y in self.heights(bars) if bottom < y < top]
        return self._in_reading_order(self._in_bands(inner) if inner else self._one_by_one(self.rows))

    def _one_by_one(self, rows: Sequence[Sequence[Line]]) -> list[list[Line]]:
        table: list[list[Line]] = []
        last_y = 0.0
        for row in rows:
            goes_on = table and all(self._column(line) for line in row) and last_y - row[0].y <= row[0].size * 1.5
            if goes_on:
                table[-1].extend(row)
            else:
                table.append(list(row))
            last_y = row[0].y
        return table

    def heights(self, bars: Sequence[Bar]) -> list[float]:
        """Return the heights of the horizontal lines that cross these columns."""
        begin, end = min(line.x0 for line in self.lines), max(line.x1 for line in self.lines)
        return sorted({y for y, left, right in bars if left < end and right > begin})

    def _in_bands(self, heights: Sequence[float]) -> list[list[Line]]:
        """Return one row for each band between two lines, or the band's rows if lines separate only some of the table's
        rows.
        """
        bands: dict[int, list[list[Line]]] = {}
        for row in self.rows:
            places = [sum(height > line.y for height in heights) for line in row]
            for band in set(places):
                part = [line for line, place in zip(row, places, strict=True) if place == band]
                bands.setdefault(band, []).append(part)
        table: list[list[Line]] = []
        for band in sorted(bands):
            if self._are_rows(bands[band], len(bands)):
                table += self._one_by_one(bands[band])
            else:
                table.append([line for row in bands[band] for line in row])
        return table

    def _are_rows(self, rows: Sequence[Sequence[Line]], bands: int) -> bool:
        """Return whether the lines of a band are separate rows: the cells of one row seldom have the same number of
        lines.
        """
        count = len(self.gaps) + 1
        full = sum(len({self._column(line) for line in row}) == count for row in rows)
        # With only two columns, cells often have the same number of lines, so the lines are rows only if the table's
        # one ruled line is below the column names.
        if count == 2:
            is_text = any(is_prose([line for row in rows for line in row if self._column(line) == at]) for at in (0, 1))
            return bands == 2 and full == len(rows) >= MIN_ROWS and not is_text
        return len(rows) > 1 and full >= FULL * len(rows)

    def _in_reading_order(self, table: Sequence[Sequence[Line]]) -> Cells:
        turned = is_right_to_left("".join(line.text for line in self.lines))
        return tuple(tuple(reversed(cells) if turned else cells) for cells in map(self._cells, table))

    def _cells(self, lines: Sequence[Line]) -> list[Cell]:
        """Return the cells of a row from left to right; a cell that crosses gaps spans several columns."""
        texts = [""] * (len(self.gaps) + 1)
        last = list(range(len(texts)))
        for line in lines:
            place = self._column(line)
            texts[place] = f"{texts[place]} {line.text}".strip()
            last[place] = max(last[place], place + sum(_reaches(line, gap) for gap in self.gaps[place:]))
        if len(lines) == 1 and last[0]:  # the name of a group of rows
            return [(texts[0], len(texts))]
        cells: list[Cell] = []
        place = 0
        while place < len(texts):
            end = next((at for at in range(place + 1, last[place] + 1) if texts[at]), last[place] + 1)
            cells.append((texts[place], end - place))
            place = end
        return cells

    def _column(self, line: Line) -> int:
        return sum(line.x0 >= end - 1 for _, end in self.gaps)


def flows_and_grids(rows: Sequence[list[Line]], bars: Sequence[Bar]) -> Iterator[list[Line] | Grid]:
    """Yield successive lines, and tables, in reading order."""
    flow: list[Line] = []
    at = 0
    while at < len(rows):
        grid = _grid_at(rows, at) if len(rows[at]) > 1 else None
        if grid is None or _is_justified(rows, at, len(grid.rows)):
            flow.append(_whole(rows[at]))
            at += 1
            continue
        grid = replace(grid, rows=[*grid.rows, *_rest_of_row(rows[at + len(grid.rows) :], grid, bars)])
        above = _above(flow, grid) or _band_above(flow, grid, grid.heights(bars))
        grid = replace(grid, rows=[*([line] for line in above), *grid.rows])
        yield flow[: len(flow) - len(above)]
        flow = []
        at += len(grid.rows) - len(above)
        if grid.is_prose():
            yield from grid.columns()
        else:
            yield grid
    yield flow


def _rest_of_row(rows: Sequence[list[Line]], grid: Grid, bars: Sequence[Bar]) -> list[list[Line]]:
    """Return the lines that continue the last row of a table, down to its last horizontal line."""
    taken: list[list[Line]] = []
    last, heights = grid.rows[-1], grid.heights(bars)
    for row in rows if len(heights) > 1 else ():
        is_close = last[0].y - row[0].y <= LEADING * row[0].size
        is_cut = any(row[0].y < height < last[0].y for height in heights)
        if not is_close or is_cut or len(_narrowed(grid.gaps, row)) < len(grid.gaps):
            break
        taken.append(row)
        last = row
    below = next((row[0].y for row in rows[len(taken) :]), float("-inf"))
    return taken if any(below < height < last[0].y for height in heights) else []


def _is_justified(rows: Sequence[list[Line]], at: int, count: int) -> bool:
    """Return whether rows are justified text: as wide as the line before or after them, and at the usual distance from
    it.
    """
    inside = rows[at : at + count]
    edges = rows[at][0].x0, rows[at][-1].x1
    if not all(_is_from_to(row, edges) for row in inside):
        return False
    before = rows[at - 1] if at else None
    after = rows[at + count] if at + count < len(rows) else None
    return any(
        row is not None
        and len(row) == 1
        and _is_from_to(row, edges)
        and abs(row[0].y - other[0].y) <= LEADING * row[0].size
        for row, other in ((before, inside[0]), (after, inside[-1]))
    )


def _is_from_to(row: Sequence[Line], edges: tuple[float, float]) -> bool:
    return abs(row[0].x0 - edges[0]) <= FLUSH and abs(row[-1].x1 - edges[1]) <= FLUSH


def _above(flow: Sequence[Line], grid: Grid) -> list[Line]:
    """Return the lines right above a table that begin in a later column."""
    found: list[Line] = []
    below = grid.rows[0][0]
    for line in reversed(flow):
        is_close = 0 < line.y - below.y <= 1.6 * max(line.size, below.size)
        if not is_close or line.x0 < grid.gaps[0][1] - 1 or _crosses(line, grid.gaps):
            break
        found.insert(0, line)
        below = line
    return found


def _band_above(flow: Sequence[Line], grid: Grid, heights: Sequence[float]) -> list[Line]:
    """Return the lines between the two horizontal lines above a table, if they are a row with several columns."""
    top = grid.rows[0][0].y
    edges = [height for height in heights if height > top][:MOST_EDGES]
    begins = [height for height in edges if height - edges[0] > grid.rows[0][0].size]
    if not begins:
        return []
    band = [line for line in flow if edges[0] < line.y < begins[0]]
    is_row = any(line.x0 >= grid.gaps[0][1] - 1 for line in band) and any(line.x0 < grid.gaps[0][0] for line in band)
    return band if is_row and not any(_crosses(line, grid.gaps) for line in band) else []


def _reaches(line: Line, gap: tuple[float, float]) -> bool:
    """Return whether a line also belongs to the column after a gap: it continues there, or is centred over the gap."""
    return line.x1 > gap[1] or gap[0] < (line.x0 + line.x1) / 2


def _crosses(line: Line, gaps: Sequence[tuple[float, float]]) -> bool:
    return any(line.x0 < begin and line.x1 > end for begin, end in gaps)


def _grid_at(rows: Sequence[list[Line]], begin: int) -> Grid | None:
    """Return the columns that begin here, below names that span several of them; None if there are none."""
    grid = _block_at(rows, begin)
    if begin + 1 == len(rows) or len(rows[begin + 1]) <= len(rows[begin]):
        return grid
    finer = _block_at(rows, begin + 1)
    if finer is None or finer.is_prose() or len(finer.gaps) <= (len(grid.gaps) if grid else 0):
        return grid
    return replace(finer, rows=[rows[begin], *finer.rows]) if _heads(rows[begin], finer) else None


def _heads(row: Sequence[Line], grid: Grid) -> bool:
    """Return whether the parts of a row are names of the columns below."""
    begin, end = min(line.x0 for line in grid.lines), max(line.x1 for line in grid.lines)
    size = row[0].size
    is_close = row[0].y - grid.rows[0][0].y <= HEAD_STEP * size
    return is_close and all(begin - size <= line.x0 and line.x1 <= end + size for line in row)


def _block_at(rows: Sequence[list[Line]], begin: int) -> Grid | None:
    """Return the longest block from here with gaps that run down through it; None if it is only a row."""
    gaps = [(left.x1, right.x0) for left, right in pairwise(rows[begin])]
    taken = [rows[begin]]
    split = 1
    for at, row in enumerate(rows[begin + 1 :], start=begin + 1):
        if taken[-1][0].y - row[0].y > ROW_STEP * row[0].size:
            break
        if _is_of_group(rows, at, gaps):
            taken.append(row)
            continue
        left = _narrowed(gaps, row)
        if not left or (len(row) > 1 and len(left) < len(gaps) and len(row) <= len(left)):
            break
        if len(left) < len(gaps) and split > 1 and len(row) == 1:
            break
        gaps = left
        taken.append(row)
        if len(row) > 1:
            split = len(taken)
    grid = Grid(taken, gaps)
    if not grid.is_prose():
        taken = taken[: _last_of_table(taken, split)]
        grid = Grid(taken, _free(taken))
    return grid if sum(len(row) > 1 for row in grid.rows) > 1 else None


def _is_of_group(rows: Sequence[Sequence[Line]], at: int, gaps: Sequence[tuple[float, float]]) -> bool:
    """Return whether a row is the name of a group of rows: alone across the columns, between rows with all of them."""
    if at + 1 == len(rows) or len(rows[at]) > 1 or not _crosses(rows[at][0], gaps):
        return False
    row, above, below = rows[at][0], rows[at - 1], rows[at + 1]
    are_full = len(below) > len(gaps) and (len(above) > len(gaps) or at == 1)
    is_close = max(above[0].y - row.y, row.y - below[0].y) <= HEAD_STEP * row.size
    return are_full and is_close and abs(row.x0 - below[0].x0) <= FLUSH and row.x1 < below[-1].x1


def _free(rows: Sequence[Sequence[Line]]) -> list[tuple[float, float]]:
    """Return all gaps that run down through some rows, including those that the first row does not show."""
    full = [row for row in rows if len(row) > 1] or rows
    lines = sorted((line for row in full for line in row), key=lambda line: line.x0)
    found, end = [], lines[0].x1
    for line in lines:
        if line.x0 - end >= MIN_GAP * line.size:
            found.append((end, line.x0))
        end = max(end, line.x1)
    return found


def _last_of_table(rows: Sequence[list[Line]], split: int) -> int:
    """Return how many rows belong to a table: up to the last row with cells, and rows that continue in other
    columns.
    """
    count = split
    while count < len(rows) and rows[count][0].x0 > rows[0][0].x1 and len(rows[count]) == 1:
        count += 1
    return count


def _narrowed(gaps: Sequence[tuple[float, float]], row: Sequence[Line]) -> list[tuple[float, float]]:
    """Return the parts of the gaps that this row does not cover."""
    found = []
    for begin, end in gaps:
        inside = [line for line in row if line.x0 < end and line.x1 > begin]
        for line in inside:
            if line.x0 <= begin and line.x1 >= end:
                begin = end
            elif line.x0 <= begin:
                begin = max(begin, line.x1)
            else:
                end = min(end, line.x0)
        if end - begin >= MIN_GAP * row[0].size:
            found.append((begin, end))
    return found


def _whole(row: Sequence[Line]) -> Line:
    """Return a row as one line."""
    turned = is_right_to_left("".join(line.text for line in row))
    parts = list(reversed(row)) if turned else list(row)
    return replace(parts[0], text=" ".join(line.text for line in parts), x0=row[0].x0, x1=row[-1].x1)
