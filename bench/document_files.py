"""PDF and Word files made from the texts in `bench/files`, with the questions about them.

A text is simplified Markdown: `layout: NAME`, one title, sections, paragraphs and tables. In the layout "footnotes", it
also has notes such as `[1] Text`, each marked in the text by `[1]`. For each text, `questions.json` lists table cells
and planted sentences. A sentence has a question in nearly the same words (`lightly`) and one in other words
(`strongly`).
"""

import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.kb.made_files import Text, docx, p, pdf, table

FOLDER: Final = Path(__file__).parent / "files"
TOP: Final = 760.0
BOTTOM: Final = 430.0  # short pages, so that a text fills several; notes and the page number go below this line
LEADING: Final = 1.3
HEBREW_WIDTH: Final = 0.55  # the width of a letter in `made_files`, as a fraction of the font size
_NOTE: Final = re.compile(r"\[(\d)\]")


@dataclass(frozen=True, slots=True)
class Block:
    """A heading with its level, a paragraph, or the rows of a table."""

    text: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Style:
    columns: tuple[Column, ...]
    size: float
    characters: int  # per line
    is_right_to_left: bool = False


STYLES: Final = {
    "manual": Style((Column(70, 525),), 11, 84),
    "footnotes": Style((Column(70, 525),), 11, 84),
    "columns": Style((Column(50, 285), Column(310, 545)), 9.5, 48),
    "right-to-left": Style((Column(70, 525),), 11, 70, is_right_to_left=True),
}


def make_files(folder: Path) -> list[dict[str, Any]]:
    """Write the files into `folder`, and return the planted sentences and cells in the format of `bench.documents`."""
    return [_made(folder, row) for row in json.loads((FOLDER / "questions.json").read_text())]


def _made(folder: Path, row: dict[str, Any]) -> dict[str, Any]:
    first, _, text = (FOLDER / f"{row['file']}.md").read_text().partition("\n")
    layout = first.removeprefix("layout: ")
    blocks = list(_blocks(text))
    pages: dict[str, int] = {}
    if layout == "word":
        name, content = f"{row['file']}.docx", docx(*map(_in_word, blocks))
    else:
        pressed = _Press(STYLES[layout], blocks[0].text)
        pressed.set(blocks)
        name, content, pages = f"{row['file']}.pdf", pdf(*pressed.pages), pressed.places
    (folder / name).write_bytes(content)
    facts = [
        {
            "sentence": fact["sentence"],
            "questions": {"verbatim": fact["sentence"], "lightly": fact["lightly"], "strongly": fact["strongly"]},
            "pages": [page for paragraph, page in pages.items() if fact["sentence"] in paragraph],
        }
        for fact in row["facts"]
    ]
    return {**row, "file": name, "facts": facts}


def _blocks(text: str) -> Iterator[Block]:
    for part in re.split(r"\n\n+|\n(?=\[\d\])", text.strip()):
        if heading := re.match(r"(#+) (.+)", part):
            yield Block(heading[2], len(heading[1]))
        elif part.startswith("|"):
            rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in part.splitlines()]
            yield Block(rows=(rows[0], *rows[2:]))
        else:
            yield Block(" ".join(part.split()))


def _in_word(block: Block) -> str:
    if block.rows:
        return table(*block.rows)
    return p(block.text, f"Heading{block.level}" if block.level else "")


@dataclass
class _Press:
    """A layout of blocks on pages, from the top of each column to its bottom."""

    style: Style
    title: str
    pages: list[list[Text | str]] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)  # the page of each paragraph
    notes: dict[str, str] = field(default_factory=dict)
    y: float = 0.0
    column: int = 0

    def set(self, blocks: Sequence[Block]) -> None:
        self.notes = {mark[1]: one.text for one in blocks if (mark := _NOTE.match(one.text))}
        self._turn_page()
        for block in blocks:
            if block.level:
                self._set_heading(block)
            elif block.rows:
                self._set_table(block.rows)
            elif not _NOTE.match(block.text):
                self._set_paragraph(block.text)

    def _turn_page(self) -> None:
        self.pages.append([])
        self.y, self.column = TOP, 0
        if not self.style.is_right_to_left:
            number = len(self.pages)
            self.pages[-1] += [Text(70, 800, self.title[:60], 8), Text(290, 40, str(number), 8)]
        self._foot = BOTTOM - 10

    def _make_room(self, points: float) -> None:
        if self.y - points >= BOTTOM:
            return
        if self.column + 1 < len(self.style.columns):
            self.y, self.column = TOP, self.column + 1
        else:
            self._turn_page()

    def _set_heading(self, block: Block) -> None:
        size = 20 if block.level == 1 else 14
        self._make_room(8 * self.style.size * LEADING)  # never the last line of a page
        lines = textwrap.wrap(block.text, int(self.style.characters * self.style.size / size))
        self._set_lines(lines, size, is_bold=True)

    def _set_paragraph(self, text: str) -> None:
        lines = textwrap.wrap(text, self.style.characters)
        self._make_room(len(lines) * self.style.size * LEADING)
        page = len(self.pages)
        self.places[_NOTE.sub("", text)] = page
        marks = _NOTE.findall(text)
        self._set_lines(lines, self.style.size)
        for mark in marks:
            self.places[self.notes[mark]] = page
            self._set_note(mark)

    def _set_lines(self, lines: Sequence[str], size: float, *, is_bold: bool = False) -> None:
        column = self.style.columns[self.column]
        for line in lines:
            left = column.right - len(line) * size * HEBREW_WIDTH if self.style.is_right_to_left else column.left
            self._set_line(line, left, size, is_bold=is_bold)
            self.y -= size * LEADING
        self.y -= size * 0.7

    def _set_line(self, line: str, left: float, size: float, *, is_bold: bool) -> None:
        place = 0.0
        for part, is_mark in _with_marks(line):
            small = Text(left + place, self.y + size * 0.35, part, size * 0.6)
            self.pages[-1].append(small if is_mark else Text(left + place, self.y, part, size, is_bold))
            place += _width(part) * (size * 0.6 if is_mark else size)

    def _set_note(self, mark: str) -> None:
        lines = textwrap.wrap(self.notes[mark].removeprefix(f"[{mark}] "), 110)
        self.pages[-1].append(Text(70, self._foot + 3, mark, 5))
        self.pages[-1] += [Text(75, self._foot - place * 10, line, 8) for place, line in enumerate(lines)]
        self._foot -= 10 * len(lines)

    def _set_table(self, rows: Sequence[Sequence[str]]) -> None:
        self._make_room(len(rows) * 16)
        left = self.style.columns[self.column].left
        for row in rows:
            self.pages[-1] += [Text(left + 150 * place, self.y, cell, 10) for place, cell in enumerate(row)]
            self.y -= 16


def _with_marks(line: str) -> Iterator[tuple[str, bool]]:
    for place, part in enumerate(_NOTE.split(line)):
        if part:
            yield part, bool(place % 2)


def _width(text: str) -> float:
    """Return the width of a text in Helvetica, in multiples of the font size."""
    from pypdf._codecs.core_font_metrics import CORE_FONT_METRICS  # pypdf has no public name for it

    widths = CORE_FONT_METRICS["Helvetica"].character_widths
    return sum(widths.get(sign, 556) for sign in text) / 1000
