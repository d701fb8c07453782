"""Ranking metrics: hit rate, recall, MRR and nDCG, as defined in information retrieval. Pure."""

import math
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

CUTOFF = 10


@dataclass(frozen=True, slots=True)
class Scores:
    """One question's scores, each between 0 and 1."""

    hit1: float
    hit5: float
    recall10: float
    mrr10: float
    ndcg10: float


NAMES = ("hit1", "hit5", "recall10", "mrr10", "ndcg10")


def score(ranked: Sequence[str], wanted: Collection[str]) -> Scores:
    """Return the scores of a ranking of distinct articles; `wanted` must not be empty. Only the first ten count."""
    hits = [article in wanted for article in ranked[:CUTOFF]]
    gain = sum(hit / math.log2(rank + 1) for rank, hit in enumerate(hits, start=1))
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(len(wanted), CUTOFF) + 1))
    return Scores(
        hit1=float(any(hits[:1])),
        hit5=float(any(hits[:5])),
        recall10=sum(hits) / len(wanted),
        mrr10=next((1 / rank for rank, hit in enumerate(hits, start=1) if hit), 0.0),
        ndcg10=gain / best,
    )


def mean(marks: Sequence[Scores], name: str) -> float:
    return sum(getattr(mark, name) for mark in marks) / len(marks) if marks else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of the values do not exceed; 0 if there are no values."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, math.ceil(share * len(ranked)) - 1)] if ranked else 0.0


def difference(
    first: Sequence[Scores], second: Sequence[Scores], name: str, *, resamples: int = 2_000
) -> tuple[float, float, float]:
    """Return the mean gain of `first` over `second`, and the bounds of the paired bootstrap's 95 % interval."""
    gaps = [getattr(a, name) - getattr(b, name) for a, b in zip(first, second, strict=True)]
    if not gaps:
        return 0.0, 0.0, 0.0
    chance = random.Random(20)  # a fixed seed: the same runs give the same interval
    means = [sum(chance.choices(gaps, k=len(gaps))) / len(gaps) for _ in range(resamples)]
    return sum(gaps) / len(gaps), percentile(means, 0.025), percentile(means, 0.975)
