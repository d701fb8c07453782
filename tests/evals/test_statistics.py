"""The statistics of runs, against published values and by simulation."""

import random
from statistics import NormalDist

import pytest

from supportbot.evals.grading.run_reports import SIGNAL_ALPHA, CaseTries, report_of
from supportbot.evals.grading.statistics import (
    ALPHA,
    bootstrap,
    confusion,
    kappa,
    mcnemar,
    mcnemar_worse,
    pass_hat,
    signs_worse,
    wilson,
)
from supportbot.evals.runs.case_outcomes import SIGNALS


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_equal_published_ones(successes: int, trials: int, low: float, high: float) -> None:
    interval = wilson(successes, trials)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    mirrored = wilson(trials - successes, trials)
    assert mirrored.low == pytest.approx(1 - interval.high) and mirrored.high == pytest.approx(1 - interval.low)


def test_a_wilson_interval_without_trials_covers_everything() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_mcnemars_test_equals_a_hand_computed_one() -> None:
    # By hand: the probability of at most 1 head in 10 is (1 + 10) / 1024, and twice that for two sides.
    assert mcnemar(1, 9) == pytest.approx(22 / 1024)
    assert mcnemar_worse(1, 9) == pytest.approx(11 / 1024)
    assert mcnemar(5, 5) == mcnemar(0, 0) == 1.0
    assert mcnemar_worse(0, 4) == pytest.approx(1 / 16) and mcnemar_worse(0, 5) == pytest.approx(1 / 32)


def test_mcnemars_test_agrees_with_a_textbook() -> None:
    # Agresti, Categorical Data Analysis, on approval ratings: of 1,600 people, 150 changed from approval to disapproval
    # and 86 back, so z = -4.17. The exact test is a little more cautious than the normal approximation.
    approximate = 2 * NormalDist().cdf(-4.17)
    assert approximate < mcnemar(86, 150) < 1.5 * approximate
    assert mcnemar_worse(86, 150) == pytest.approx(mcnemar(86, 150) / 2)


def test_signs_are_counted_as_in_mcnemar() -> None:
    differences = [1.0] + [-1.0] * 9 + [0.0] * 30
    assert signs_worse(differences) == pytest.approx(mcnemar_worse(1, 9))
    assert signs_worse([]) == 1.0


def test_pass_hat_equals_a_hand_computed_one() -> None:
    # tau-bench: with 4 tries of which 2 passed, two tries both pass in C(2,2)/C(4,2) = 1/6.
    assert pass_hat([(2, 4)], 2) == pytest.approx(1 / 6)
    assert pass_hat([(4, 4), (2, 4)], 1) == pytest.approx(0.75)
    assert pass_hat([(4, 4), (2, 4)], 4) == pytest.approx(0.5)
    assert pass_hat([(1, 1)], 2) is None


def test_pass_hat_is_unbiased() -> None:
    """From four tries of a case that passes seven times in ten, it estimates 0.7 to the power of k."""
    chance = random.Random(4)
    tried = [(sum(chance.random() < 0.7 for _ in range(4)), 4) for _ in range(4_000)]
    for k in range(1, 5):
        assert pass_hat(tried, k) == pytest.approx(0.7**k, abs=0.03)


def test_agreement_equals_a_published_example() -> None:
    # The textbook's 50 grant proposals: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no give kappa 0.4.
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    assert kappa(pairs) == pytest.approx(0.4)
    assert confusion(pairs) == (20, 15, 5, 10)
    assert kappa([]) is None and kappa([(True, True)]) is None


def test_a_bootstrap_covers_the_mean() -> None:
    chance, covered = random.Random(1), 0
    for _ in range(100):
        interval = bootstrap([chance.gauss(0.1, 0.3) for _ in range(60)], resamples=300)
        covered += interval.low <= 0.1 <= interval.high
    assert 88 <= covered <= 100
    assert bootstrap([]) == (0.0, 0.0)


def test_false_alarms_stay_below_the_level() -> None:
    """Two runs of the same assistant: each of 40 cases passes with its own probability, in three tries."""
    chance, alarms, runs = random.Random(2), 0, 300
    for _ in range(runs):
        odds = [chance.choice((0.2, 0.5, 0.8, 0.95, 1.0)) for _ in range(40)]
        rates = [[sum(chance.random() < odd for _ in range(3)) / 3 for odd in odds] for _ in range(2)]
        alarms += signs_worse([new - old for old, new in zip(*rates, strict=True)], draws=400) <= ALPHA
    assert alarms / runs <= ALPHA + 0.03  # two standard errors of 300 runs


@pytest.mark.long
def test_false_alarms_of_the_whole_gate_stay_below_the_level() -> None:
    """Two runs of the same model on 12 cases: neither the samples nor the two signals are called worse too often."""
    chance, alarms, runs = random.Random(5), 0, 400

    def tried(case: int, odds: float) -> CaseTries:
        passes = sum(chance.random() < odds for _ in range(3))
        signals = {name: sum(chance.random() < 0.3 for _ in range(3)) for name in SIGNALS}
        return CaseTries(str(case), passes, 3, False, False, {"id": case}, signals=signals)

    for _ in range(runs):
        odds = [chance.choice((0.2, 0.5, 0.8, 0.95)) for _ in range(12)]
        before, after = ([tried(case, one) for case, one in enumerate(odds)] for _ in range(2))
        alarms += not report_of(after, before).is_good
    level = ALPHA + len(SIGNALS) * SIGNAL_ALPHA
    assert alarms / runs <= level + 0.026  # two standard errors of 400 runs
    assert alarms, "with chance alone, some alarms must be false"


def test_a_real_loss_is_noticed() -> None:
    chance, noticed, runs = random.Random(3), 0, 60
    for _ in range(runs):
        before = [sum(chance.random() < 0.9 for _ in range(3)) / 3 for _ in range(60)]
        after = [sum(chance.random() < 0.7 for _ in range(3)) / 3 for _ in range(60)]
        noticed += signs_worse([new - old for old, new in zip(before, after, strict=True)], draws=400) <= ALPHA
    assert noticed / runs >= 0.9
