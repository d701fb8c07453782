"""The query of a question's words for the full-text search: which words it needs, and how much each weighs, by its
rarity. Pure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kb.search.query_terms import Term

# At most this many rows are ranked by their words; more common words only help to order them.
MAX_RANKED = 2_000
# Common words are only looked up in combination; hardly any passage contains more of them than this.
_MAX_COMBINED = 3


@dataclass(frozen=True, slots=True)
class ScopeStats:
    """The size of the scope, and how many of its chunks contain each word; both are counted only up to a limit.

    `reads_most` is known only for a scope too large for exact scans: whether at least half of the workspace's articles
    are in it.
    """

    chunks: int
    counts: dict[str, int]
    reads_most: bool = False


@dataclass(frozen=True, slots=True)
class LexicalQuery:
    """The queries for a question: `queries` are tried one after another until one finds enough; `weights` rank the
    matches.
    """

    queries: tuple[str, ...]
    weights: tuple[tuple[str, float], ...]


def idf(count: int, chunks: int) -> float:
    """Return BM25's inverse document frequency of a word that occurs in `count` of `chunks` passages."""
    return math.log(1 + (max(chunks, count) - count + 0.5) / (count + 0.5))


def known_share(terms: Sequence[Term], stats: ScopeStats) -> float:
    """Return the share of `terms`, weighted by rarity, that occurs anywhere in scope; 0 if there are no terms."""
    weights = [(idf(stats.counts[term.word], stats.chunks), stats.counts[term.word] > 0) for term in terms]
    total = sum(weight for weight, _ in weights)
    return sum(weight for weight, is_known in weights if is_known) / total if total else 0.0


def plan_lexical_query(terms: Sequence[Term], stats: ScopeStats) -> LexicalQuery | None:
    """Return the query for `terms`; None if none of them occurs in scope."""
    known = sorted((term for term in terms if stats.counts[term.word]), key=lambda term: stats.counts[term.word])
    if not known:
        return None
    weights = tuple((term.tsquery, idf(stats.counts[term.word], stats.chunks)) for term in known)
    fetching = _selective_terms(known, stats)
    if fetching:
        return LexicalQuery((_any_of(fetching),), weights)
    common = known[:_MAX_COMBINED]
    return LexicalQuery((_all_of(common), _any_of(common)), weights)


def _selective_terms(known: Sequence[Term], stats: ScopeStats) -> list[Term]:
    """Return the rarest terms that together match at most MAX_RANKED passages."""
    chosen, rows = [], 0
    for term in known:
        rows += stats.counts[term.word]
        if rows > MAX_RANKED:
            break
        chosen.append(term)
    return chosen


def _any_of(terms: Sequence[Term]) -> str:
    return " | ".join(term.tsquery for term in terms)


def _all_of(terms: Sequence[Term]) -> str:
    return " & ".join(f"({term.tsquery})" for term in terms)
