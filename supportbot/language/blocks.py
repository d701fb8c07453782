"""Parses Markdown into blocks with character offsets: headings, paragraphs, lists, tables, code, quotations. Pure.

Blocks are parsed in the way articles are rendered (CommonMark and tables, HTML as text), so a list here is a list on
the page. `body[block.start:block.end]` is the source of a block, stripped.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from supportbot.language.plain_text import plain

# Longer lines do not count as headings: they are unlikely to be titles, and would be repeated before every passage
# below them.
LONGEST_HEADING: Final = 300
_LONGEST_IN_PATH: Final = 200
COLUMNS: Final = " | "  # separator between the names of a table's columns
# The line breaks that markdown-it counts.
_LINE_END: Final = re.compile(r"\r\n?|\n")
_CONTAINER_MARK: Final = re.compile(r"[ \t]*+(?:>|(?:[-*+]|\d{1,9}[.)])(?!\S))")
_INDENT: Final = re.compile(r"\s*+")
_NAMED: Final = re.compile(r"[^\n]*+\n[ \t]*+[|:-][ \t|:-]*+(?:\n|$)")  # a row of column names, and the line below it
_QUOTED: Final = -1


class Kind(Enum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"
    TABLE = "table"
    CODE = "code"
    QUOTE = "quote"
    HTML = "html"  # tags, a comment or a picture without words
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; its cells are Markdown."""

    start: int
    end: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """A list item. `mark` is the source before it ("-", "3."), and `number` the visible number, or None for a
    bullet.
    """

    start: int
    end: int
    mark: str
    number: int | None
    blocks: tuple["Block", ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the text, `body[start:end]`.

    `text` is the content of a heading, paragraph or code block: code, or Markdown without the marks at the beginning of
    lines. `heading_path` contains the headings above the block as plain text, outermost first; for a heading, its own
    text comes last. Lists have `items`, quotations `blocks`, and tables `rows`. `is_fenced` is true for code in fences,
    and false for indented code.
    """

    kind: Kind
    start: int
    end: int
    text: str = ""
    level: int = 0
    heading_path: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    blocks: tuple["Block", ...] = ()
    header: Row | None = None
    rows: tuple[Row, ...] = ()
    is_fenced: bool = False


def names_of_columns(table: Block) -> str:
    """Return a table's column names on one line; "" for any other block."""
    names = [" ".join(plain(cell).split()) for cell in table.header.cells] if table.header else []
    return COLUMNS.join(names)[:_LONGEST_IN_PATH] if any(names) else ""


def blocks_of_passage(text: str, heading: str) -> list[Block]:
    """Return the blocks of a part of a body. If the heading shows that a table began before this part, the rows of this
    table form one block.
    """
    if text.startswith("|") and COLUMNS in heading and not _NAMED.match(text):
        names = heading.split(COLUMNS)
        return blocks(f"| {' | '.join(names)} |\n|{'---|' * len(names)}\n{text}")
    return blocks(text)


def blocks(body: str) -> list[Block]:
    """Return the blocks of `body` in order; blank lines are not part of blocks."""
    return list(_Reader(body).blocks())


def _parser() -> MarkdownIt:
    # Treat link definitions like other paragraphs, because their words are part of the source.
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("reference")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


_markdown: Final = _parser()


class _Reader:
    """Parses a body. Keeps its tokens, the offsets of its lines, and the current headings."""

    def __init__(self, body: str) -> None:
        self._body = body
        self._starts = [0, *(end.end() for end in _LINE_END.finditer(body)), len(body)]
        self._tokens = _markdown.parse(body)
        self._headings: tuple[tuple[int, str], ...] = ()

        # The first lines of the list items around the current block; _QUOTED for a quotation.
        self._containers: list[int] = []

    def blocks(self) -> Iterator[Block]:
        return self._read(self._tokens)

    def _read(self, tokens: Sequence[Token]) -> Iterator[Block]:
        for opening, inside in _nodes(tokens):
            block = self._block(opening, inside)
            if block.end > block.start:
                yield block

    def _within(self, container: int, tokens: Sequence[Token]) -> tuple[Block, ...]:
        self._containers.append(container)
        found = tuple(self._read(tokens))
        self._containers.pop()
        return found

    def _block(self, token: Token, inside: Sequence[Token]) -> Block:
        start, end = self._span(token)
        match token.type:
            case "heading_open":
                return self._heading(start, end, int(token.tag[1:]), inside[0].content)
            case "bullet_list_open" | "ordered_list_open":
                return Block(Kind.LIST, start, end, heading_path=self._path, items=tuple(self._items(inside)))
            case "table_open":
                header, *rows = self._rows(inside)
                return Block(Kind.TABLE, start, end, heading_path=self._path, header=header, rows=tuple(rows))
            case "blockquote_open":
                return Block(Kind.QUOTE, start, end, heading_path=self._path, blocks=self._within(_QUOTED, inside))
            case "fence" | "code_block":
                is_fenced = token.type == "fence"
                return Block(Kind.CODE, start, end, token.content, heading_path=self._path, is_fenced=is_fenced)
            case "hr":
                return Block(Kind.RULE, start, end, heading_path=self._path)
        text = inside[0].content
        return Block(_kind_of_words(text), start, end, text, heading_path=self._path)

    def _heading(self, start: int, end: int, level: int, text: str) -> Block:
        # a heading in a list or quotation does not apply to what is outside it
        if self._containers or end - start > LONGEST_HEADING:
            return Block(Kind.HEADING, start, end, text, level, self._path)
        above = tuple(entry for entry in self._headings if entry[0] < level)
        self._headings = (*above, (level, plain(text)[:_LONGEST_IN_PATH]))
        return Block(Kind.HEADING, start, end, text, level, self._path)

    @property
    def _path(self) -> tuple[str, ...]:
        return tuple(name for _, name in self._headings if name)

    def _items(self, tokens: Sequence[Token]) -> Iterator[Item]:
        first = int(tokens[0].info) if tokens[0].info else None
        for position, (opening, inside) in enumerate(_nodes(tokens)):
            start, end = self._span(opening)
            number = None if first is None else first + position
            yield Item(start, end, f"{opening.info}{opening.markup}", number, self._within(_lines(opening)[0], inside))

    def _rows(self, tokens: Sequence[Token]) -> Iterator[Row]:
        for _, part in _nodes(tokens):
            for opening, inside in _nodes(part):
                start, end = self._span(opening)
                yield Row(start, end, tuple(cell.content for cell in inside if cell.type == "inline"))

    def _span(self, token: Token) -> tuple[int, int]:
        """Return the start and end of a block, without the marks of its containers on its first line."""
        first, last = _lines(token)
        start = begin = self._starts[first]
        end = self._starts[min(last, len(self._starts) - 1)]
        for container in self._containers:
            if container in (_QUOTED, first) and (mark := _CONTAINER_MARK.match(self._body, begin, end)):
                begin = mark.end()
        if indent := _INDENT.match(self._body, begin, end):
            begin = indent.end()
        return begin, max(begin, start + len(self._body[start:end].rstrip()))


def _lines(token: Token) -> tuple[int, int]:
    """Return the first line of a block and the line after its last; every opening token has them."""
    first, last = token.map or (0, 0)
    return first, last


def _nodes(tokens: Sequence[Token]) -> Iterator[tuple[Token, Sequence[Token]]]:
    """Yield each top-level token with the tokens between it and its closing token."""
    at = 0
    while at < len(tokens):
        opening, begin = tokens[at], at + 1
        depth: int = opening.nesting
        while depth:
            at += 1
            depth += tokens[at].nesting
        yield opening, tokens[begin:at]
        at += 1


def _kind_of_words(text: str) -> Kind:
    return Kind.HTML if text.startswith(("<", "![](")) and not plain(text) else Kind.PARAGRAPH
