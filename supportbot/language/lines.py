"""Splits a Markdown block into lines that can be quoted individually: sentences, list items, rows, code. Pure. Markup
is removed, but the words and their order are kept, so a quoted line can be found in the text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from supportbot.language.blocks import Block, Item, Kind, Row
from supportbot.language.plain_text import plain
from supportbot.language.sentences import sentences_of

_LINK_ALONE: Final = re.compile(r"\[[^\[\]]{1,300}\]\([^()]{0,500}\)")
_INDENT: Final = "  "
LABELLED: Final = "{label}: {value}"  # in French, there is a space before the colon
_TRACKED: Final = 3  # if a table has at least this many columns, a quoted row needs their names


@dataclass(frozen=True, slots=True)
class Line:
    """The smallest unit to quote: a sentence, a list item, a row or a code block. `mark` is written before a list item.

    If `matched` is set, it is compared with questions instead of `text`: a row is compared together with its column
    names.
    """

    text: str
    mark: str = ""
    matched: str = ""
    is_pointer: bool = False  # whether it is only a link to another page

    @property
    def compared(self) -> str:
        return self.matched or self.text

    @property
    def answers_nothing(self) -> bool:
        return self.is_pointer or self.text.endswith("?")


def lines_of(block: Block, labelled: str = LABELLED) -> Iterator[Line]:
    """Yield the lines of a block. Headings and quotations have none. `labelled` shows how a label and its value are
    written in the block's language.
    """
    match block.kind:
        case Kind.PARAGRAPH:
            text = " ".join(plain(block.text).split())
            yield from (Line(sentence.strip()) for sentence in sentences_of(text))
        case Kind.LIST:
            yield from _items(block.items, "")
        case Kind.TABLE:
            yield from _rows(block, labelled)
        case Kind.CODE if block.text.strip():
            yield Line(f"```\n{block.text.rstrip()}\n```")


def _items(items: Sequence[Item], indent: str) -> Iterator[Line]:
    for item in items:
        own = [block for block in item.blocks if block.kind is Kind.PARAGRAPH]
        text = " ".join(" ".join(plain(block.text).split()) for block in own)
        mark = indent + ("-" if item.number is None else f"{item.number}.")
        if text:
            is_pointer = len(own) == 1 and _LINK_ALONE.fullmatch(own[0].text.strip()) is not None
            yield Line(text, mark, is_pointer=is_pointer)
        for block in item.blocks:
            yield from _items(block.items, indent + _INDENT)


def _rows(table: Block, labelled: str) -> Iterator[Line]:
    names = _cells(table.header) if table.header else []
    for row in table.rows:
        if any(cells := _cells(row)):
            text = _with_names(names, cells, labelled) if names_its_columns(table) else row_as_text(row, labelled)
            yield Line(text, "-", matched=f"{' '.join(names)} {' '.join(cells)}")


def names_its_columns(table: Block) -> bool:
    """Return whether quoted rows of a table include the column names, which readers need if there are three or more
    columns.
    """
    return table.header is not None and len(names := _cells(table.header)) >= _TRACKED and all(names[1:])


def _with_names(names: Sequence[str], cells: Sequence[str], labelled: str) -> str:
    """Return a row as text with its column names: "Switzerland · Days: 4 to 6 · Costs: €14.90"."""
    first, *others = zip_longest(names, cells, fillvalue="")
    pairs = ((name.rstrip(":").rstrip(), cell) for name, cell in others if cell)
    named = (labelled.format(label=name, value=cell) if name else cell for name, cell in pairs)
    return " · ".join(filter(None, (first[1], *named)))


def row_as_text(row: Row, labelled: str = LABELLED) -> str:
    """Return a row as one line of text: "Switzerland: 4 to 6 · €14.90"."""
    first, *others = [cell for cell in _cells(row) if cell] or [""]
    form = "{label} {value}" if first.endswith((":", "?")) else labelled
    return form.format(label=first, value=" · ".join(others)) if others else first


def _cells(row: Row) -> list[str]:
    return [" ".join(plain(cell).split()) for cell in row.cells]
