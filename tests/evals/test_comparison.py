"""Comparing two runs: the changes, whether chance explains them, and the words on pages."""

import random
from collections.abc import Iterator

import pytest
from django.utils import translation

from supportbot.evals.grading.run_comparison import compared
from supportbot.evals.grading.run_reports import CaseTries, report_of
from supportbot.evals.grading.statistics import mcnemar, signs_differ
from supportbot.evals.result_texts import comparison_words, every_time


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


def tried(key: str, passes: int, tries: int = 1, *, sure: bool = False, ask: str = "") -> CaseTries:
    return CaseTries(key, passes, tries, is_must=False, is_deterministic=sure, document={"id": key, "ask": ask or key})


def runs(lost: int, gained: int, same: int, *, sure: bool = False) -> tuple[list[CaseTries], list[CaseTries]]:
    """Return the tries of two runs in which these numbers of cases passed only before, only now, and both times."""
    outcomes = [(1, 0)] * lost + [(0, 1)] * gained + [(1, 1)] * same
    before = [tried(f"c{place}", old, sure=sure) for place, (old, _) in enumerate(outcomes)]
    return before, [tried(f"c{place}", new, sure=sure) for place, (_, new) in enumerate(outcomes)]


def test_few_changed_samples_are_not_evidence_of_a_real_change() -> None:
    found = compared(*runs(lost=3, gained=1, same=96))
    assert (found.compared, found.worse, found.better, found.sampled) == (100, 3, 1, 100)
    assert found.p == mcnemar(1, 3) == pytest.approx(0.625) and not found.is_real
    assert found.difference == pytest.approx(-0.02) and found.interval.low < -0.02 < found.interval.high
    told = comparison_words(found)
    assert told[0] == "Of 100 compared cases, 3 got worse and 1 better."
    assert told[1] == "This is not evidence of a real change: it may be chance (p = 0.62)."
    assert told[2].startswith("Share of passed attempts: −2 points (95% confidence interval −")


@pytest.mark.parametrize(
    ("lost", "gained", "words"),
    [
        (9, 1, "This is unlikely to be chance: the answers got worse (p = 0.021)."),
        (1, 9, "This is unlikely to be chance: the answers got better (p = 0.021)."),
        (20, 0, "This is unlikely to be chance: the answers got worse (p < 0.001)."),
    ],
)
def test_many_changes_in_one_direction_are_reported(lost: int, gained: int, words: str) -> None:
    found = compared(*runs(lost, gained, same=50))
    assert found.is_real and words in comparison_words(found)


def test_answers_without_a_model_need_no_test() -> None:
    found = compared(*runs(lost=1, gained=0, same=9, sure=True))
    assert found.sampled == 0 and comparison_words(found) == [
        "Of 10 compared cases, 1 got worse and 0 better.",
        "No model was used, so answers do not vary by chance: each change is real.",
    ]
    unchanged = compared(*runs(lost=0, gained=0, same=10, sure=True))
    assert comparison_words(unchanged) == ["All 10 compared cases have the same result as before."]
    sampled = compared(*runs(lost=0, gained=0, same=10))
    assert sampled.p == 1.0 and comparison_words(sampled) == comparison_words(unchanged)


def mixed(
    broken: int, sampled: list[CaseTries], sampled_now: list[CaseTries]
) -> tuple[list[CaseTries], list[CaseTries]]:
    """Return the tries of two runs with five cases without a model, some of which broke, and with these samples."""
    before = [tried(f"sure{place}", 1, sure=True) for place in range(5)]
    now = [tried(f"sure{place}", int(place >= broken), sure=True) for place in range(5)]
    return [*before, *sampled], [*now, *sampled_now]


def test_changes_without_a_model_are_real_even_next_to_samples() -> None:
    unmoved = compared(*mixed(5, *runs(lost=0, gained=0, same=5)))
    assert (unmoved.worse, unmoved.sampled, unmoved.sampled_worse, unmoved.sampled_better) == (5, 5, 0, 0)
    real = "5 of these changes are real: their cases use no model, so the answers do not vary by chance."
    assert comparison_words(unmoved) == ["Of 10 compared cases, 5 got worse and 0 better.", real]
    moved = compared(*mixed(1, *runs(lost=1, gained=1, same=3)))
    assert (moved.worse, moved.better, moved.sampled_worse, moved.sampled_better) == (2, 1, 1, 1)
    assert comparison_words(moved)[:4] == [
        "Of 10 compared cases, 2 got worse and 1 better.",
        "1 of these changes is real: its case uses no model, so the answer does not vary by chance.",
        "Of 5 cases with a model, 1 got worse and 1 better.",
        "This is not evidence of a real change: it may be chance (p = 1.00).",
    ]
    intact = compared(*mixed(0, *runs(lost=1, gained=0, same=4)))
    assert comparison_words(intact)[1] == "This is not evidence of a real change: it may be chance (p = 1.00)."


def test_samples_that_the_report_calls_worse_are_not_called_chance() -> None:
    before, now = runs(lost=5, gained=0, same=5)
    found, report = compared(before, now), report_of(now, before)
    assert report.is_worse and report.worse_p == pytest.approx(0.03125) and not found.is_real
    assert any("may be chance (p = 0.062)" in words for words in comparison_words(found))
    told = comparison_words(found, report)
    assert told[0] == "Of 10 compared cases, 5 got worse and 0 better." and told[1].startswith(
        "Share of passed attempts: −50 points"
    )
    assert len(told) == 2


def test_repetitions_are_compared_by_their_shares() -> None:
    before = [tried(f"c{place}", 4, 4) for place in range(8)]
    after = [tried(f"c{place}", 3, 4) for place in range(8)]
    found = compared(before, after)
    # Eight differences with the same sign: 2 of the 2 ** 8 ways to choose signs are as far from 0.
    assert found.is_repeated and found.p == pytest.approx(2 / 256) and found.difference == -0.25
    assert found.interval == (-0.25, -0.25)
    assert "Share of passed attempts: −25 points (95% confidence interval −25 to −25)." in comparison_words(found)


def test_changed_and_unplayed_cases_are_not_compared() -> None:
    before = [tried("same", 1), tried("changed", 1, ask="How?"), tried("unplayed", 0, 0)]
    after = [tried("same", 1), tried("changed", 0, ask="When?"), tried("unplayed", 1), tried("new", 0)]
    found = compared(before, after)
    assert (found.compared, found.not_compared, found.worse, found.better) == (1, 3, 0, 0)
    assert "3 cases are new or were changed, so they are not compared." in comparison_words(found)
    assert comparison_words(compared([], after)) == ["The runs have no unchanged case in common."]


@pytest.mark.long
def test_identical_runs_rarely_look_different() -> None:
    chance, alarms = random.Random(7), 0
    for _ in range(400):
        shares = [chance.random() for _ in range(40)]
        first, second = ([tried(f"c{n}", int(chance.random() < share)) for n, share in enumerate(shares)] for _ in "ab")
        alarms += compared(first, second).is_real
    assert alarms <= 0.05 * 400 + 3 * (0.05 * 0.95 * 400) ** 0.5


def test_the_sign_test_of_single_tries_equals_mcnemars() -> None:
    assert signs_differ([1.0] + [-1.0] * 9 + [0.0] * 5) == pytest.approx(mcnemar(1, 9))
    assert signs_differ([]) == signs_differ([1.0, -1.0]) == 1.0


def test_passing_every_time_is_reported_for_each_number_of_tries() -> None:
    report = report_of([tried("a", 3, 3), tried("b", 2, 3)])
    assert every_time(report) == ["1 attempt: 83%", "2 attempts: 67%", "3 attempts: 50%"]
    assert every_time(report_of([tried("a", 1)])) == []
