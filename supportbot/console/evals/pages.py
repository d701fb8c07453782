"""The pages of suites and runs: create, import, edit and export suites; start, watch and compare runs; label results,
one after another, without knowing what the judge said.
"""

from collections.abc import Collection
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from supportbot.console.display import error_text
from supportbot.console.evals.hidden_verdicts import (
    hidden_cases,
    hidden_runs,
    labeller,
    report_without,
    shown_agreement,
)
from supportbot.console.evals.interval_chart import intervals_of
from supportbot.console.evals.pass_rate_chart import shares_of
from supportbot.console.evals.result_rows import SHOWN, case_rows, compared_runs, rows_of, state_tag
from supportbot.console.evals.run_choices import chosen, finished_runs, start_choices
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, person_of
from supportbot.errors import NotFound, SupportBotError
from supportbot.evals import services
from supportbot.evals.errors import EvaluationError
from supportbot.evals.grading.human_labels import agreement_in, agreement_of, are_hidden, to_label
from supportbot.evals.grading.run_comparison import compared
from supportbot.evals.grading.run_reports import Report
from supportbot.evals.models import Case, Label, Run, Suite
from supportbot.evals.result_texts import comparison_words, every_time, interruption, summary, verdict_parts
from supportbot.evals.runs.case_outcomes import played_from
from supportbot.evals.selectors import document_of, run_with_id, runs, tries_of
from supportbot.evals.services import label_result
from supportbot.evals.suite_formats.files import (
    SHIPPED,
    read_suite,
    read_suite_file,
    shipped_suites,
    suite_as_yaml,
)
from supportbot.releases.selectors import gates
from supportbot.team_formats import number

READ: Final = "evals:read"
WRITE: Final = "evals:write"
PER_PAGE: Final = 50
LOOK_AGAIN_SECONDS: Final = 4


def suite_page(request: HttpRequest, suite_id: str) -> HttpResponse:
    """Show a suite's cases and its last runs."""
    person = needs(request, READ)
    suite = suite_with_id(suite_id)
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
    """Show a suite as YAML and store the submitted text or file."""
    needs(request, WRITE)
    suite = suite_with_id(suite_id) if suite_id else None
    text, problem = suite_as_yaml(document_of(suite)) if suite else _EMPTY, ""
    if request.method == "POST":
        try:
            name, data = _sent(request)
            text = data.decode(errors="replace")
            stored = services.save_suite(read_suite(data, file=name))
        except SupportBotError as refusal:
            problem = error_text(refusal)
        else:
            messages.success(request, gettext("Saved: {name_of}.").format(name_of=stored.title))
            return redirect("admin:evals_suite_change", stored.pk)
    shipped = [] if suite else [(name, read_suite_file(SHIPPED / f"{name}.yaml")) for name in shipped_suites()]
    context = {"suite": suite, "text": text, "problem": problem, "shipped": shipped}
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


def start(request: HttpRequest, suite_id: UUID) -> HttpResponse:
    """Start a run of a suite with the person's choices."""
    person, suite = needs(request, WRITE), suite_with_id(suite_id)
    run = services.start_run(suite, person=person_of(request), **chosen(suite, request.POST, person))
    return redirect("admin:evals_run_change", run.pk)


def run_page(request: HttpRequest, run_id: str) -> HttpResponse:
    """Show a run: its progress, its report, and each case next to the same case in another run."""
    person = needs(request, READ)
    run = run_with_id(uuid_of(run_id))
    other, hidden = _other(request, run), hidden_cases(request, run)
    hidden_before = hidden_cases(request, other) if other else {}
    of_baseline = hidden_cases(request, run.baseline) if run.baseline else {}
    report = report_without(run, hidden, of_baseline)
    shown = request.GET.get("show", "failed" if report and report.failed else "all")
    page = request.GET.get("page", "1")
    rows, total = compared_runs(
        run, other, shown=shown, page=page, per_page=PER_PAGE, hidden=hidden, hidden_before=hidden_before
    )
    others = list(runs().filter(suite_name=run.suite_name, state=Run.State.DONE).exclude(pk=run.pk)[:20])
    context = {
        "run": run,
        "why_paused": interruption(run.problem) if run.problem else "",
        "report": report,
        "intervals": intervals_of(report, report_without(other, hidden_before, ()) if other else None),
        **(_figures(run, other, report, {*hidden, *hidden_before}) if report else {}),
        "state": state_tag(run, is_hidden=bool(hidden or of_baseline)),
        "is_hidden": bool(hidden or of_baseline),
        "rows": rows,
        "pages": range(1, (total + PER_PAGE - 1) // PER_PAGE + 1) if total > PER_PAGE else [],
        "page": page,
        "hidden": hidden,
        "shown": shown,
        "filters": [(name, gettext(words)) for name, words in SHOWN.items()],
        "other": other,
        "others": rows_of(others, hidden_runs(request, others)),
        "may_write": may(person, WRITE),
        "agreement": shown_agreement(agreement_in(run, labeller(request)), is_hidden=bool(hidden)),
        "unlabelled": to_label(person_of(request).pk, run_id=run.pk).count(),
    }
    response = render_page(request, "run", run.suite.title if run.suite else run.suite_name, context)
    if run.state in (Run.State.WAITING, Run.State.RUNNING):
        response["Refresh"] = str(LOOK_AGAIN_SECONDS)
    return response


def _figures(run: Run, other: Run | None, report: Report, hidden: Collection[str]) -> dict[str, Any]:
    """Return what a run's page says in words and figures about a report without the cases of these keys."""
    return {
        "summary": summary(report),
        "verdict": _verdict(run, other, report),
        "every_time": every_time(report),
        "comparison": _comparison(run, other, report, hidden) if other else [],
        "took": [number(ms / 1000, decimals=1) for ms in (report.p50_ms, report.p95_ms)],
    }


def cancel(request: HttpRequest, run_id: UUID) -> HttpResponse:
    needs(request, WRITE)
    services.cancel_run(run_id)
    return redirect("admin:evals_run_change", run_id)


def resume(request: HttpRequest, run_id: UUID) -> HttpResponse:
    needs(request, WRITE)
    services.resume_run(run_id)
    return redirect("admin:evals_run_change", run_id)


def show(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Show the judge's verdicts of a run to a person, who then cannot label its results."""
    needs(request, WRITE)
    services.show_verdicts(run_id, person_of(request).pk)
    return redirect("admin:evals_run_change", run_id)


def _sent(request: HttpRequest) -> tuple[str, bytes]:
    file = request.FILES.get("file")
    if file is not None:
        return file.name or "suite.yaml", file.read()
    return "", request.POST.get("text", "").encode(errors="replace")


def _other(request: HttpRequest, run: Run) -> Run | None:
    """Return the run to compare with: the chosen one, or else the baseline."""
    chosen = request.GET.get("against", "")
    other = uuid_of(chosen) if chosen else run.baseline_id
    return Run.objects.filter(pk=other).first() if other else None


def _verdict(run: Run, other: Run | None, report: Report) -> list[SafeString]:
    """Return why a run is bad, with a link from each named case to its answers."""
    places = {str(case["id"]): place for place, case in enumerate(run.cases)}
    against = {"against": other.pk} if other else {}

    def link(key: str) -> tuple[str, str, str]:
        page = places.get(key, 0) // PER_PAGE + 1
        return urlencode({"show": "all", "page": page, **against}), key, key

    return [
        format_html(words, cases=format_html_join(", ", '<a href="?{}#case-{}">{}</a>', map(link, keys)))
        for words, keys in verdict_parts(report)
    ]


def _comparison(run: Run, other: Run, report: Report, hidden: Collection[str]) -> list[str]:
    before, after = ([one for one in tries_of(played) if one.key not in hidden] for played in (other, run))
    found = compared(before, after)
    return comparison_words(found, report if other.pk == run.baseline_id else None)


def suite_with_id(suite_id: UUID | str) -> Suite:
    """Return a suite of the workspace; raises NotFound."""
    found: Suite | None = Suite.objects.filter(pk=uuid_of(str(suite_id))).first()
    if found is None:
        raise NotFound()
    return found


def uuid_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound() from error


def render_page(
    request: HttpRequest, template: str, title: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    frame = {**admin.site.each_context(request), "title": title}
    return render(request, f"console/evals/{template}.html", {**frame, **context}, status=status)


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


def label_queue(request: HttpRequest) -> HttpResponse:
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


def save_label(request: HttpRequest, result_id: UUID) -> HttpResponse:
    """Store a label and continue with the next result; after the last one of a run that has ended, link to the
    judge's verdicts.
    """
    needs(request, WRITE)
    told, person = request.POST, person_of(request)
    try:
        label = label_result(result_id, told.get("verdict", ""), note=told.get("note", ""), person=person)
    except EvaluationError as refusal:
        messages.error(request, error_text(refusal))
    else:
        _tell_saved(request, label.result.run)
    run = told.get("run", "")
    return redirect(reverse("admin:evals_run_labels") + (f"?{urlencode({'run': run})}" if run else ""))


def _tell_saved(request: HttpRequest, run: Run) -> None:
    if are_hidden(run, person_of(request).pk):
        messages.success(request, gettext("Saved."))
        return
    page = reverse("admin:evals_run_change", args=[run.pk])
    told = gettext("Saved. You have labelled every result of this run.")
    link = format_html('<a href="{}?show=all">{}</a>', page, gettext("The judge’s verdicts"))
    messages.success(request, format_html("{} {}", told, link))
