"""Choose by which of its words a question is looked up. Pure: counted terms in, PostgreSQL queries with weights out.

Ranking every passage that holds one common word is what makes full text slow, so only words rare enough fetch passages;
the common ones still help to order them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kb.indexing.lexical import Term
from kb.search.candidates import MOST_RANKED, Survey

# Several common words are asked for together; more than this many together are found nowhere.
_TOGETHER = 3


@dataclass(frozen=True, slots=True)
class WordQuery:
    """`queries` are tried in turn until one finds enough; `weights` order what it finds."""

    queries: tuple[str, ...]
    weights: tuple[tuple[str, float], ...]


def rarity(count: int, chunks: int) -> float:
    """Return the weight of a word that stands in `count` of `chunks` passages: BM25's inverse document frequency."""
    return math.log(1 + (max(chunks, count) - count + 0.5) / (count + 0.5))


def known_share(terms: Sequence[Term], survey: Survey) -> float:
    """Return the share of `terms`, by rarity, that stands anywhere in scope; 0 of none."""
    weights = [(rarity(survey.counts[term.word], survey.chunks), survey.counts[term.word] > 0) for term in terms]
    total = sum(weight for weight, _ in weights)
    return sum(weight for weight, is_known in weights if is_known) / total if total else 0.0


def word_query(terms: Sequence[Term], survey: Survey) -> WordQuery | None:
    """Return how to look `terms` up; None if none of them stands anywhere in scope."""
    known = sorted((term for term in terms if survey.counts[term.word]), key=lambda term: survey.counts[term.word])
    if not known:
        return None
    weights = tuple((term.tsquery, rarity(survey.counts[term.word], survey.chunks)) for term in known)
    fetching = _affordable(known, survey)
    if fetching:
        return WordQuery((_any_of(fetching),), weights)
    common = known[:_TOGETHER]
    return WordQuery((_all_of(common), _any_of(common)), weights)


def _affordable(known: Sequence[Term], survey: Survey) -> list[Term]:
    """Return the rarest terms that together fetch no more than may be ranked."""
    chosen, rows = [], 0
    for term in known:
        rows += survey.counts[term.word]
        if rows > MOST_RANKED:
            break
        chosen.append(term)
    return chosen


def _any_of(terms: Sequence[Term]) -> str:
    return " | ".join(term.tsquery for term in terms)


def _all_of(terms: Sequence[Term]) -> str:
    return " & ".join(f"({term.tsquery})" for term in terms)
