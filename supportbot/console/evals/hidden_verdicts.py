"""Hides the judge's verdicts on a run until the viewer has labelled its results.

People can choose to see the verdicts first, but then cannot label results of that run: a label is only useful if the
person did not know what the judge says about this result, or about similar ones.
"""

from dataclasses import replace

from django.http import HttpRequest

from supportbot.console.permissions import may
from supportbot.console.request_context import person_of, staff
from supportbot.evals.human_labels import to_label
from supportbot.evals.models import Result, Run
from supportbot.evals.reports import Report


def hidden_cases(request: HttpRequest, run: Run) -> dict[str, bool]:
    """Return the cases of a run whose outcome would reveal the judge's verdict to the viewer, each with whether it
    waits for their label.
    """
    if not may(staff(request), "evals:write"):  # this person cannot label results
        return {}
    waiting = set(to_label(person_of(request).pk, run_id=run.pk).values_list("key", flat=True))
    if not waiting:
        return {}
    judged = Result.objects.filter(run=run, judged_good__isnull=False).order_by("key")
    return {key: key in waiting for key in judged.values_list("key", flat=True).distinct()}


def without_hidden(report: Report, hidden: dict[str, bool]) -> Report:
    """Return a report whose lists leave out these cases; its figures are unchanged."""
    return replace(
        report,
        failed_must=tuple(key for key in report.failed_must if key not in hidden),
        regressions=tuple(key for key in report.regressions if key not in hidden),
    )
