"""Why a release does not pass the gates: each failed case, with its question, expected answer and actual answer."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse

from supportbot.evals.models import Result, Run
from supportbot.evals.result_texts import reasons_of_each
from supportbot.evals.runs.case_outcomes import played_from
from supportbot.evals.suite_formats.own_format import parse_case


@dataclass(frozen=True, slots=True)
class FailedCase:
    """A case that fails, or does worse than in the live release. A failure that is not about a single case has only a
    `name`.

    `answers` is the address of the page with all answers, or "" if the run has been deleted. `answer` is the last
    answer, or "" if the assistant gave none.
    """

    name: str
    question: str = ""
    reasons: tuple[str, ...] = ()
    answer: str = ""
    answers: str = ""


def failed_names(verdict: Mapping[str, Any]) -> list[FailedCase]:
    """Return the same cases as `failed_cases`, but without questions and answers."""
    return [FailedCase(name) for name in _kinds(verdict)]


def failed_cases(verdict: Mapping[str, Any], hidden: Collection[tuple[UUID, str]] = ()) -> list[FailedCase]:
    """Return the failed cases that must pass, then other cases that do worse than in the live release.

    `hidden` cases, given by run and key, are returned with only their name, because the reasons would reveal the
    judge's verdict.
    """
    kinds = _kinds(verdict)
    rows = Run.objects.filter(pk__in=verdict["run_ids"]).select_related("suite").defer("report")
    runs = {run.suite_name: run for run in rows}
    results = _failed_results(list(runs.values()), {name.partition(": ")[2] for name in kinds})
    reasons = dict(zip(results, reasons_of_each([one.grades for one in results.values()]), strict=True))
    found = []
    for name, kind in kinds.items():
        suite, _, key = name.partition(": ")
        if (run := runs.get(suite)) is None:
            found.append(FailedCase(name))
            continue
        at = (run.pk, key)
        if at in hidden:
            found.append(FailedCase(name, answers=_page(run, "all")))
            continue
        found.append(_failed(run, key, kind, results.get(at), reasons.get(at, [])))
    return found


def _kinds(verdict: Mapping[str, Any]) -> dict[str, str]:
    """Return the name of each failure, with the filter that shows it on a run's page."""
    shown = dict.fromkeys(verdict["failed_must"], "failed")
    return shown | {name: "worse" for name in verdict["regressions"] if name not in shown}


def _failed_results(runs: Sequence[Run], keys: Collection[str]) -> dict[tuple[UUID, str], Result]:
    """Return the first failed try of each case, by run and key."""
    rows = Result.objects.filter(run__in=runs, key__in=keys, passed=False).order_by("-number")
    return {(row.run_id, row.key): row for row in rows}  # the lowest number comes last and replaces the others


def _failed(run: Run, key: str, kind: str, result: Result | None, reasons: Sequence[str]) -> FailedCase:
    answers = _page(run, kind)
    case = next((parse_case(one) for one in run.cases if str(one["id"]) == key), None)
    title = run.suite.title if run.suite else run.suite_name
    if case is None:  # for example, too few cases passed overall
        return FailedCase(f"{title}: {key}", answers=answers)
    if result is None:
        return FailedCase(title, case.asks, answers=answers)
    last = played_from(result.played).last
    return FailedCase(title, case.asks, tuple(reasons), "" if last.is_abstention else last.text, answers)


def _page(run: Run, shown: str) -> str:
    return f"{reverse('admin:evals_run_change', args=[run.pk])}?show={shown}"
