"""Compares two runs of a suite case by case, and tests whether chance explains the difference. Pure.

Only cases that are the same in both runs are compared. If neither run used a model for a case, its answers do not vary,
so a change needs no test. The other cases are samples. If each case was tried once in both runs, McNemar's test
compares the passed cases; with repetitions, a randomisation test compares the shares of tries that passed. For
single tries, both tests are equivalent.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Final

from supportbot.evals.grading.run_reports import CaseTries
from supportbot.evals.grading.statistics import ALPHA, Interval, bootstrap, mcnemar, signs_differ

# maximum number of differences drawn for the bootstrap: large suites get fewer resamples, so that pages are not slow
_DRAWN: Final = 400_000
_RESAMPLES: Final = (400, 2_000)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences between two runs. `worse` and `better` count the cases that passed only before and only after.

    `sampled` counts the compared cases that a model answered or judged; `sampled_worse` and `sampled_better` count
    those of them that changed. Only these changes may be due to chance. `difference` is the mean change of the share of
    tries that passed in the sampled cases, and `interval` is its confidence interval. `p` is the probability that
    chance alone causes at least as large a change in either direction.
    """

    compared: int
    not_compared: int
    worse: int
    better: int
    sampled: int
    sampled_worse: int
    sampled_better: int
    is_repeated: bool
    difference: float
    interval: Interval
    p: float

    @property
    def certain(self) -> int:
        """The number of changed cases that used no model, so the change cannot be due to chance."""
        return self.worse + self.better - self.sampled_worse - self.sampled_better

    @property
    def has_moved(self) -> bool:
        """Whether any sampled case passed more often or less often than before."""
        return bool(self.difference or self.sampled_worse or self.sampled_better)

    @property
    def is_real(self) -> bool:
        """Whether chance is an unlikely explanation for the change in the sampled cases."""
        return self.p <= ALPHA

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "is_real": self.is_real}


def compared(before: Sequence[CaseTries], after: Sequence[CaseTries]) -> Comparison:
    """Return how a run with the tries `after` differs from an earlier run with the tries `before`."""
    earlier = {one.key: one for one in before if one.tries}
    tried = [one for one in after if one.tries]
    pairs = [
        (earlier[one.key], one) for one in tried if one.key in earlier and earlier[one.key].document == one.document
    ]
    sampled = [(old, new) for old, new in pairs if not (old.is_deterministic and new.is_deterministic)]
    differences = [new.share - old.share for old, new in sampled]
    is_repeated = any(one.tries > 1 for pair in sampled for one in pair)
    return Comparison(
        compared=len(pairs),
        not_compared=len(tried) - len(pairs),
        worse=_worse(pairs),
        better=_better(pairs),
        sampled=len(sampled),
        sampled_worse=_worse(sampled),
        sampled_better=_better(sampled),
        is_repeated=is_repeated,
        difference=fmean(differences) if differences else 0.0,
        interval=bootstrap(differences, resamples=_resamples(len(differences))),
        p=signs_differ(differences) if is_repeated else mcnemar(differences.count(1.0), differences.count(-1.0)),
    )


def _worse(pairs: Sequence[tuple[CaseTries, CaseTries]]) -> int:
    return sum(old.passed and not new.passed for old, new in pairs)


def _better(pairs: Sequence[tuple[CaseTries, CaseTries]]) -> int:
    return sum(new.passed and not old.passed for old, new in pairs)


def _resamples(count: int) -> int:
    fewest, most = _RESAMPLES
    return max(fewest, min(most, _DRAWN // max(count, 1)))
