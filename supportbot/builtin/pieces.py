"""A passage as pieces that can be quoted whole: paragraphs, lists, tables, listings. Pure.

Markdown's signs go, the words and their order stay, so that each line of a quotation is found again in the article.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from supportbot.language.blocks import Block, Item, Kind, Row, blocks
from supportbot.language.plaintext import plain
from supportbot.language.sentences import sentences_of
from supportbot.llm.types import Source

_LINK_ALONE: Final = re.compile(r"\[[^\[\]]{1,300}\]\([^()]{0,500}\)")
_INDENT: Final = "  "


@dataclass(frozen=True, slots=True)
class Line:
    """The least that is quoted: a sentence, an item of a list, a row, a listing. `mark` is written before an item.

    `says` is what is compared with a question: a row is compared with the names of its columns.
    """

    text: str
    mark: str = ""
    says: str = ""
    is_pointer: bool = False  # nothing but a link: it names another page and says nothing itself

    @property
    def compared(self) -> str:
        return self.says or self.text

    @property
    def answers_nothing(self) -> bool:
        return self.is_pointer or self.text.endswith("?")


@dataclass(frozen=True, slots=True)
class Piece:
    """What reads as one. `position` counts the pieces of a passage, `lead` is the sentence that announces this one."""

    kind: Kind
    lines: tuple[Line, ...]
    heading: str
    source: Source
    position: int
    lead: str = ""
    columns: str = ""  # the names of a table's columns, read aloud

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


def pieces_of(source: Source) -> list[Piece]:
    """Return what can be quoted from a passage, in reading order; a heading is none."""
    found: list[Piece] = []
    for block, heading, lines in _blocks(blocks(source.text), source.heading):
        kind = block.kind
        last = found[-1] if found else None
        follows = last is not None and last.kind is Kind.PARAGRAPH and kind is not Kind.PARAGRAPH
        lead = last.lines[-1].text if last is not None and follows and last.heading == heading else ""
        columns = _read_aloud(_cells(block.header)) if block.header else ""
        lead = lead if lead.endswith(":") else ""
        found.append(Piece(kind, tuple(lines), heading, source, len(found), lead, columns))
    return found


def _blocks(found: Sequence[Block], above: str) -> Iterator[tuple[Block, str, list[Line]]]:
    for block in found:
        heading = block.heading_path[-1] if block.heading_path else above
        if block.kind is Kind.QUOTE:
            yield from _blocks(block.blocks, heading)
        elif block.kind is not Kind.HEADING and (lines := list(_lines(block))):
            yield block, heading, lines


def _lines(block: Block) -> Iterator[Line]:
    match block.kind:
        case Kind.PARAGRAPH:
            text = " ".join(plain(block.text).split())
            yield from (Line(sentence.strip()) for sentence in sentences_of(text))
        case Kind.LIST:
            yield from _items(block.items, "")
        case Kind.TABLE:
            yield from _rows(block)
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


def _rows(table: Block) -> Iterator[Line]:
    names = " ".join(_cells(table.header)) if table.header else ""
    for row in table.rows:
        cells = _cells(row)
        if any(cells):
            yield Line(_read_aloud(cells), "-", says=f"{names} {' '.join(cells)}")


def _cells(row: Row) -> list[str]:
    return [" ".join(plain(cell).split()) for cell in row.cells]


def _read_aloud(cells: Sequence[str]) -> str:
    """Return a row as it is read aloud: "Switzerland: 4 to 6 · €14.90"."""
    first, *others = [cell for cell in cells if cell] or [""]
    joint = " " if first.endswith((":", "?")) else ": "
    return f"{first}{joint}{' · '.join(others)}" if others else first
