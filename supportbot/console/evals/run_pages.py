"""The pages for starting, watching, cancelling, resuming and comparing runs."""

from collections.abc import Collection
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from supportbot.console.evals.hidden_verdicts import hidden_cases, hidden_runs, report_without, shown_agreement
from supportbot.console.evals.interval_chart import intervals_of
from supportbot.console.evals.labelling import labeller
from supportbot.console.evals.page_frame import PER_PAGE, READ, WRITE, render_page, uuid_of
from supportbot.console.evals.result_rows import SHOWN, compared_runs, rows_of, state_tag
from supportbot.console.evals.run_choices import chosen
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, person_of
from supportbot.evals import services
from supportbot.evals.grading.human_labels import to_label
from supportbot.evals.grading.judge_agreement import agreement_in
from supportbot.evals.grading.run_comparison import compared
from supportbot.evals.grading.run_reports import Report
from supportbot.evals.models import Run
from supportbot.evals.result_texts import comparison_words, every_time, interruption, summary, verdict_parts
from supportbot.evals.retention import kept_until
from supportbot.evals.selectors import run_with_id, runs, suite_with_id, tries_of
from supportbot.team_formats import number

LOOK_AGAIN_SECONDS: Final = 4


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
    """Return a run page's sentences and figures about a report, without its `hidden` cases."""
    return {
        "summary": summary(report),
        "verdict": _verdict(run, other, report),
        "every_time": every_time(report),
        "comparison": _comparison(run, other, report, hidden) if other else [],
        "kept_until": kept_until(run),
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


def _other(request: HttpRequest, run: Run) -> Run | None:
    """Return the run to compare with: the chosen one or, if none was chosen, the baseline."""
    chosen = request.GET.get("against", "")
    other = uuid_of(chosen) if chosen else run.baseline_id
    return Run.objects.filter(pk=other).first() if other else None


def _verdict(run: Run, other: Run | None, report: Report) -> list[SafeString]:
    """Return why a run is bad. Each named case links to its answers."""
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
