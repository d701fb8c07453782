"""Ranks the pieces of passages that may answer a question, and selects pieces to compare by meaning. Pure.

A piece scores for the question's words in its best line (rare words count more), for those in its headings (at a
discount), for the weight that search gave its passage, and for its similarity, if that was measured. Words alone often
choose the wrong piece on the right topic, but an embedding takes tens of milliseconds, so only the few pieces with the
best words are compared by meaning. No rule here depends on a language: words are compared by their stems and, across
languages, by meaning.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from supportbot.builtin.quotable_pieces import Piece, pieces_of
from supportbot.language.blocks import Kind
from supportbot.language.detection import base_language, detect
from supportbot.language.follow_ups import vague_stems
from supportbot.language.lines import Line
from supportbot.language.words import content_stems, stem_similarity
from supportbot.llm.types import ModelRequest, Source

MAX_QUOTED: Final = 2  # pieces per answer
# The limit if the page is in another language: the words then do not help to rank its pieces, and for one question in
# thirteen, only the third piece is the answer.
MAX_QUOTED_ACROSS: Final = 3
MAX_COMPARED: Final = 6
CHARACTERS_COMPARED: Final = 400  # characters of a piece; as good as the whole piece, and faster
HEADING_SHARE: Final = 0.25
SOURCE_WEIGHT: Final = 0.3
# The score of the most similar piece. The least similar piece scores 0, because each embedding model has its own range
# of cosines. Values from 0.5 to 1.2 make no difference in the demo (bench/quotes.py).
SIMILARITY_WEIGHT: Final = 0.8
OPENING_BONUS: Final = 0.05  # pages usually begin with the general rule
OTHER_LANGUAGE_SHARE: Final = 0.6
ENGLISH: Final = "en"
# If all pages are in foreign languages, English is preferred if it has at least this share of the best passage's
# weight. A page and its translation are about equally similar to a question, but with a lower share, English pages
# about something else would win (bench/two_languages.py).
ENGLISH_SHARE: Final = 0.8
NO_ANSWER_SHARE: Final = 0.4  # factor for pieces that are a question, code or a mere link
# The weight of a follow-up's own words relative to those of the earlier question: "And to Austria?" is no longer about
# Italy.
NEWEST_WEIGHT: Final = 2.0
TURNS_KEPT: Final = 64  # turns whose pieces are cached with the scores of their words


@dataclass(frozen=True, slots=True)
class Ranked:
    """A piece, its best line, and its score. Only the order and the ratio of scores have a meaning.

    `special` says how far its page is about a special case, from 0 (general) to 1.
    """

    piece: Piece
    line: Line
    score: float
    special: float = 0.0


@dataclass(frozen=True, slots=True)
class Compared:
    """The text to embed for a piece. If it is only a part of the piece, the answer may be in another part, so
    `of_passage` is the similarity of the whole passage, if search knows it.
    """

    text: str
    of_passage: float | None = None


def worth_comparing(request: ModelRequest) -> dict[str, Compared]:
    """Return what to compare for each piece that may be the answer, by the piece's text; {} if nothing will be quoted.

    A piece is embedded with its title and heading, because "It costs nothing" alone may mean anything.
    """
    best = ranked(request)[:MAX_COMPARED] if request.is_answerable else []
    return {entry.piece.text: _compared(entry) for entry in best}


def _compared(entry: Ranked) -> Compared:
    """Return the title, the heading and the piece, cut to the length that is compared. If the best line would be cut
    off, the text begins with it, or with an earlier line if the rest of the piece is short.
    """
    piece = entry.piece

    def text(lines: Sequence[str]) -> str:
        return "\n".join(part for part in (piece.source.title, piece.heading, " ".join(lines).strip()) if part)

    lines = [piece.lead, *(line.compared for line in piece.lines)]
    if len(text(lines)) <= CHARACTERS_COMPARED:
        return Compared(text(lines))
    best = 1 + piece.lines.index(entry.line)
    if len(text(lines[: best + 1])) > CHARACTERS_COMPARED:
        rests = (lines[first:] for first in range(1, best))
        lines = next((rest for rest in rests if len(text(rest)) <= CHARACTERS_COMPARED), lines[best:])
    return Compared(text(lines)[:CHARACTERS_COMPARED], piece.source.similarity)


def ranked(request: ModelRequest) -> list[Ranked]:
    """Return the pieces of a request's sources, best first."""
    language = detect(request.question, base_language(request.locale))
    scored = scored_by_words(request.question, request.sought, request.sources, language)
    measured = request.similarities
    near = _spread({one.piece.text: measured[one.piece.text] for one in scored if one.piece.text in measured})
    found = [
        Ranked(one.piece, one.line, one.with_similarity(near.get(one.piece.text, 0.0)), one.special) for one in scored
    ]
    return sorted(found, key=lambda entry: -entry.score)


@dataclass(frozen=True, slots=True)
class ScoredByWords:
    """A piece, its best line, and the parts of its score that do not depend on similarities."""

    piece: Piece
    line: Line
    words: float
    factor: float
    bonus: float
    special: float

    def with_similarity(self, near: float) -> float:
        return (self.words + SIMILARITY_WEIGHT * near) * self.factor + self.bonus


@lru_cache(maxsize=TURNS_KEPT)
def scored_by_words(
    question: str, sought: str, sources: tuple[Source, ...], language: str
) -> tuple[ScoredByWords, ...]:
    """Return the pieces of the sources, each with the score of its words. The result is cached, because a turn ranks
    the same pieces up to four times, with and without similarities.
    """
    pieces = _in_one_language([piece for source in sources for piece in pieces_of(source)], language)
    weights = _weights(question, sought, pieces, language)
    special = _special_cases(pieces, _asked(sought, language), language)
    return tuple(_scored_by_words(piece, weights, special[piece.source.title], language) for piece in pieces)


def _scored_by_words(piece: Piece, weights: Mapping[str, float], special: float, language: str) -> ScoredByWords:
    def of(line: Line) -> float:
        return _share(weights, line.compared, language) * (NO_ANSWER_SHARE if line.answers_nothing else 1.0)

    line = max(piece.lines, key=of)
    # "It says delivered, but there is nothing at my door" may introduce the steps that answer it.
    score = max(of(line), _share(weights, piece.lead, language)) + HEADING_SHARE * _share(
        weights, f"{piece.source.title} {piece.heading}", language
    )
    answers_nothing = piece.kind is Kind.CODE or all(line.answers_nothing for line in piece.lines)
    factor = NO_ANSWER_SHARE if answers_nothing else 1.0
    factor *= 1.0 if is_in(language, piece) else OTHER_LANGUAGE_SHARE
    is_opening = piece.position == 0 and not piece.heading
    bonus = OPENING_BONUS if is_opening else 0.0
    return ScoredByWords(piece, line, score + SOURCE_WEIGHT * piece.source.weight, factor, bonus, special)


def _special_cases(pieces: Sequence[Piece], asked: frozenset[str], language: str) -> dict[str, float]:
    """Return how far each page is about a special case (0 to 1), by the page's title. Words of a title that the
    question does not name ("Returning a *gift*") indicate a special case if no other page mentions them, and the common
    subject if all do. A title that mainly consists of words of the question ("Cancelling a subscription *online*")
    indicates none.
    """
    pages: dict[str, set[str]] = {}
    for piece in pieces:
        page = pages.setdefault(piece.source.title, set(_stems(piece.source.title, language)))
        page.update(_stems(piece.heading, language), *(_stems(line.compared, language) for line in piece.lines))
    found = {}
    for title in pages:
        others = [page for other, page in pages.items() if other != title]
        terms = _stems(title, language) - vague_stems(language)
        further = [term for term in terms if not stem_similarity(term, asked)]
        is_about_more = others and 2 * len(further) >= len(terms) > 0
        shares = [sum(term not in page for page in others) / len(others) for term in further] if is_about_more else []
        found[title] = sum(shares) / len(shares) if shares else 0.0
    return found


def _weights(question: str, sought: str, pieces: Sequence[Piece], language: str) -> dict[str, float]:
    """Return each question stem's share of the total weight. Rare stems weigh more, and stems that occur in no line
    count, too.
    """
    lines = [_stems(line.compared, language) for line in {line for piece in pieces for line in piece.lines}]
    newest = _asked(question, language) if question != sought else frozenset()
    inverse = {}
    for term in _asked(sought, language):
        hits = sum(bool(stem_similarity(term, terms)) for terms in lines)
        inverse[term] = math.log(1 + (len(lines) + 1) / (hits + 0.5)) * (NEWEST_WEIGHT if term in newest else 1.0)
    total = sum(inverse.values()) or 1.0
    return {term: weight / total for term, weight in inverse.items()}


def _share(weights: Mapping[str, float], text: str, language: str) -> float:
    """Return the share of the question's total weight that the words of the text cover."""
    terms = _stems(text, language)
    return sum(weight * stem_similarity(term, terms) for term, weight in weights.items())


def _spread(similarities: Mapping[str, float]) -> dict[str, float]:
    """Return the cosines, scaled so that the least similar is 0 and the most similar is 1; {} if they do not differ."""
    least, most = min(similarities.values(), default=0.0), max(similarities.values(), default=0.0)
    return {text: (cosine - least) / (most - least) for text, cosine in similarities.items()} if most > least else {}


def _asked(question: str, language: str) -> frozenset[str]:
    """Return the stems of a question's topic. Vague words such as "things" and "items" count only if it names nothing
    else.
    """
    stems = _stems(question, language)
    return stems - vague_stems(language) or stems


@lru_cache(maxsize=8_192)
def _stems(text: str, language: str) -> frozenset[str]:
    return frozenset(content_stems(text, language))


def named_lines(question: str, piece: Piece, language: str) -> list[Line]:
    """Return the lines that match the most words of the question, such as the requested row. Words that occur in every
    line are ignored.
    """
    asked = _asked(question, language)
    held = {line: _terms_in(line.text, asked, language) for line in piece.lines}
    telling = asked - frozenset.intersection(asked, *held.values())
    most = max(len(terms & telling) for terms in held.values())
    return [line for line, terms in held.items() if most and len(terms & telling) == most]


def asked_in(piece: Piece, question: str, language: str) -> set[str]:
    """Return the stems of the question's topic that occur in a piece, its headings or its page's title."""
    text = "\n".join((piece.source.title, piece.heading, piece.lead, *(line.compared for line in piece.lines)))
    return _terms_in(text, _asked(question, language), language)


def _terms_in(text: str, terms: frozenset[str], language: str) -> set[str]:
    return {term for term in terms if stem_similarity(term, _stems(text, language))}


def _in_one_language(pieces: Sequence[Piece], language: str) -> Sequence[Piece]:
    """Return all pieces if some are in the customer's language; otherwise, only those in one language, preferably
    English.

    If no page is in their language, customers prefer one page to the same page in two languages.
    """
    if not pieces or any(is_in(language, piece) for piece in pieces):
        return pieces
    best: dict[str, float] = {}
    for piece in pieces:
        best[language_of(piece)] = max(piece.source.weight, best.get(language_of(piece), 0.0))
    first = max(best, key=lambda of: best[of])
    chosen = ENGLISH if best.get(ENGLISH, 0.0) >= ENGLISH_SHARE * best[first] else first
    return [piece for piece in pieces if language_of(piece) == chosen]


def is_in(language: str, piece: Piece) -> bool:
    """Return whether a piece is from a page in this language or from a page without a language."""
    return language_of(piece) in ("", language)


def language_of(piece: Piece) -> str:
    return base_language(piece.source.locale)
