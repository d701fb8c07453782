"""A Markdown passage as things that can be quoted: sentences, list items, table rows. Pure.

The marks go, the words and their order stay, so that a quote can be found again in the article.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from supportbot.llm.types import Source

Kind = Literal["sentence", "item", "step", "header", "row", "code"]

_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*$")
_ITEM = re.compile(r"(?:[-*+•]|(?P<number>\d{1,3})[.)])\s+(?P<text>.*)")
_RULE = re.compile(r"(?:[-*_]\s*){3,}|=+|\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?")
_FENCE = re.compile(r"```|~~~")
# Every span is bounded: an article of nothing but marks must not cost quadratic time.
_IMAGE = re.compile(r"!\[[^\[\]]{0,300}\]\([^()]{0,500}\)")
_LINK = re.compile(r"\[([^\[\]]{1,300})\](?:\([^()]{0,500}\)|\[[^\[\]]{0,100}\])")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>|<!--.*?-->")
_STRONG = re.compile(r"(\*{1,3}|~~|`+)(?=\S)(.{1,300}?)(?<=\S)\1|(?<!\w)(_{1,2})(?=\S)(.{1,300}?)(?<=\S)\3(?!\w)")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|>~])")
_SPACE = re.compile(r"\s+")
_SENTENCE_END = re.compile(r"""[.!?…]["”’»)\]]*\s+(?=["“„«‘(]?[A-ZÄÖÜ0-9])""")
_NO_END = re.compile(
    r"(?:\b(?:[A-Za-z]|e\.g|i\.e|ca|approx|max|min|no|st|vs|mr|mrs|ms|dr|prof|etc|"
    r"z\. ?b|d\. ?h|u\. ?a|bzw|ggf|inkl|evtl|nr|str|tel|vgl|usw)|(?<!\d)\d{1,2})\.$",
    re.IGNORECASE,
)
_MONTH = re.compile(
    r"(?:jan|feb|mär|mar|apr|mai|may|jun|jul|aug|sep|okt|oct|nov|dez|dec|werktag|tag|monat)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Unit:
    """Something to quote. Units with the same `block` stand in one paragraph, list or table.

    `is_pointer`: a list item that is a link and no more. It names another page and says nothing itself.
    """

    text: str
    kind: Kind
    heading: str
    source: Source
    position: int
    block: int
    mark: str = ""
    is_pointer: bool = False

    @property
    def is_listed(self) -> bool:
        return self.kind in ("item", "step", "code")


def units_of(source: Source) -> list[Unit]:
    """Return what can be quoted from a passage, in reading order."""
    units: list[Unit] = []
    for block, (kind, heading, text, mark, is_pointer) in enumerate(_joined(_blocks(source.text))):
        number = block if kind == "sentence" else _block_of(units, kind, block)
        for piece in _sentences(text) if kind == "sentence" else [text]:
            units.append(Unit(piece, kind, heading, source, len(units), number, mark, is_pointer))
    return units


def _block_of(units: list[Unit], kind: Kind, block: int) -> int:
    """List items and rows that follow each other share their block."""
    last = units[-1] if units else None
    follows = last is not None and (last.kind == kind or (last.kind, kind) == ("header", "row"))
    return last.block if last is not None and follows else block


Block = tuple[Kind, str, str, str, bool]


def _blocks(text: str) -> Iterator[Block]:
    """Yield (kind, heading, text, mark, is a pointer) line by line; a blank line yields an empty text."""
    heading, is_code = "", False
    lines = [line.strip().removeprefix(">").strip() for line in text.splitlines()]
    for line, below in zip_longest(lines, lines[1:], fillvalue=""):
        if _FENCE.match(line):
            is_code = not is_code
            continue
        if is_code:
            yield "code", heading, line, "", False
        elif match := _HEADING.fullmatch(line):
            heading = plain(match[1])
            yield "sentence", heading, "", "", False
        elif not line or _RULE.fullmatch(line):
            yield "sentence", heading, "", "", False
        elif match := _ITEM.fullmatch(line):
            number = match["number"]
            is_pointer = not number and _LINK.fullmatch(match["text"].strip()) is not None
            kind: Kind = "step" if number else "item"
            yield kind, heading, plain(match["text"]), f"{number}." if number else "-", is_pointer
        elif line.startswith("|") and line.count("|") >= 2:
            kind = "header" if _RULE.fullmatch(below) else "row"
            yield kind, heading, " | ".join(plain(cell) for cell in line.strip("|").split("|")), "", False
        else:
            yield "sentence", heading, plain(line), "", False


def _joined(blocks: Iterator[Block]) -> Iterator[Block]:
    """Join wrapped lines to paragraphs; a line after a list item without a blank line belongs to the item."""
    held: Block | None = None
    for block in blocks:
        kind, heading, text, *_ = block
        goes_on = held is not None and held[0] not in ("row", "header", "code") and heading == held[1]
        if held is not None and goes_on and text and kind == "sentence":
            held = (held[0], held[1], f"{held[2]} {text}", held[3], False)
            continue
        if held is not None:
            yield held
        held = block if text else None
    if held is not None:
        yield held


def plain(text: str) -> str:
    """Return the words of one Markdown line without its marks."""
    text = _IMAGE.sub("", text)
    text = _LINK.sub(lambda match: match[1], text)
    text = _TAG.sub(" ", text)
    for _ in range(2):  # strong inside emphasis
        text = _STRONG.sub(lambda match: match[2] or match[4], text)
    return _SPACE.sub(" ", html.unescape(_ESCAPE.sub(r"\1", text))).strip()


def _sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a paragraph; abbreviations and German ordinals end none."""
    start = 0
    for match in _SENTENCE_END.finditer(text):
        before = text[start : match.start() + 1]
        if _NO_END.search(before) and (not before[-2:-1].isdigit() or _MONTH.match(text[match.end() :])):
            continue
        yield text[start : match.end()].strip()
        start = match.end()
    if text[start:].strip():
        yield text[start:].strip()
