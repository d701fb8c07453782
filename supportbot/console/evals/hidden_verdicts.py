"""Which of the judge's verdicts a run's page does not show yet: those that wait for the viewer's own label.

Whoever wants to see them first can, but then labels no results of that run: a label is only worth something if the
person did not know what the judge had said. Remembered in the session.
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
    """Return the results that wait for this person's label, without runs whose verdicts they have seen."""
    waiting = to_label(person_of(request).pk, run_id=run_id)
    return waiting.exclude(run_id__in=request.session.get(_SEEN, []))


def hidden_cases(request: HttpRequest, run: Run) -> frozenset[str]:
    """Return the cases of a run whose outcome would tell the viewer what the judge said."""
    if not may(staff(request), "evals:write"):  # cannot label
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
    """Return a report whose lists do not name these cases; its figures stay."""
    return replace(
        report,
        failed_must=tuple(key for key in report.failed_must if key not in hidden),
        regressions=tuple(key for key in report.regressions if key not in hidden),
    )
