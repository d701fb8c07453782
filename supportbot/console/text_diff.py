"""Compares two texts line by line, and marks the words that changed within a line. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

UNCHANGED_AROUND = 2
# Longer lines are not compared word by word, because that takes quadratic time.
MAX_LINE_CHARACTERS = 2_000
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    is_changed: bool


@dataclass(frozen=True, slots=True)
class Side:
    """A line of one text: its number and its pieces. It is blank if only the other text has a line here."""

    number: int = 0
    pieces: tuple[Piece, ...] = ()
    kind: str = "none"  # same, del, add or none


@dataclass(frozen=True, slots=True)
class Row:
    """Two lines side by side, or the number of unchanged lines `skipped` here."""

    old: Side = Side()
    new: Side = Side()
    skipped: int = 0


def compare(old: str, new: str) -> list[Row]:
    """Return the rows of a side-by-side comparison. Long unchanged stretches are folded."""
    before, after = old.split("\n") if old else [], new.split("\n")
    rows: list[Row] = []
    for tag, i1, i2, j1, j2 in _codes(before, after):
        if tag == "equal":
            same = [_same(i1 + n, j1 + n, before[i1 + n]) for n in range(i2 - i1)]
            rows += _folded(same, is_first=i1 == 0, is_last=i2 == len(before) and j2 == len(after))
        else:
            rows += _changed(before, after, range(i1, i2), range(j1, j2))
    return rows


def _codes(old: Sequence[str], new: Sequence[str]) -> Sequence[tuple[str, int, int, int, int]]:
    """Return the edits that turn old into new, as difflib opcodes.

    Blank lines occur everywhere and do not identify a position, so they are matched only next to other text. Matching
    them everywhere would take a minute for two texts of a thousand paragraphs each.
    """
    return SequenceMatcher(_is_blank, old, new, autojunk=True).get_opcodes()


def _is_blank(text: str) -> bool:
    return not text.strip()


def _same(i: int, j: int, text: str) -> Row:
    piece = (Piece(text, False),)
    return Row(Side(i + 1, piece, "same"), Side(j + 1, piece, "same"))


def _folded(rows: list[Row], *, is_first: bool, is_last: bool) -> list[Row]:
    head = 0 if is_first else UNCHANGED_AROUND
    tail = 0 if is_last else UNCHANGED_AROUND
    if len(rows) <= head + tail + 1:
        return rows
    kept_tail = rows[len(rows) - tail :] if tail else []
    return [*rows[:head], Row(skipped=len(rows) - head - tail), *kept_tail]


def _changed(before: Sequence[str], after: Sequence[str], olds: range, news: range) -> Iterator[Row]:
    for i, j in zip_longest(olds, news):
        if i is None or j is None:
            yield Row(_whole(before, i, "del"), _whole(after, j, "add"))
            continue
        if before[i] == after[j]:
            yield _same(i, j, before[i])
            continue
        old, new = _pieces(before[i], after[j])
        yield Row(Side(i + 1, old, "del"), Side(j + 1, new, "add"))


def _whole(lines: Sequence[str], place: int | None, kind: str) -> Side:
    return Side() if place is None else Side(place + 1, (Piece(lines[place], True),), kind)


def _pieces(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    if max(len(old), len(new)) > MAX_LINE_CHARACTERS:
        return (Piece(old, True),), (Piece(new, True),)
    a, b = _WORDS.findall(old), _WORDS.findall(new)
    codes = _codes(a, b)
    left = tuple(Piece("".join(a[i1:i2]), tag != "equal") for tag, i1, i2, _, _ in codes if i2 > i1)
    right = tuple(Piece("".join(b[j1:j2]), tag != "equal") for tag, _, _, j1, j2 in codes if j2 > j1)
    return left, right
