"""Why the gates refuse a release: each case that fails with its question, what was expected and what came instead."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from supportbot.evals.models import Result, Run
from supportbot.evals.outcomes import played_from
from supportbot.evals.selectors import reasons_of
from supportbot.evals.suite_format import parse_case


@dataclass(frozen=True, slots=True)
class FailedCase:
    """A case that fails or is worse than in the live release; of what is no single case, only `name`.

    `answers` is the page with all answers, "" once it is deleted; `said` is the last one, "" for no answer.
    """

    name: str
    question: str = ""
    reasons: tuple[str, ...] = ()
    said: str = ""
    answers: str = ""


def failed_cases(verdict: Mapping[str, Any]) -> list[FailedCase]:
    """Return the cases that must pass and failed, then what else is worse than in the live release."""
    runs = {run.suite_name: run for run in Run.objects.filter(pk__in=verdict["run_ids"]).defer("report")}
    shown = dict.fromkeys(verdict["failed_must"], "failed")
    shown |= {name: "worse" for name in verdict["regressions"] if name not in shown}
    return [_failed(name, kind, runs.get(name.partition(": ")[0])) for name, kind in shown.items()]


def _failed(name: str, kind: str, run: Run | None) -> FailedCase:
    if run is None:
        return FailedCase(name)
    suite, _, key = name.partition(": ")
    answers = f"{reverse('admin:evals_run_change', args=[run.pk])}?show={kind}"
    case = next((parse_case(one) for one in run.cases if str(one["id"]) == key), None)
    title = run.suite.title if run.suite else suite
    if case is None:  # such as too few passes in all
        return FailedCase(f"{title}: {key}", answers=answers)
    result = Result.objects.filter(run=run, key=key, passed=False).order_by("number").first()
    if result is None:
        return FailedCase(title, case.asks, answers=answers)
    last = played_from(result.played).last
    said = "" if last.is_abstention else last.text
    return FailedCase(title, case.asks, tuple(reasons_of(result.grades)), said, answers)
