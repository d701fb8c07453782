"""Hides the judge's verdicts on a run until it has ended and the viewer has labelled its results.

People can choose to see the verdicts first. After that, they can neither label results of that run nor change their
labels. A label is useful only if the person does not know the judge's verdict on this result or on similar ones.
"""

from collections.abc import Collection
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from supportbot.console.evals.labelling import labeller
from supportbot.console.evals.page_frame import WRITE
from supportbot.console.request_context import needs, person_of
from supportbot.evals.grading import human_labels
from supportbot.evals.grading.human_labels import are_hidden, to_label
from supportbot.evals.grading.judge_agreement import Agreement
from supportbot.evals.grading.run_reports import Report, report_from, report_of
from supportbot.evals.models import Result, Run
from supportbot.evals.selectors import tries_of


def hidden_cases(request: HttpRequest, run: Run) -> dict[str, bool | None]:
    """Return the cases of a run whose outcome would reveal the judge's verdict to the viewer.

    Each value says whether the case is waiting for the viewer's label; None means that it has not been judged yet.
    """
    person_id = labeller(request)
    if person_id is None or not are_hidden(run, person_id):
        return {}
    left = to_label(person_id).order_by().values("pk")
    mine = Result.objects.filter(run=run, judged_good__isnull=False).order_by()
    waiting = set(mine.filter(Q(pk__in=left) | Q(original__in=left)).values_list("key", flat=True))
    judged = set(mine.values_list("key", flat=True))
    # An open run may get more verdicts while its page is being built.
    more = {str(case["id"]) for case in run.cases if "judge" in case.get("expect", {})} if run.is_open else set()
    return {key: key in waiting if key in judged else None for key in sorted(judged | more)}


def hidden_runs(request: HttpRequest, runs: Collection[Run]) -> set[UUID]:
    """Return the ids of the given runs whose figures would reveal the judge's verdicts to the viewer."""
    person_id = labeller(request)
    return set() if person_id is None else human_labels.hidden_runs([run.pk for run in runs], person_id)


def shown_agreement(agreement: Agreement | None, *, is_hidden: bool) -> Agreement | None:
    """Return the agreement to show next to a run.

    Return None while the verdicts are hidden and there are labels: a count that changes with the viewer's label would
    reveal the judge's verdict on that result.
    """
    return None if is_hidden and agreement is not None and agreement.labels else agreement


def report_without(run: Run, hidden: Collection[str], hidden_before: Collection[str]) -> Report | None:
    """Return a run's report without its hidden cases, compared with its baseline without the cases hidden there.

    Return None if the run has not finished or all cases are hidden. Figures that include hidden cases would reveal
    their outcomes.
    """
    if run.report is None or not (hidden or hidden_before):
        return report_from(run.report) if run.report is not None else None
    baseline = tries_of(run.baseline) if run.baseline else []
    shown = [one for one in tries_of(run) if one.key not in hidden]
    return report_of(shown, [one for one in baseline if one.key not in hidden_before]) if shown else None


def show(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Show a person the judge's verdicts on a run. After that, they cannot label its results."""
    needs(request, WRITE)
    human_labels.show_verdicts(run_id, person_of(request).pk)
    return redirect("admin:evals_run_change", run_id)
