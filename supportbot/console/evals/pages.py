"""The pages of suites and runs: create, import, edit and export suites; start, watch and compare runs."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext

from supportbot.accounts.principals import Staff
from supportbot.chat.models import Conversation
from supportbot.console.display import error_text
from supportbot.console.evals.hidden_verdicts import (
    hidden_cases,
    show_verdicts,
    shows_verdicts,
    waiting_results,
    without_hidden,
)
from supportbot.console.evals.interval_chart import intervals_of
from supportbot.console.evals.pass_rate_chart import MOST_RUNS, shares_of
from supportbot.console.evals.result_rows import SHOWN, case_rows, compared_runs, rows_of, state_tag
from supportbot.console.evals.run_start import chosen, start_choices
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, person_of
from supportbot.errors import NotFound, SupportBotError
from supportbot.evals import services
from supportbot.evals.case_from_conversation import case_of_chat
from supportbot.evals.comparison import compared
from supportbot.evals.human_labels import agreement_in, agreement_of
from supportbot.evals.models import Case, Label, Result, Run, Suite
from supportbot.evals.outcomes import played_from
from supportbot.evals.reports import Report, report_from
from supportbot.evals.selectors import document_of, run_with_id, runs, tries_of
from supportbot.evals.services import label_result
from supportbot.evals.suite_files import (
    SHIPPED,
    as_yaml,
    case_as_yaml,
    case_from_yaml,
    read_suite,
    read_suite_file,
    shipped_suites,
    suite_as_yaml,
)
from supportbot.evals.wording import comparison_words, every_time, interruption, summary, verdict
from supportbot.insights.cases import case_of_answer, case_of_finding
from supportbot.insights.findings import Kind
from supportbot.releases.selectors import gates
from supportbot.team_formats import number

READ: Final = "evals:read"
WRITE: Final = "evals:write"
PER_PAGE: Final = 50
LOOK_AGAIN_SECONDS: Final = 4


def suite_page(request: HttpRequest, suite_id: str) -> HttpResponse:
    """Show a suite's cases and its last runs."""
    person = needs(request, READ)
    suite = _suite(suite_id)
    cases = Paginator(Case.objects.filter(suite=suite).order_by("position", "id"), PER_PAGE)
    page = cases.get_page(request.GET.get("page"))
    context = {
        "suite": suite,
        "page": page,
        "cases": case_rows(page.object_list),
        "count": cases.count,
        "runs": rows_of(runs().filter(suite=suite)[:10]),
        "may_write": may(person, WRITE),
        "is_gate": suite.name in gates(),
        "start": start_choices(suite, person),
        "agreement": agreement_of(suite.name),
        "shares": shares_of(runs().filter(suite=suite, state=Run.State.DONE)[:MOST_RUNS]),
    }
    return render_page(request, "suite", suite.title, context)


def edit(request: HttpRequest, suite_id: UUID | None = None) -> HttpResponse:
    """Show a suite as YAML and store the submitted text or file."""
    needs(request, WRITE)
    suite = _suite(suite_id) if suite_id else None
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
    suite = _suite(suite_id)
    response = HttpResponse(suite_as_yaml(document_of(suite)), content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{suite.name}.yaml"'
    return response


def delete(request: HttpRequest, suite_id: UUID) -> HttpResponse:
    needs(request, WRITE)
    _suite(suite_id).delete()
    messages.success(request, gettext("Deleted."))
    return redirect("admin:evals_suite_changelist")


def start(request: HttpRequest, suite_id: UUID) -> HttpResponse:
    """Start a run of a suite with the person's choices."""
    person, suite = needs(request, WRITE), _suite(suite_id)
    run = services.start_run(suite, person=person_of(request), **chosen(suite, request.POST, person))
    return redirect("admin:evals_run_change", run.pk)


def run_page(request: HttpRequest, run_id: str) -> HttpResponse:
    """Show a run: its progress, its report, and each case next to the same case in another run."""
    person = needs(request, READ)
    run = run_with_id(uuid_of(run_id))
    other, hidden = _other(request, run), hidden_cases(request, run)
    report = without_hidden(report_from(run.report), hidden) if run.report else None
    shown = request.GET.get("show", "failed" if report and set(report.failed) - hidden else "all")
    page = request.GET.get("page", "1")
    rows, total = compared_runs(run, other, shown=shown, page=page, per_page=PER_PAGE, hidden=hidden)
    context = {
        "run": run,
        "why_paused": interruption(run.problem) if run.problem else "",
        "report": report,
        "summary": summary(report) if report else "",
        "verdict": verdict(report) if report else [],
        "every_time": every_time(report) if report else [],
        "intervals": intervals_of(run, other),
        "comparison": _comparison(run, other, report) if report and other else [],
        "took": [number(ms / 1000, decimals=1) for ms in (report.p50_ms, report.p95_ms)] if report else [],
        "state": state_tag(run),
        "rows": rows,
        "pages": range(1, (total + PER_PAGE - 1) // PER_PAGE + 1) if total > PER_PAGE else [],
        "page": page,
        "hidden": hidden,
        "shown": shown,
        "filters": [(name, gettext(words)) for name, words in SHOWN.items()],
        "other": other,
        "others": rows_of(runs().filter(suite_name=run.suite_name, state=Run.State.DONE).exclude(pk=run.pk)[:20]),
        "may_write": may(person, WRITE),
        "agreement": agreement_in(run),
        "unlabelled": waiting_results(request, run_id=run.pk).count(),
    }
    response = render_page(request, "run", run.suite.title if run.suite else run.suite_name, context)
    if run.state in (Run.State.WAITING, Run.State.RUNNING):
        response["Refresh"] = str(LOOK_AGAIN_SECONDS)
    return response


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
    show_verdicts(request, run_with_id(run_id).pk)
    return redirect("admin:evals_run_change", run_id)


def edit_case(request: HttpRequest, suite_id: UUID, key: str = "") -> HttpResponse:
    """Show a case of a suite, or an empty one, as YAML, and store the submitted text."""
    needs(request, WRITE)
    suite = _suite(suite_id)
    known = next((case for case in document_of(suite).cases if key and case.key == key), None)
    if key and known is None:
        raise NotFound()
    text = case_as_yaml(known) if known else _EMPTY_CASE
    return _case_form(request, text, suites=[suite], own=suite, replacing=key)


def case_from_chat(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Propose a case based on a conversation, and store it in the chosen suite."""
    _check_may_make_cases(request)

    def proposed() -> dict[str, Any]:
        conversation = Conversation.objects.filter(pk=conversation_id).first()
        if conversation is None:
            raise NotFound()
        return case_of_chat(conversation)

    return _proposed_case(request, proposed)


def case_from_answer(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Propose a case based on an answer of the assistant, and store it in the chosen suite."""
    _check_may_make_cases(request)
    return _proposed_case(request, lambda: case_of_answer(message_id))


def case_from_finding(request: HttpRequest, kind: str, subject: UUID) -> HttpResponse:
    """Propose a case based on a finding listed in *Improve*, and store it in the chosen suite."""
    _check_may_make_cases(request)
    if kind not in list(Kind):
        raise NotFound()
    return _proposed_case(request, lambda: case_of_finding(Kind(kind), subject))


def may_make_cases(person: Staff) -> bool:
    """Return whether a person may create cases from customers' messages."""
    return may(person, WRITE) and may(person, "conversations:read")


def _check_may_make_cases(request: HttpRequest) -> None:
    needs(request, WRITE)
    needs(request, "conversations:read")


def _proposed_case(request: HttpRequest, case: Callable[[], dict[str, Any]]) -> HttpResponse:
    # A POST contains the whole text, so it can be stored even if its source has since been erased or dealt with.
    text = "" if request.method == "POST" else as_yaml(case())
    return _case_form(request, text, suites=list(Suite.objects.all()))


def _case_form(
    request: HttpRequest, text: str, *, suites: list[Suite], own: Suite | None = None, replacing: str = ""
) -> HttpResponse:
    """Show a case, and store it in the chosen suite; `own` is the suite from which it was opened."""
    problem = ""
    if request.method == "POST":
        text = request.POST.get("text", "")
        try:
            suite = _suite(request.POST.get("suite", ""))
            services.save_case(suite.pk, case_from_yaml(text), replacing=replacing)
        except SupportBotError as refusal:
            problem = error_text(refusal)
        else:
            messages.success(request, gettext("Saved: {name_of}.").format(name_of=suite.title))
            return redirect("admin:evals_suite_change", suite.pk)
    context = {"text": text, "problem": problem, "suites": suites, "suite": own}
    return render_page(request, "case", gettext("Case"), context, status=400 if problem else 200)


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


def _comparison(run: Run, other: Run, report: Report) -> list[str]:
    found = compared(tries_of(other), tries_of(run))
    return comparison_words(found, report if other.pk == run.baseline_id else None)


def _suite(suite_id: UUID | str) -> Suite:
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
_EMPTY_CASE: Final = """\
id: new
ask: How long can I return things?
expect:
  figures: 30 days
"""


def label_queue(request: HttpRequest) -> HttpResponse:
    """Show the next result waiting for this person's label."""
    needs(request, WRITE)
    run = request.GET.get("run", "")
    waiting = waiting_results(request, run_id=uuid_of(run) if run else None)
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
    """Store a label, show the judge's verdict, and continue with the next result."""
    needs(request, WRITE)
    result = Result.objects.filter(pk=result_id, judged_good__isnull=False).first()
    if result is None:
        raise NotFound()
    run = request.POST.get("run", "")
    queue = reverse("admin:evals_run_labels") + (f"?{urlencode({'run': run})}" if run else "")
    if shows_verdicts(request, result.run_id):  # for example, in another tab
        messages.error(request, gettext("Not saved: you have seen the judge’s verdicts of this run."))
        return redirect(queue)
    try:
        label = label_result(
            result, request.POST.get("verdict", ""), note=request.POST.get("note", ""), person=person_of(request)
        )
    except SupportBotError as refusal:
        messages.error(request, error_text(refusal))
    else:
        _tell_of_judge(request, result, label)
    return redirect(queue)


def _tell_of_judge(request: HttpRequest, result: Result, label: Label) -> None:
    said = Label.Verdict.PASS if result.judged_good else Label.Verdict.FAIL
    told = {"verdict": said.label, "why": (result.played.get("judgement") or {}).get("words", "")}
    if label.verdict == said:
        messages.success(request, gettext("Saved. The judge agrees: {verdict}. {why}").format(**told))
    else:
        messages.warning(request, gettext("Saved. The judge says: {verdict}. {why}").format(**told))
