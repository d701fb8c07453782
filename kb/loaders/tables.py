"""Rows of cells as a Markdown table."""

from collections.abc import Sequence


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows as a pipe table whose first row is the head; rows are filled up to the widest one."""
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
