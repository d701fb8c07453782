"""Hides the judge's verdicts on a run until it has ended and the viewer has labelled its results.

People can choose to see the verdicts first. Afterwards, they can neither label results of that run nor change their
labels: a label is only useful from a person who does not know the judge's verdict on this result or on similar ones.
"""

from collections.abc import Collection
from dataclasses import replace

from django.http import HttpRequest

from supportbot.console.permissions import may
from supportbot.console.request_context import person_of, staff
from supportbot.evals import services
from supportbot.evals.human_labels import to_label
from supportbot.evals.models import Result, Run
from supportbot.evals.reports import Report


def hidden_cases(request: HttpRequest, run: Run) -> dict[str, bool | None]:
    """Return the cases of a run whose outcome would reveal the judge's verdict to the viewer. The values say whether a
    case waits for the viewer's label; None means that it has not been judged yet. If no case is hidden, the verdicts
    count as seen from now on.
    """
    if not may(staff(request), "evals:write"):  # this person cannot label results
        return {}
    person_id = person_of(request).pk
    if services.sees_verdicts(run, person_id):
        return {}
    waiting = set(to_label(person_id, run_id=run.pk).values_list("key", flat=True))
    judged = set(Result.objects.filter(run=run, judged_good__isnull=False).values_list("key", flat=True))
    # An open run may be judged further while its page is made.
    more = {str(case["id"]) for case in run.cases if "judge" in case.get("expect", {})} if run.is_open else set()
    return {key: key in waiting if key in judged else None for key in sorted(judged | more)}


def without_hidden(report: Report, hidden: Collection[str]) -> Report:
    """Return a report whose lists leave out these cases; its figures are unchanged."""
    return replace(
        report,
        failed_must=tuple(key for key in report.failed_must if key not in hidden),
        regressions=tuple(key for key in report.regressions if key not in hidden),
    )
