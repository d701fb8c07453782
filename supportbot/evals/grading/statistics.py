"""The statistics of runs: intervals, paired tests, repetitions and agreement. Pure.

Each function names its formula and source; `tests/evals/test_statistics.py` compares the results with published values
and simulations.
"""

import math
import random
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist, fmean
from typing import Final, NamedTuple

LEVEL: Final = 0.95
# A loss counts if chance alone would cause it in fewer than one in twenty comparisons of equally good runs.
ALPHA: Final = 0.05
_SEED: Final = 20  # fixed, so the same runs give the same interval
_EXACT_UP_TO: Final = 14  # differing pairs: up to 2 ** 14 sign combinations are enumerated, more are sampled


class Interval(NamedTuple):
    low: float
    high: float


def wilson(successes: int, trials: int, level: float = LEVEL) -> Interval:
    """Return the confidence interval of a share (Wilson 1927). It is valid even for few trials and for shares near 0 or
    1. Without trials, it is (0, 1).
    """
    if trials == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, square = successes / trials, z * z / trials
    middle = share + square / 2
    spread = z * math.sqrt(share * (1 - share) / trials + square / (4 * trials))
    return Interval(max(0.0, (middle - spread) / (1 + square)), min(1.0, (middle + spread) / (1 + square)))


def mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided p-value of the exact test of paired outcomes (McNemar 1947, binomial)."""
    return min(1.0, 2 * _at_least(max(gained, lost), gained + lost))


def mcnemar_worse(gained: int, lost: int) -> float:
    """Return the one-sided p-value: the probability of losing at least as many passes by chance."""
    return _at_least(lost, gained + lost)


def _at_least(heads: int, flips: int) -> float:
    """Return the probability that a fair coin shows at least this many heads."""
    return float(sum(math.comb(flips, count) for count in range(heads, flips + 1)) / 2**flips)


def bootstrap(differences: Sequence[float], *, level: float = LEVEL, resamples: int = 2_000) -> Interval:
    """Return the percentile interval of the mean of paired differences (Efron 1979); (0, 0) without differences."""
    if not differences:
        return Interval(0.0, 0.0)
    chance, count = random.Random(_SEED), len(differences)
    means = sorted(fmean(chance.choices(differences, k=count)) for _ in range(resamples))
    tail = (1 - level) / 2
    return Interval(means[math.floor(tail * resamples)], means[math.ceil((1 - tail) * resamples) - 1])


def signs_worse(differences: Sequence[float], *, draws: int = 4_000) -> float:
    """Return the one-sided p-value of a mean paired difference this low (Fisher's randomisation of signs).

    Unlike a bootstrap, this keeps false alarms below the level even with few pairs.
    """
    moved = [difference for difference in differences if difference]
    total = sum(moved) + 1e-12
    if len(moved) <= _EXACT_UP_TO:
        sums = [0.0]
        for one in moved:
            sums = [known + sign * one for known in sums for sign in (1, -1)]
        return sum(value <= total for value in sums) / len(sums)
    chance = random.Random(_SEED)
    low = sum(sum(one if chance.getrandbits(1) else -one for one in moved) <= total for _ in range(draws))
    return (low + 1) / (draws + 1)


def signs_differ(differences: Sequence[float]) -> float:
    """Return the two-sided p-value of a mean paired difference this far from 0 (Fisher's randomisation of signs): twice
    the smaller one-sided p-value, at most 1.
    """
    return min(1.0, 2 * min(signs_worse(differences), signs_worse([-one for one in differences])))


def pass_hat(passed: Sequence[tuple[int, int]], k: int) -> float | None:
    """Return pass^k: the probability that k tries of a case all pass, averaged over the cases (Yao et al. 2024,
    tau-bench).

    `passed` contains (passes, tries) for each case. Returns None if no case was tried k times.
    """
    known = [math.comb(passes, k) / math.comb(tries, k) for passes, tries in passed if tries >= k]
    return fmean(known) if known else None


def kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Return Cohen's kappa (1960) for two raters; None if there are no pairs, or both raters always give the same
    answer.
    """
    count = len(pairs)
    if not count:
        return None
    agreed = sum(one == other for one, other in pairs) / count
    firsts, seconds = (Counter(column) for column in zip(*pairs, strict=True))
    by_chance = sum(firsts[value] * seconds[value] for value in (True, False)) / count**2
    return None if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)


class Confusion(NamedTuple):
    """The agreement of a judge's verdicts with people's labels, as counts."""

    both_good: int
    both_bad: int
    judge_too_kind: int
    judge_too_strict: int


def confusion(pairs: Sequence[tuple[bool, bool]]) -> Confusion:
    """Return the counts of these pairs of verdicts, (judge, person)."""
    found = Counter(pairs)
    return Confusion(found[True, True], found[False, False], found[True, False], found[False, True])
