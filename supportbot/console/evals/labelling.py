"""Labelling results, one after another, without knowing what the judge said about them."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext

from supportbot.console.display import error_text
from supportbot.console.evals.page_frame import WRITE, render_page, uuid_of
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, person_of, staff
from supportbot.evals.errors import EvaluationError
from supportbot.evals.grading.human_labels import are_hidden, label_result, to_label
from supportbot.evals.models import Label, Run
from supportbot.evals.runs.case_outcomes import played_from


def label_queue(request: HttpRequest) -> HttpResponse:
    """Show the next result that is waiting for this person's label."""
    needs(request, WRITE)
    run = request.GET.get("run", "")
    waiting = to_label(person_of(request).pk, run_id=uuid_of(run) if run else None)
    result = waiting.select_related("run").first()
    context: dict[str, Any] = {"left": waiting.count(), "of_run": run, "verdicts": Label.Verdict.choices}
    if result is not None:
        document: dict[str, Any] = next((case for case in result.run.cases if case["id"] == result.key), {})
        context |= {
            "result": result,
            "rubric": document.get("expect", {}).get("judge", ""),
            "history": [(who, text) for row in document.get("history", []) for who, text in row.items()],
            "simulate": document.get("simulate"),
            "played": played_from(result.played),
        }
    return render_page(request, "label", gettext("Label results"), context)


def save_label(request: HttpRequest, result_id: UUID) -> HttpResponse:
    """Store a label and continue with the next result.

    After the last result of a run that has ended, link to the judge's verdicts.
    """
    needs(request, WRITE)
    posted, person = request.POST, person_of(request)
    try:
        label = label_result(result_id, posted.get("verdict", ""), note=posted.get("note", ""), person=person)
    except EvaluationError as refusal:
        messages.error(request, error_text(refusal))
    else:
        _show_saved(request, label.result.run)
    run = posted.get("run", "")
    return redirect(reverse("admin:evals_run_labels") + (f"?{urlencode({'run': run})}" if run else ""))


def _show_saved(request: HttpRequest, run: Run) -> None:
    if are_hidden(run, person_of(request).pk):
        messages.success(request, gettext("Saved."))
        return
    page = reverse("admin:evals_run_change", args=[run.pk])
    text = gettext("Saved. You have labelled every result of this run.")
    link = format_html('<a href="{}?show=all">{}</a>', page, gettext("The judge’s verdicts"))
    messages.success(request, format_html("{} {}", text, link))


def labeller(request: HttpRequest) -> UUID | None:
    """Return the viewer's id. Return None if they cannot label results, because then nothing is hidden from them."""
    return person_of(request).pk if may(staff(request), "evals:write") else None
