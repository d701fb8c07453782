"""Percentiles and tables. Pure."""

import math
from collections.abc import Mapping, Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the percentile by nearest rank, or 0 if there are no values."""
    ranked = sorted(values)
    return round(ranked[math.ceil(len(ranked) * percent / 100) - 1], 2) if ranked else 0.0


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows, which all have the same keys, as a text table: the first column is text, aligned left; the others
    are figures, aligned right.
    """
    names = list(rows[0])
    cells = [names, *([str(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) if not place else cell.rjust(width) for place, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(line, widths, strict=True)) for line in cells)
    )
