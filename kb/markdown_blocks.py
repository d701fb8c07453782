"""Read a Markdown body line by line into blocks with character offsets: headings, tables, listings and prose.

Not a renderer: it only has to know where a passage may be cut. Lines end at "\\n" alone, since offsets are counted on
the body as stored (`str.splitlines` would also break at form feeds and other rare signs).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
# Nobody writes a longer heading; it would be repeated in front of every passage below it.
_LONGEST_HEADING = 300
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_RULE = re.compile(r" {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")


class Kind(Enum):
    HEADING = "heading"
    TABLE = "table"
    CODE = "code"
    PROSE = "prose"


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch `body[start:end]` that reads as one; `heading` and `level` are set for headings only."""

    kind: Kind
    start: int
    end: int
    level: int = 0
    heading: str = ""


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    start: int
    end: int


def blocks(body: str) -> Iterator[Block]:
    """Yield the blocks of `body` in order; blank lines and rules belong to none."""
    lines = _lines(body)
    at = 0
    while at < len(lines):
        if not lines[at].text.strip() or _RULE.match(lines[at].text):
            at += 1
            continue
        block, at = _block_at(lines, at)
        yield block


def _lines(body: str) -> list[_Line]:
    found, at = [], 0
    for text in body.split("\n"):
        end = min(at + len(text) + 1, len(body))
        found.append(_Line(text.rstrip("\r"), at, end))
        at = end
    return found


def _block_at(lines: list[_Line], at: int) -> tuple[Block, int]:
    """Return the block that begins at line `at` and the number of the line after it."""
    line = lines[at]
    if match := _heading(line):
        name = (match.group(2) or "").rstrip(" \t").rstrip("#").strip()
        return Block(Kind.HEADING, line.start, line.end, len(match.group(1)), name), at + 1
    if match := _FENCE.match(line.text):
        stop = _after_fence(lines, at, match.group(1))
        return Block(Kind.CODE, line.start, lines[stop - 1].end), stop
    if _is_table(line):
        stop = _first(lines, at, lambda other: not _is_table(other))
        return Block(Kind.TABLE, line.start, lines[stop - 1].end), stop
    if at + 1 < len(lines) and (match := _underline(line, lines[at + 1])):
        level = 1 if match.group(1).startswith("=") else 2
        return Block(Kind.HEADING, line.start, lines[at + 1].end, level, line.text.strip()), at + 2
    stop = _first(lines, at + 1, _ends_prose)
    return Block(Kind.PROSE, line.start, lines[stop - 1].end), stop


def _after_fence(lines: list[_Line], at: int, fence: str) -> int:
    """Return the line after the closing fence; an unclosed listing runs to the end, as CommonMark reads it."""
    closing = re.compile(rf"[ \t]*{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$")
    for number in range(at + 1, len(lines)):
        if closing.match(lines[number].text):
            return number + 1
    return len(lines)


def _first(lines: list[_Line], at: int, condition: Callable[[_Line], bool]) -> int:
    return next((number for number in range(at, len(lines)) if condition(lines[number])), len(lines))


def _heading(line: _Line) -> re.Match[str] | None:
    return _HEADING.match(line.text) if len(line.text) <= _LONGEST_HEADING else None


def _underline(line: _Line, below: _Line) -> re.Match[str] | None:
    return _UNDERLINE.match(below.text) if len(line.text) <= _LONGEST_HEADING else None


def _is_table(line: _Line) -> bool:
    return line.text.lstrip().startswith("|")


def _ends_prose(line: _Line) -> bool:
    text = line.text
    return not text.strip() or bool(_heading(line) or _FENCE.match(text)) or _is_table(line)
