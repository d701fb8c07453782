"""The report of a run: shares with intervals, failed `must` cases, and regressions from a baseline. Pure. A case passes
only if it passes in every try.

A deterministic or `must` case that passed in the baseline and fails now is a regression. The other cases are samples:
their shares of tries that passed are compared with those in the baseline, and count as worse only if chance is an
unlikely explanation (`statistics.signs_worse`). Cases that have been edited since the baseline are not compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from statistics import fmean
from typing import Any, Final

from supportbot.evals.grading.statistics import ALPHA, Interval, bootstrap, pass_hat, signs_worse, wilson
from supportbot.evals.runs.case_outcomes import SIGNALS

NOTHING: Final = Interval(0.0, 0.0)
SIGNAL_ALPHA: Final = 0.01  # strict, because two signals are tested and neither is a failure by itself


@dataclass(frozen=True, slots=True)
class CaseTries:
    """All tries of one case in a run."""

    key: str
    passes: int
    tries: int
    is_must: bool
    is_deterministic: bool
    document: Mapping[str, Any]
    took_ms: tuple[float, ...] = ()
    cost: Decimal = Decimal(0)
    currency: str = ""
    signals: Mapping[str, int] = field(default_factory=dict)  # the number of tries with each signal

    @property
    def passed(self) -> bool:
        return self.tries > 0 and self.passes == self.tries

    @property
    def share(self) -> float:
        return self.passes / self.tries if self.tries else 0.0

    def share_with(self, signal: str) -> float:
        return self.signals.get(signal, 0) / self.tries if self.tries else 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a run. `interval` is the interval of the share of passed cases.

    `sampled` counts the compared cases that are samples. `difference` is the mean change of their shares of tries
    that passed, with its interval; `worse_p` is the probability that chance alone causes at least this loss.
    """

    cases: int
    passed: int
    interval: Interval
    failed: tuple[str, ...]
    failed_must: tuple[str, ...]
    regressions: tuple[str, ...] = ()
    improved: tuple[str, ...] = ()
    not_compared: int = 0
    sampled: int = 0
    difference: float = 0.0
    difference_interval: Interval = NOTHING
    worse_p: float = 1.0
    pass_hat: tuple[float, ...] = ()  # pass^1, pass^2, …
    cost: str = ""
    currency: str = ""
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    signals: tuple[str, ...] = ()  # signals that are more frequent than in the baseline, by more than chance explains

    @property
    def is_worse(self) -> bool:
        """Whether the sampled cases are worse than the baseline by more than chance explains."""
        return self.worse_p <= ALPHA

    @property
    def is_good(self) -> bool:
        return not (self.failed_must or self.regressions or self.is_worse or self.signals)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "is_worse": self.is_worse, "is_good": self.is_good}


def report_from(stored: Mapping[str, Any]) -> Report:
    """Return the report stored by `as_json`."""
    kept = {name: value for name, value in stored.items() if name not in ("is_worse", "is_good")}
    intervals = {name: Interval(*kept[name]) for name in ("interval", "difference_interval")}
    listed = ("failed", "failed_must", "regressions", "improved", "pass_hat", "signals")
    return Report(**{**kept, **intervals, **{name: tuple(kept.get(name, ())) for name in listed}})


def report_of(tried: Sequence[CaseTries], before: Iterable[CaseTries] = ()) -> Report:
    """Return the report of a run, compared with the tries of its baseline."""
    passed = sum(one.passed for one in tried)
    times = sorted(took for one in tried for took in one.took_ms)
    fewest = min((one.tries for one in tried), default=0)
    hats = (pass_hat([(one.passes, one.tries) for one in tried], k) for k in range(1, fewest + 1))
    costs = sum((one.cost for one in tried), Decimal(0))
    return Report(
        cases=len(tried),
        passed=passed,
        interval=wilson(passed, len(tried)),
        failed=tuple(one.key for one in tried if not one.passed),
        failed_must=tuple(one.key for one in tried if one.is_must and not one.passed),
        pass_hat=tuple(round(hat, 4) for hat in hats if hat is not None),
        cost=f"{costs:f}" if costs else "",
        currency=next((one.currency for one in tried if one.currency), ""),
        p50_ms=_at(times, 0.5),
        p95_ms=_at(times, 0.95),
        **_compared(tried, {one.key: one for one in before}),
    )


def _compared(tried: Sequence[CaseTries], before: Mapping[str, CaseTries]) -> dict[str, Any]:
    if not before:
        return {}
    same = [(before[one.key], one) for one in tried if one.key in before and one.document == before[one.key].document]
    sure = [(old, new) for old, new in same if new.is_must or (old.is_deterministic and new.is_deterministic)]
    differences = [new.share - old.share for old, new in same if (old, new) not in sure]
    return {
        "regressions": tuple(new.key for old, new in sure if old.passed and not new.passed),
        "improved": tuple(new.key for old, new in same if new.passed and not old.passed),
        "not_compared": len(tried) - len(same),
        "sampled": len(differences),
        "difference": fmean(differences) if differences else 0.0,
        "difference_interval": bootstrap(differences),
        "worse_p": signs_worse(differences),
        "signals": tuple(name for name in SIGNALS if _is_more_frequent(name, same)),
    }


def _is_more_frequent(signal: str, pairs: Sequence[tuple[CaseTries, CaseTries]]) -> bool:
    losses = [old.share_with(signal) - new.share_with(signal) for old, new in pairs]
    return signs_worse(losses) <= SIGNAL_ALPHA


def _at(times: Sequence[float], share: float) -> float:
    return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0
