"""Hides the judge's verdicts on a run's page until the viewer has labelled the results.

People can choose to see the verdicts first, but then cannot label results of that run: a label is only useful if the
person did not know the judge's verdict. The choice is stored in the session.
"""

from dataclasses import replace
from typing import Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest

from supportbot.console.permissions import may
from supportbot.console.request_context import person_of, staff
from supportbot.evals.human_labels import to_label
from supportbot.evals.models import Result, Run
from supportbot.evals.reports import Report

_SEEN: Final = "runs_with_seen_verdicts"
_MOST: Final = 500  # runs in a session


def waiting_results(request: HttpRequest, *, run_id: UUID | None = None) -> QuerySet[Result]:
    """Return the results waiting for this person's label, except in runs whose verdicts they have seen."""
    waiting = to_label(person_of(request).pk, run_id=run_id)
    return waiting.exclude(run_id__in=request.session.get(_SEEN, []))


def hidden_cases(request: HttpRequest, run: Run) -> frozenset[str]:
    """Return the cases of a run whose outcome would reveal the judge's verdict to the viewer."""
    if not may(staff(request), "evals:write"):  # this person cannot label results
        return frozenset()
    return frozenset(waiting_results(request, run_id=run.pk).values_list("key", flat=True))


def shows_verdicts(request: HttpRequest, run_id: UUID) -> bool:
    """Return whether this person has chosen to see a run's verdicts in this session."""
    return str(run_id) in request.session.get(_SEEN, [])


def show_verdicts(request: HttpRequest, run_id: UUID) -> None:
    """Show this run's verdicts in this session from now on."""
    seen = [one for one in request.session.get(_SEEN, []) if one != str(run_id)]
    request.session[_SEEN] = [*seen, str(run_id)][-_MOST:]


def without_hidden(report: Report, hidden: frozenset[str]) -> Report:
    """Return a report whose lists leave out these cases; its figures are unchanged."""
    return replace(
        report,
        failed_must=tuple(key for key in report.failed_must if key not in hidden),
        regressions=tuple(key for key in report.regressions if key not in hidden),
    )
