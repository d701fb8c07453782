"""Splitting an article into passages: by headings, with exact character offsets into the Markdown body.

Invariants: `body[chunk.start:chunk.end] == chunk.text`; chunks are in reading order and never overlap; each is on one
page of a file, and small enough that embedding it takes limited time. Pure: the same body gives the same chunks, so
hashes are comparable.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile

from kb.file_page_markers import Pages, is_page_mark
from supportbot.language.blocks import LONGEST_HEADING, Block, Kind, blocks, names_of_columns
from supportbot.language.plain_text import plain

# The packaged multilingual e5 reads 512 tokens; 140 English words are about 215 tokens. Smaller passages rank better,
# larger ones cost less. A table or a code block may have MAX_WORDS before it is split.
TARGET_WORDS = 150
MAX_WORDS = 230
# A shorter section means little on its own: it is merged with its neighbour instead of getting its own vector.
MIN_WORDS = 45
# Embedding a longer text takes longer and cannot be interrupted, so models never get more than this.
EMBEDDING_CHARACTERS = 2_000
CHARACTERS_PER_WORD = 6.5
# Text without words (addresses, rules, empty headings) is limited too, since passages are displayed.
MAX_CHARACTERS = 6_000

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])")
_LINE_END = re.compile(r"\n+")
_BLANK_LINES = re.compile(r"\n(?:[ \t\r]*\n)+")
_WORD_END = re.compile(r"\s+")
# The maximum length of a piece, and where it may be split: prose at sentences, tables and code only at lines.
_AS_PROSE = (TARGET_WORDS, (_LINE_END, _SENTENCE_END, _WORD_END))
_WHOLE = (MAX_WORDS, (_LINE_END, _WORD_END))
# Scripts that are written without spaces, with about one token per character.
_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class ChunkText:
    """One passage of a body; `heading_path` is its headings from the outermost inwards, joined by " > ".

    If rows of a long table are in a later passage than the column names, these names are the innermost heading.
    """

    position: int
    heading_path: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Span:
    """A part of the body that will become a chunk."""

    path: tuple[str, ...]
    start: int
    end: int
    words: float
    page: int | None = None
    columns: str = ""
    is_table: bool = False


def chunk(title: str, body: str) -> list[ChunkText]:
    """Return the passages of `body`; none for an empty or blank body."""
    spans = [_trim(body, span) for span in _pack(_measure(title, body))]
    filled = [span for span in spans if span.end > span.start]
    return [
        ChunkText(position, _heading_path(span), body[span.start : span.end], span.start, span.end)
        for position, span in enumerate(filled)
    ]


def _heading_path(span: _Span) -> str:
    return " > ".join((*span.path, span.columns) if span.columns else span.path)


def embedding_text(title: str, chunk: ChunkText) -> str:
    """Return the text that is embedded and hashed: title, headings and plain text, cut to what a model reads."""
    head = "\n".join(part for part in (plain(title), chunk.heading_path) if part)
    return f"{head}\n{plain(chunk.text)}"[:EMBEDDING_CHARACTERS]


def content_hash(recipe_name: str, embedding_text: str) -> str:
    """Return the hex SHA-256 that identifies the vector of this text; two recipes never share one."""
    return hashlib.sha256(f"{recipe_name}\0{embedding_text}".encode("utf-8", "surrogatepass")).hexdigest()


def weight(text: str) -> float:
    """Return the length of `text` in English words; long words and scripts without spaces are counted by
    character.
    """
    return max(len(text.split()), len(text) / CHARACTERS_PER_WORD) + len(_UNSPACED.findall(text)) / 2


def _measure(title: str, body: str) -> Iterator[_Span]:
    """Yield the units of the text, with their headings and split to size: headings, tables, code and prose."""
    pages = Pages(body)
    yield from (replace(span, page=pages.at(span.start)) for span in _units(title, body))


def _units(title: str, body: str) -> Iterator[_Span]:
    at = 0
    path: tuple[str, ...] = ()
    for landmark in _landmarks(blocks(body)):
        yield from _prose(body, at, landmark.start, path)
        at, path = landmark.end, _without_title(landmark.heading_path, title)
        if landmark.kind is Kind.HEADING:
            yield from (_Span(path, *piece, words=0.0) for piece in _pieces(body, landmark.start, at, *_AS_PROSE))
        elif landmark.kind not in (Kind.RULE, Kind.HTML):
            pieces = _with_length(body, path, _pieces(body, landmark.start, at, *_WHOLE))
            is_table = landmark.kind is Kind.TABLE
            yield from (replace(span, is_table=is_table) for span in islice(pieces, 1))
            yield from (replace(span, columns=names_of_columns(landmark), is_table=is_table) for span in pieces)
    yield from _prose(body, at, len(body), path)


def _landmarks(found: Sequence[Block]) -> Iterator[Block]:
    """Yield headings, rules, page marks, tables and fenced code, even inside lists."""
    for block in found:
        is_heading = block.kind is Kind.HEADING and block.end - block.start <= LONGEST_HEADING
        is_mark = block.kind is Kind.HTML and is_page_mark(block.text)
        if is_heading or is_mark or block.kind in (Kind.RULE, Kind.TABLE) or block.is_fenced:
            yield block
        for item in block.items:
            yield from (inner for inner in _landmarks(item.blocks) if inner.kind in (Kind.TABLE, Kind.CODE))


def _without_title(path: Sequence[str], title: str) -> tuple[str, ...]:
    return tuple(name for name in path if name.casefold() != title.strip().casefold())


def _prose(body: str, start: int, end: int, path: tuple[str, ...]) -> Iterator[_Span]:
    for part_start, part_end in _parts(body, start, end, _BLANK_LINES):
        if body[part_start:part_end].strip():
            yield from _with_length(body, path, _pieces(body, part_start, part_end, *_AS_PROSE))


def _with_length(body: str, path: tuple[str, ...], pieces: Iterator[tuple[int, int]]) -> Iterator[_Span]:
    for start, end in pieces:
        yield _Span(path, start, end, weight(plain(body[start:end])))


def _pack(spans: Iterator[_Span]) -> Iterator[_Span]:
    """Merge neighbouring spans into passages; a heading starts a new one unless the text before it is too short."""
    current: _Span | None = None
    for span in spans:
        if current is None:
            current = span
        elif _belong_together(current, span):
            current = _merge(current, span)
        else:
            yield current
            current = span
    if current is not None:
        yield current


def _belong_together(current: _Span, span: _Span) -> bool:
    words = current.words + span.words
    is_apart = (current.page != span.page and current.words) or current.columns != span.columns
    is_apart = is_apart or (current.is_table and current.path != span.path and bool(current.path))
    if is_apart or span.end - current.start > MAX_CHARACTERS:
        return False
    if current.words < MIN_WORDS:
        return words <= MAX_WORDS
    return current.path == span.path and words <= TARGET_WORDS


def _merge(current: _Span, span: _Span) -> _Span:
    words = current.words + span.words
    if not current.words:  # headings only so far; those that apply are in the path, so the text need not repeat them
        is_in_path = set(current.path) <= set(span.path) and span.words > 0
        return replace(span, start=span.start if is_in_path else current.start, words=words)
    path = _common_headings(current.path, span.path)
    return replace(current, path=path, end=span.end, words=words, is_table=current.is_table or span.is_table)


def _common_headings(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """Return the headings that apply to text from both sections."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    return tuple(name for name, _ in pairs)


def _trim(body: str, span: _Span) -> _Span:
    """Strip blank lines and spaces at both ends, including the first line's indentation."""
    text = body[span.start : span.end]
    start = span.start + len(text) - len(text.lstrip())
    return replace(span, start=start, end=max(start, span.start + len(text.rstrip())))


def _pieces(
    body: str, start: int, end: int, limit: float, separators: tuple[re.Pattern[str], ...]
) -> Iterator[tuple[int, int]]:
    """Yield spans of at most `limit` words, split at the coarsest separator that is fine enough."""
    if _weight_between(body, start, end) <= limit:
        yield start, end
    elif not separators:
        step = int(limit)  # nowhere to split, as in an endless word; each character counts as one token
        yield from ((at, min(at + step, end)) for at in range(start, end, step))
    else:
        for part_start, part_end in _regroup(body, _parts(body, start, end, separators[0]), limit):
            yield from _pieces(body, part_start, part_end, limit, separators[1:])


def _parts(body: str, start: int, end: int, separator: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    at = start
    for match in separator.finditer(body, start, end):
        if match.end() > at:
            yield at, match.end()
            at = match.end()
    if at < end:
        yield at, end


def _regroup(body: str, parts: Iterator[tuple[int, int]], limit: float) -> Iterator[tuple[int, int]]:
    """Merge neighbouring parts again, up to `limit` words."""
    start: int | None = None
    end, words = 0, 0.0
    for part_start, part_end in parts:
        more = _weight_between(body, part_start, part_end)
        if start is not None and words + more > limit:
            yield start, end
            start = None
        if start is None:
            start, words = part_start, 0.0
        end, words = part_end, words + more
    if start is not None:
        yield start, end


def _weight_between(body: str, start: int, end: int) -> float:
    return max(weight(plain(body[start:end])), (end - start) * TARGET_WORDS / MAX_CHARACTERS)
