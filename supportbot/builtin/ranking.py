"""Which pieces of the passages found answer a question. Pure.

A piece earns by the rare words of the question in its best line, by the same in its headings at a discount, by search's
own word for its passage, and by its meaning where that was measured. No rule here knows a language: words are compared
by their stems, and across languages the meaning decides.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from supportbot.builtin.pieces import Piece
from supportbot.language.blocks import Kind
from supportbot.language.cues import vague_stems
from supportbot.language.detection import base_language
from supportbot.language.lines import Line
from supportbot.language.words import likeness, telling_stems

HEADING_SHARE: Final = 0.25
SOURCE_WEIGHT: Final = 0.3
# What the nearest in meaning earns; the farthest that was measured earns nothing, since every embedding model has its
# own band of cosines. From 0.5 to 1.2 it makes no difference on the demo (bench/quotes.py).
NEARNESS_WEIGHT: Final = 0.8
OPENING_BONUS: Final = 0.05  # a page begins with the general rule
OTHER_LANGUAGE_SHARE: Final = 0.6
ENGLISH: Final = "en"
ENGLISH_SHARE: Final = 0.6  # of the best passage's weight, to be quoted before it where both are foreign
NO_ANSWER_SHARE: Final = 0.4  # of a question, a listing, a mere pointer
SHORT_WORDS, SHORT_SHARE = 4, 0.8
# Of a follow-up's own words beside those it leans on: "And to Austria?" is no more about Italy.
NEWEST_WEIGHT: Final = 2.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """A piece, its line that answers best, and a score of which only order and ratio mean something."""

    piece: Piece
    line: Line
    score: float

    @property
    def is_opening(self) -> bool:
        """Return whether a page begins with this piece: there stands the general rule."""
        return self.piece.position == 0 and not self.piece.heading


def in_one_language(pieces: Sequence[Piece], language: str) -> Sequence[Piece]:
    """Return all pieces where some are in the customer's language; else those of one language alone, English first.

    A customer who reads none of our languages would rather read one page than the same twice.
    """
    if not pieces or any(is_in(language, piece) for piece in pieces):
        return pieces
    best = {
        of: max(piece.source.weight for piece in pieces if language_of(piece) == of) for of in map(language_of, pieces)
    }
    first = max(best, key=lambda of: best[of])
    chosen = ENGLISH if best.get(ENGLISH, 0.0) >= ENGLISH_SHARE * best[first] else first
    return [piece for piece in pieces if language_of(piece) == chosen]


def rank(
    question: str, pieces: Sequence[Piece], *, language: str, nearness: Mapping[str, float], newest: str = ""
) -> list[Ranked]:
    """Return the pieces, best first.

    `nearness` holds the cosine of some pieces' texts to the question; `newest` is what of it was said last.
    """
    pieces = in_one_language(pieces, language)
    asked = _asked(question, language)
    found = {line: _stems(line.compared, language) for piece in pieces for line in piece.lines}
    fresh = _asked(newest, language) if newest != question else frozenset()
    weights = _weights(asked, list(found.values()), fresh)
    near = _spread({piece.text: nearness[piece.text] for piece in pieces if piece.text in nearness})
    ranked = [_ranked(piece, found, weights, near.get(piece.text, 0.0), language) for piece in pieces]
    return sorted(ranked, key=lambda entry: -entry.score)


def named_lines(question: str, piece: Piece, language: str) -> list[Line]:
    """Return the lines that hold most of the question's words that not all of them hold: the row that is asked for."""
    asked = _asked(question, language)
    held = {line: {term for term in asked if likeness(term, _stems(line.text, language))} for line in piece.lines}
    telling = {term for term in asked if any(term not in terms for terms in held.values())}
    most = max((len(terms & telling) for terms in held.values()), default=0)
    return [line for line, terms in held.items() if most and len(terms & telling) == most]


def _asked(question: str, language: str) -> frozenset[str]:
    """Return the stems of what a question is about; "things" and "items" only where it names nothing else."""
    stems = _stems(question, language)
    return stems - vague_stems(language) or stems


@lru_cache(maxsize=8_192)
def _stems(text: str, language: str) -> frozenset[str]:
    return frozenset(telling_stems(text, language))


def _weights(asked: Iterable[str], found: Sequence[Collection[str]], fresh: Collection[str]) -> dict[str, float]:
    """Return each asked stem's share of the whole: a rare one weighs more, one in no line was still asked."""
    inverse = {}
    for term in asked:
        hits = sum(bool(likeness(term, terms)) for terms in found)
        inverse[term] = math.log(1 + (len(found) + 1) / (hits + 0.5)) * (NEWEST_WEIGHT if term in fresh else 1.0)
    total = sum(inverse.values()) or 1.0
    return {term: weight / total for term, weight in inverse.items()}


def _spread(nearness: Mapping[str, float]) -> dict[str, float]:
    """Return the cosines between 0 for the farthest and 1 for the nearest; nothing if they do not differ."""
    least, most = min(nearness.values(), default=0.0), max(nearness.values(), default=0.0)
    return {text: (cosine - least) / (most - least) for text, cosine in nearness.items()} if most > least else {}


def _ranked(
    piece: Piece, found: Mapping[Line, Collection[str]], weights: Mapping[str, float], near: float, language: str
) -> Ranked:
    def of(line: Line) -> float:
        return _share(weights, found[line]) * _form_share(line)

    line = max(piece.lines, key=of)
    score = of(line) + HEADING_SHARE * _share(weights, _stems(f"{piece.source.title} {piece.heading}", language))
    score += SOURCE_WEIGHT * piece.source.weight + NEARNESS_WEIGHT * near
    if piece.kind is Kind.CODE or all(line.answers_nothing for line in piece.lines):
        score *= NO_ANSWER_SHARE
    ranked = Ranked(piece, line, score * (1.0 if is_in(language, piece) else OTHER_LANGUAGE_SHARE))
    return replace(ranked, score=ranked.score + OPENING_BONUS) if ranked.is_opening else ranked


def is_in(language: str, piece: Piece) -> bool:
    """Return whether a piece is of a page in the language, or of one that names none."""
    return language_of(piece) in ("", language)


def language_of(piece: Piece) -> str:
    return base_language(piece.source.locale)


def _form_share(line: Line) -> float:
    if line.answers_nothing:
        return NO_ANSWER_SHARE
    return SHORT_SHARE if len(line.text.split()) < SHORT_WORDS else 1.0


def _share(weights: Mapping[str, float], terms: Collection[str]) -> float:
    """Return which share of the question's weight these stems cover."""
    return sum(weight * likeness(term, terms) for term, weight in weights.items())
