"""Highlighting a passage in rendered Markdown, given its character offsets in the source.

A private-use character is inserted into the source at each end of the passage, after any line prefix (a list's dash, a
heading's hashes). After parsing, the text between them is marked piece by piece, so that marks never cross element
boundaries. If the characters would change how the source is parsed (inside a link's address, say), whole blocks are
marked by lines.
"""

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

PASSAGE_ID = "passage"

_OPEN, _CLOSE = "\ue000", "\ue001"
_MARKERS = re.compile(f"([{_OPEN}{_CLOSE}])")
# The prefix of a line before its text: quotation, list, heading, table.
_LINE_START = re.compile(r"[ \t]*(?:(?:>|[-*+][ \t]|\d{1,9}[.)][ \t]|#{1,6}[ \t]|\|)[ \t]*)*")


def marked_tokens(markdown: MarkdownIt, body: str, passage: tuple[int, int]) -> tuple[list[Token], bool]:
    """Return the tokens of `body` with the passage marked, and whether anything was marked."""
    start, end = _clamped(body, passage)
    plain = markdown.parse(_MARKERS.sub("", body))
    if start >= end or _MARKERS.search(body):
        return plain, False
    with_markers = markdown.parse(body[:start] + _OPEN + body[start:end] + _CLOSE + body[end:])
    if _shape(with_markers) == _shape(plain) and _markers_in_text(with_markers):
        return with_markers, _mark_between_markers(with_markers)
    first, last = body.count("\n", 0, start), body.count("\n", 0, end)
    return plain, _mark_lines(plain, first, last)


def _clamped(body: str, passage: tuple[int, int]) -> tuple[int, int]:
    """Return the span without white space at its ends, starting after the prefix of its first line."""
    start, end = max(passage[0], 0), max(min(passage[1], len(body)), 0)
    end = len(body[:end].rstrip())
    line = body.rfind("\n", 0, start) + 1
    begins = _LINE_START.match(body, line)
    return max(start, begins.end() if begins else start), end


def _shape(tokens: Sequence[Token]) -> list[tuple[str, str, int]]:
    return [(token.type, token.tag, len(token.children or ())) for token in _all(tokens)]


def _all(tokens: Sequence[Token]) -> list[Token]:
    return [part for token in tokens for part in (token, *(token.children or ()))]


def _markers_in_text(tokens: Sequence[Token]) -> bool:
    """Return whether both markers ended up in text, and not in an address or a code block."""
    texts = [token.content for token in _all(tokens) if token.type == "text"]
    return sum(text.count(_OPEN) for text in texts) == 1 == sum(text.count(_CLOSE) for text in texts)


def _mark_between_markers(tokens: Sequence[Token]) -> bool:
    is_inside = has_marked = False
    for token in tokens:
        if token.type != "inline":
            continue
        children: list[Token] = []
        for child in token.children or ():
            if child.type != "text":
                children.append(child)
                continue
            for part in _MARKERS.split(child.content):
                if part in (_OPEN, _CLOSE):
                    is_inside = part == _OPEN
                elif part:
                    children += _marked(part, is_first=not has_marked) if is_inside else [_text(part)]
                    has_marked |= is_inside
        token.children = children
    return has_marked


def _mark_lines(tokens: Sequence[Token], first: int, last: int) -> bool:
    has_marked = False
    for token in tokens:
        if token.type == "inline" and token.map is not None and token.map[0] <= last and token.map[1] > first:
            children: list[Token] = []
            for child in token.children or ():
                is_words = child.type == "text" and bool(child.content.strip())
                children += _marked(child.content, is_first=not has_marked) if is_words else [child]
                has_marked |= is_words
            token.children = children
    return has_marked


def _marked(text: str, *, is_first: bool) -> list[Token]:
    opening = Token("mark_open", "mark", 1)
    if is_first:
        opening.attrSet("id", PASSAGE_ID)
    return [opening, _text(text), Token("mark_close", "mark", -1)]


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
