"""A message in clauses, each with what was asked around it. Pure."""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

# Blanks are looked at from their first one on: a page of tabs would be looked at from each of them, to its end.
# "and" parts nothing by itself: "my order and my address". Whoever looks for two wishes parts there when needed.
_BREAK: Final = re.compile(
    r"(?:(?<![0-9])[,.]|[,.](?![0-9])|[;:!?\n…()]|\s[-–—]\s)+\s*"
    r"|(?<!\s)\s+(?=(?:but|because|since|so that|as it|sondern|aber|weil|denn|sodass|damit"
    r"|da (?:sie|er|es|die|der|das))\b)",
    re.IGNORECASE,
)
_SENTENCE_END: Final = re.compile(r"[.!?\n…]+(?=\s|$)|\n")


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of a sentence without its stop. `is_asked`: its sentence ends in a question mark."""

    text: str
    start: int
    end: int
    is_asked: bool
    sentence: str


def clauses_of(text: str) -> list[Clause]:
    """Return the clauses in their order."""
    clauses: list[Clause] = []
    start = 0
    for end in [*(mark.end() for mark in _SENTENCE_END.finditer(text)), len(text)]:
        sentence = text[start:end]
        clauses += _parted(sentence, start)
        start = end
    return clauses


def sentences_of(text: str) -> list[Clause]:
    """Return the sentences as clauses, for what is said across a comma."""
    ends = [*(mark.end() for mark in _SENTENCE_END.finditer(text)), len(text)]
    pieces = [(start, text[start:end]) for start, end in pairwise([0, *ends]) if text[start:end].strip()]
    return [_whole(piece, start) for start, piece in pieces]


def _whole(piece: str, start: int) -> Clause:
    lead = len(piece) - len(piece.lstrip())
    said = piece.strip().rstrip(".!?… ")
    return Clause(said, start + lead, start + lead + len(said), "?" in piece, piece.strip())


def _parted(sentence: str, offset: int) -> list[Clause]:
    is_asked = "?" in sentence
    clauses, start = [], 0
    for stop, following in [*((mark.start(), mark.end()) for mark in _BREAK.finditer(sentence)), (len(sentence),) * 2]:
        piece = sentence[start:stop]
        if piece.strip():
            lead = len(piece) - len(piece.lstrip())
            clauses.append(Clause(piece.strip(), offset + start + lead, offset + stop, is_asked, sentence.strip()))
        start = following
    return clauses
