"""The queue in which people judge results, without seeing the judging model's verdict or whether the case passed."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext

from supportbot.console.entry import needs, person_of
from supportbot.console.evals.pages import WRITE, render_page, uuid_of
from supportbot.console.words import sentence
from supportbot.errors import NotFound, SupportBotError
from supportbot.evals.labels import to_label
from supportbot.evals.models import Label, Result
from supportbot.evals.outcomes import played_from
from supportbot.evals.services import label_result


def queue(request: HttpRequest) -> HttpResponse:
    """Show the next result waiting for this person's label."""
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


def save(request: HttpRequest, result_id: UUID) -> HttpResponse:
    """Store a label, show the judge's verdict, and continue with the next result."""
    needs(request, WRITE)
    result = Result.objects.filter(pk=result_id, judged_good__isnull=False).first()
    if result is None:
        raise NotFound()
    try:
        label = label_result(
            result, request.POST.get("verdict", ""), note=request.POST.get("note", ""), person=person_of(request)
        )
    except SupportBotError as refusal:
        messages.error(request, sentence(refusal))
    else:
        _tell(request, result, label)
    run = request.POST.get("run", "")
    return redirect(reverse("admin:evals_run_labels") + (f"?{urlencode({'run': run})}" if run else ""))


def _tell(request: HttpRequest, result: Result, label: Label) -> None:
    said = Label.Verdict.PASS if result.judged_good else Label.Verdict.FAIL
    told = {"verdict": said.label, "why": (result.played.get("judgement") or {}).get("words", "")}
    if label.verdict == said:
        messages.success(request, gettext("Saved. The judge agrees: {verdict}. {why}").format(**told))
    else:
        messages.warning(request, gettext("Saved. The judge says: {verdict}. {why}").format(**told))
