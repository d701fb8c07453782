"""Turning pieces of text with positions into headings, paragraphs, lists and tables in reading order, as HTML. Pure.
Lines are found by their baselines. A vertical gap through several lines means columns of prose (read one after the
other) or a table. Headings are found by size, bold type and the outline. Text that repeats at the edge of most pages is
left out.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from itertools import pairwise
from statistics import median
from typing import Final

from kb.importing.confined.pdf.canvas import PageText
from kb.importing.confined.pdf.continuations import SENTENCE_END, Block, joined, over_breaks, words_in
from kb.importing.confined.pdf.framed_text import boxed
from kb.importing.confined.pdf.geometry import Box
from kb.importing.confined.pdf.lines import Line, rows_of, without_repeated
from kb.importing.confined.pdf.margin_notes import margin_notes
from kb.importing.confined.pdf.pictures import PlacedPicture
from kb.importing.confined.pdf.prose_columns import Bar, in_columns, usual_gutters
from kb.importing.confined.pdf.tables_or_columns import Cells, Grid, flows_and_grids

WIDEST_LEADING: Final = 1.75  # a larger step starts a paragraph
HEADING_SIZE: Final = 1.12
HEADING_WORDS: Final = 16
SENTENCE_WORDS: Final = 8
FOOTNOTE_SIZE: Final = 0.9
_BULLET: Final = re.compile(r"([•‣▪▫◦●○∙·■□➢➤✓\uf0b7\uf0a7\uf0d8–—*-])(?:\s+|$)")
_NUMBER: Final = re.compile(r"\(?(\d{1,3})[.)](?:\s+|$)")
_LETTER: Final = re.compile(r"\(?[a-z]\)\s")


class Layout:
    """The document; `outline` maps the page and the lower-case text of a heading to its level."""

    def __init__(
        self, pages: Sequence[PageText], outline: Mapping[tuple[int, str], int], pictures: Sequence[PlacedPicture] = ()
    ) -> None:
        self._pictures = pictures
        rows = [rows_of(page.runs, page.number, page.uprights) for page in pages]
        self._bars = {page.number: page.bars for page in pages}
        parts = [boxed(lines, page) for lines, page in zip(without_repeated(rows, pages), pages, strict=True)]
        beside = [margin_notes(rest) for rest, _ in parts]
        self._pages = [rest for rest, _ in beside]
        sideways = [page.sideways for page in pages]
        self._boxed = [box for boxes in (*(found for _, found in (*parts, *beside)), *sideways) for box in boxes]
        self._outline = outline
        texts = [*self._pages, *(box.rows for box in self._boxed)]
        lines = [line for text in texts for row in text for line in row]
        letters = Counter[float]()
        for line in lines:
            letters[round(line.size, 1)] += len(line.text)
        self._known = frozenset(word for line in lines for word in words_in(line.text))
        self._body = max(letters, key=lambda size: letters[size]) if letters else 10.0
        large = {round(line.size, 1) for line in lines if self._is_large(line) and _is_short(line)}
        self._levels = {size: min(level, 3) for level, size in enumerate(sorted(large, reverse=True), start=1)}

    def html(self) -> str:
        ruled = [(page, self._bars[page[0][0].page]) for page in self._pages if page]
        usual = usual_gutters(ruled)
        flows = (flow for page, bars in ruled for flow in in_columns(page, bars, usual))
        blocks = [
            replace(block, flow=number) for number, flow in enumerate(flows) for block in self._blocks(flow, None)
        ]
        found = over_breaks(blocks, self._known)
        for box in sorted(self._boxed, key=lambda one: (one.page, -one.box.top)):
            place = _place(found, box.page, box.box)
            wide = [
                _over_width(block, box.box) for block in self._blocks(box.rows, box.bars)
            ]  # widened, so that the next box comes after this one
            found[place:place] = wide
        return _as_html(_with_pictures(found, self._pictures))

    def _is_large(self, line: Line) -> bool:
        return line.size >= self._body * HEADING_SIZE

    def _level(self, line: Line) -> int:
        """Return the level of a heading; 0 for any other line."""
        if level := self._outline.get((line.page, _key(line.text)), 0):
            return min(level + 1, 6) if self._levels else min(level, 6)
        if not _is_short(line) or not any(sign.isalpha() for sign in line.text):
            return 0
        if self._is_large(line):
            return self._levels.get(round(line.size, 1), 3)
        ends = SENTENCE_END.search(line.text)
        return min(len(set(self._levels.values())) + 1, 4) if line.is_bold and not ends else 0

    def _blocks(self, rows: Sequence[list[Line]], own: Sequence[Bar] | None) -> Iterator[Block]:
        """Yield the blocks in some rows, using their own horizontal lines or, if they have none, their page's lines."""
        page = rows[0][0].page
        bars = self._bars[page] if own is None else own
        for part in flows_and_grids(rows, bars):
            if isinstance(part, Grid):
                yield _at(part.lines, Block("table", "", page, rows=part.cells(bars)))
            else:
                yield from self._flow(part)

    def _flow(self, lines: Sequence[Line]) -> Iterator[Block]:
        """Yield the blocks in successive lines."""
        if not lines:
            return
        right, left = max(line.x1 for line in lines), min(line.x0 for line in lines)
        step = _usual_step(lines)
        last, block = lines[0], _at(lines[:1], self._block(lines[0]))
        for line in lines[1:]:
            own = _at([line], self._block(line))
            if self._continues(block.kind, own.kind, last, line, (left, right), step):
                text = joined([block.text, line.text], self._known)
                ends = min(block.left, line.x0), max(block.right, line.x1)
                block = replace(block, text=text, left=ends[0], right=ends[1], bottom=line.y)
            else:
                yield self._unless_sentence(block)
                block = own
            last = line
        yield self._unless_sentence(block)

    def _unless_sentence(self, block: Block) -> Block:
        """Return the block, or a paragraph instead of a heading if it is a complete sentence, such as a warning in
        large letters.
        """
        is_sentence = block.text[-1:] in (".", "。") and len(block.text.split()) >= SENTENCE_WORDS
        if not block.kind.startswith("h") or not is_sentence or (block.page, _key(block.text)) in self._outline:
            return block
        return replace(block, kind="p")

    def _block(self, line: Line) -> Block:
        """Return the block that this line would start."""
        is_small = line.size <= self._body * FOOTNOTE_SIZE
        if found := _BULLET.match(line.text):
            return Block("ul", line.text[found.end() :], line.page, is_small=is_small)
        if level := self._level(line):
            return Block(f"h{level}", line.text, line.page)
        if found := _NUMBER.match(line.text):
            return Block("ol", line.text[found.end() :], line.page, found.group(1), is_small=is_small)
        return Block("ul" if _LETTER.match(line.text) else "p", line.text, line.page, is_small=is_small)

    def _continues(self, kind: str, own: str, last: Line, line: Line, edges: tuple[float, float], step: float) -> bool:
        """Return whether a line continues the block above it."""
        is_next = 0 < last.y - line.y <= max(step, last.size) * WIDEST_LEADING / 1.2
        if not is_next:
            return False
        if kind.startswith("h"):
            return own == kind and abs(last.size - line.size) < 0.2 and last.y - line.y <= last.size * 1.6
        if own != "p":
            return False
        if kind in ("ul", "ol"):
            return line.x0 > last.x0 - 1 or not SENTENCE_END.search(last.text)
        left, right = edges
        is_indented = line.x0 - left > line.size and last.x0 - left < line.size / 2
        ends_early = last.x1 < right - (right - left) * 0.2 and bool(SENTENCE_END.search(last.text))
        return not ends_early and not (is_indented and bool(SENTENCE_END.search(last.text)))


def _at(lines: Sequence[Line], block: Block) -> Block:
    left, right = min(line.x0 for line in lines), max(line.x1 for line in lines)
    return replace(block, left=left, right=right, bottom=min(line.y for line in lines))


def _over_width(block: Block, box: Box) -> Block:
    return replace(block, left=min(block.left, box.left), right=max(block.right, box.right))


def _with_pictures(blocks: Sequence[Block], pictures: Sequence[PlacedPicture]) -> list[Block]:
    """Return the blocks, with each picture placed after the text right above it."""
    found = list(blocks)
    for picture in sorted(pictures, key=lambda one: (one.page, -one.box.top)):
        left, bottom, right, _ = picture.box
        block = Block("img", picture.name, picture.page, left=left, right=right, bottom=bottom)
        found.insert(_place(found, picture.page, picture.box), replace(block, description=picture.description))
    return found


def _place(blocks: Sequence[Block], page: int, box: Box) -> int:
    """Return the index after the text that is right above a box, or else at the beginning of its page."""
    left, bottom, right, top = box
    here = [(place, block) for place, block in enumerate(blocks) if block.page == page]
    beside = [(block.bottom, -place) for place, block in here if block.left < right and block.right > left]
    above = [one for one in beside if one[0] >= (top + bottom) / 2]
    if above:
        return 1 - min(above)[1]
    return next((place for place, block in enumerate(blocks) if block.page >= page), len(blocks))


def _usual_step(lines: Sequence[Line]) -> float:
    steps = [one.y - other.y for one, other in pairwise(lines) if one.y > other.y]
    return min(median(steps), lines[0].size * 2) if steps else lines[0].size * 1.2


def _as_html(blocks: Sequence[Block]) -> str:
    pieces: list[str] = []
    page, open_list = 0, ""
    for place, block in enumerate(blocks):
        if open_list and (block.kind != open_list or block.page != page):
            pieces.append(f"</{open_list}>")
            open_list = ""
        if block.page != page and not (place == 0 and block.kind.startswith("h")):  # the title stays first
            pieces.append(f'{"</section>" if page else ""}<section data-page="{block.page}">')
            page = block.page
        if block.kind in ("ul", "ol"):
            value = f' value="{block.number}"' if block.number else ""
            pieces.append(f"{'' if open_list else f'<{block.kind}>'}<li{value}>{escape(block.text)}</li>")
            open_list = block.kind
        elif block.kind == "table":
            pieces.append(_table(block.rows))
        elif block.kind == "img":
            pieces.append(f'<p><img src="{block.text}" alt="{escape(block.description)}"></p>')
        elif block.text:
            pieces.append(f"<{block.kind}>{escape(block.text)}</{block.kind}>")
    pieces.append(f"</{open_list}>" if open_list else "")
    return "".join([*pieces, "</section>" if page else ""])


def _table(rows: Cells) -> str:
    lines = ["".join(f"<td{_over(span)}>{escape(text)}</td>" for text, span in row) for row in rows]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _over(span: int) -> str:
    return f' colspan="{span}"' if span > 1 else ""


def _is_short(line: Line) -> bool:
    return len(line.text) <= 200 and len(line.text.split()) <= HEADING_WORDS


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()
