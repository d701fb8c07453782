"""The pages for creating, importing, editing, exporting and deleting suites."""

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.text import capfirst
from django.utils.translation import gettext

from supportbot.console.display import error_text
from supportbot.console.evals.hidden_verdicts import hidden_runs, shown_agreement
from supportbot.console.evals.labelling import labeller
from supportbot.console.evals.page_frame import PER_PAGE, READ, WRITE, render_page, uuid_of
from supportbot.console.evals.pass_rate_chart import shares_of
from supportbot.console.evals.result_rows import case_rows, rows_of
from supportbot.console.evals.run_choices import finished_runs, start_choices
from supportbot.console.permissions import may
from supportbot.console.request_context import needs
from supportbot.errors import NotFound, SupportBotError
from supportbot.evals import services
from supportbot.evals.grading.judge_agreement import agreement_of
from supportbot.evals.models import Case
from supportbot.evals.selectors import document_of, runs, suite_with_id
from supportbot.evals.suite_formats.files import (
    SHIPPED,
    read_suite,
    read_suite_file,
    shipped_suites,
    suite_as_yaml,
)
from supportbot.releases.selectors import gates
from supportbot.values_saved_meanwhile import SEALED, ChangedMeanwhile, as_texts, check_current, seal


def suite_page(request: HttpRequest, suite_id: str) -> HttpResponse:
    """Show a suite's cases and its last runs."""
    person = needs(request, READ)
    suite = suite_with_id(uuid_of(suite_id))
    cases = Paginator(Case.objects.filter(suite=suite).order_by("position", "id"), PER_PAGE)
    page = cases.get_page(request.GET.get("page"))
    last, finished = list(runs().filter(suite=suite)[:10]), list(finished_runs(suite))
    hidden = hidden_runs(request, {run.pk: run for run in (*last, *finished)}.values())
    context = {
        "suite": suite,
        "page": page,
        "cases": case_rows(page.object_list),
        "count": cases.count,
        "runs": rows_of(last, hidden),
        "may_write": may(person, WRITE),
        "is_gate": suite.name in gates(),
        "start": start_choices(suite, person, hidden=hidden),
        "agreement": shown_agreement(
            agreement_of(suite.name, labeller(request)), is_hidden=bool(finished and finished[0].pk in hidden)
        ),
        "shares": shares_of(run for run in finished if run.pk not in hidden),
    }
    return render_page(request, "suite", suite.title, context)


def edit(request: HttpRequest, suite_id: UUID | None = None) -> HttpResponse:
    """Show a suite as YAML. A POST stores the submitted text or file."""
    needs(request, WRITE)
    suite = suite_with_id(suite_id) if suite_id else None
    text, problem = suite_as_yaml(document_of(suite)) if suite else _EMPTY, ""
    shown = {"text": as_texts(text)} if suite else {}
    sealed = request.POST.get(SEALED) or seal(shown)
    if request.method == "POST":
        name, data = _sent(request)
        text = data.decode(errors="replace")
        try:
            if not name:  # a file replaces the suite in any case
                check_current(request.POST.get(SEALED, ""), shown)
            stored = services.save_suite(read_suite(data, file=name))
        except SupportBotError as refusal:  # without a file's name, the error is a sentence
            problem = error_text(refusal) if name else capfirst(error_text(refusal))
            sealed = seal(shown) if isinstance(refusal, ChangedMeanwhile) else sealed
        else:
            messages.success(request, gettext("Saved: {name_of}.").format(name_of=stored.title))
            return redirect("admin:evals_suite_change", stored.pk)
    shipped = [] if suite else [(name, read_suite_file(SHIPPED / f"{name}.yaml")) for name in shipped_suites()]
    context = {"suite": suite, "text": text, "problem": problem, "shipped": shipped, "sealed": sealed}
    title = suite.title if suite else gettext("New suite")
    return render_page(request, "edit", title, context, status=400 if problem else 200)


def take_shipped(request: HttpRequest) -> HttpResponse:
    """Store a suite that comes with the product."""
    needs(request, WRITE)
    name = request.POST.get("name", "")
    if name not in shipped_suites():
        raise NotFound()
    stored = services.save_suite(read_suite_file(SHIPPED / f"{name}.yaml"))
    messages.success(request, gettext("Saved: {name_of}.").format(name_of=stored.title))
    return redirect("admin:evals_suite_change", stored.pk)


def export(request: HttpRequest, suite_id: UUID) -> HttpResponse:
    needs(request, READ)
    suite = suite_with_id(suite_id)
    response = HttpResponse(suite_as_yaml(document_of(suite)), content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{suite.name}.yaml"'
    return response


def delete(request: HttpRequest, suite_id: UUID) -> HttpResponse:
    needs(request, WRITE)
    suite_with_id(suite_id).delete()
    messages.success(request, gettext("Deleted."))
    return redirect("admin:evals_suite_changelist")


def _sent(request: HttpRequest) -> tuple[str, bytes]:
    file = request.FILES.get("file")
    if file is not None:
        return file.name or "suite.yaml", file.read()
    return "", request.POST.get("text", "").encode(errors="replace")


_EMPTY: Final = """\
suite: my-suite
title: My suite
cases:
  - id: returns
    ask: How long can I return things?
    must: true
    expect:
      figures: 30 days
"""
