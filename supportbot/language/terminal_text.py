"""Converts Markdown to text that is read in a terminal."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from supportbot.language.blocks import Block, Kind, blocks
from supportbot.language.plain_text import plain

_LIST_MARK: Final = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+")
_CELL_BORDER: Final = re.compile(r"(?<!\\)\|")
_FENCE: Final = re.compile(r"[ \t>]*+(?:`{3,}|~{3,})[ \t]*+")
_BAR: Final = "\ue000"  # stands for a bar, which `plain` removes


def for_terminal(markdown: str) -> str:
    """Return Markdown as it is read in a terminal: paragraphs, the marks of lists and code are kept, the cells of a
    table's row are separated by dots, and other markup is removed. Cells between bars are a row without the table's
    rule, too, since a quotation may contain only a part of a table.
    """
    body = markdown.replace("\r\n", "\n").replace("\r", "\n").strip("\n").rstrip()
    lines = body.split("\n")
    shown: list[str | None] = [_words(line) for line in lines]
    for block in _tables_and_code(blocks(body)):
        first, last = body.count("\n", 0, block.start), body.count("\n", 0, block.end)
        if block.kind is Kind.TABLE:
            shown[first : last + 1] = [_row(lines[first]), None, *map(_row, lines[first + 2 : last + 1])]
        else:
            shown[first : last + 1] = [line.rstrip() for line in lines[first : last + 1]]
        if block.is_fenced:
            shown[first] = None
            shown[last] = None if _FENCE.fullmatch(lines[last]) else shown[last]
    return "\n".join(line for line in shown if line is not None)


def _tables_and_code(found: Sequence[Block]) -> Iterator[Block]:
    for block in found:
        if block.kind in (Kind.TABLE, Kind.CODE):
            yield block
        for inner in (block.blocks, *(item.blocks for item in block.items)):
            yield from _tables_and_code(inner)


def _words(line: str) -> str:
    mark, text = _marked(line)
    borders = [border.start() for border in _CELL_BORDER.finditer(text)]
    if len(borders) > 2 and borders[0] == 0 and borders[-1] == len(text) - 1:
        return _row(line)
    return f"{mark}{_plain_with_bars(text)}".rstrip()


def _row(line: str) -> str:
    mark, text = _marked(line)
    return f"{mark}{' · '.join(filter(None, map(_plain_with_bars, _CELL_BORDER.split(text))))}".rstrip()


def _plain_with_bars(text: str) -> str:
    """Return the visible words with the bars among them; in a table, these are escaped."""
    return plain(text.replace(r"\|", _BAR).replace("|", _BAR)).replace(_BAR, "|")


def _marked(line: str) -> tuple[str, str]:
    """Return the mark of a list's item, "" if there is none, and the rest of the line."""
    mark = _LIST_MARK.match(line)
    start = mark[0] if mark else ""
    return start, line[len(start) :].strip()
