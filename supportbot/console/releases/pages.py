"""The pages of a release: what it changes, its form while it is a draft, and how to publish or restore it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext

from kb.models import Article
from kb.selectors import changed_for_readers
from supportbot.console.display import error_text
from supportbot.console.evals.hidden_verdicts import hidden_cases, hidden_runs
from supportbot.console.evals.result_rows import rows_of as rows_of_runs
from supportbot.console.permissions import may
from supportbot.console.releases.document_differences import REFERENCES, differences
from supportbot.console.releases.failed_cases import FailedCase, failed_cases, failed_names
from supportbot.console.releases.forms import DraftForm, Guidelines, initial_of, rows_of
from supportbot.console.request_context import needs, staff
from supportbot.errors import NotFound, SupportBotError
from supportbot.evals.models import Result, Run
from supportbot.evals.release_gates import progress
from supportbot.evals.selectors import missing_suites, runs
from supportbot.llm.release_routes import names
from supportbot.releases import evaluation, ports, services
from supportbot.releases.document import parsed
from supportbot.releases.errors import GateRefused, NotProven
from supportbot.releases.models import Release
from supportbot.releases.selectors import gates, live_release, release_with_id, releases
from supportbot.team_formats import listed

READ: Final = "releases:read"
WRITE: Final = "releases:write"
RUNS: Final = "evals:read"  # the right to read runs, which the page of a release shows
REPLAY: Final = (READ, RUNS, "conversations:read")  # the page of a replay shows customers' questions
REPLACED: Final = Release.State.REPLACED
MOST_ARTICLES: Final = 5


def title_of(row: Release) -> str:
    if row.restores:
        return gettext("Release {number}, restores {older}").format(number=row.number, older=row.restores)
    return gettext("Release {number}").format(number=row.number)


def release_page(request: HttpRequest, release_id: str) -> HttpResponse:
    """Show what a release changes.

    A draft is compared with the live release, any other with the one before it. A release that can be restored is also
    compared with the live one.
    """
    needs(request, READ)
    try:
        release = release_with_id(UUID(release_id))
    except ValueError as error:
        raise NotFound() from error
    return _shown(request, release)


def edit_page(request: HttpRequest, release_id: UUID) -> HttpResponse:
    """Show a draft's form. A POST saves it."""
    person = needs(request, WRITE)
    release = release_with_id(release_id)
    if not release.is_draft:
        return redirect("admin:releases_release_change", release.pk)
    document = release.contents
    data = request.POST if request.method == "POST" else None
    form = DraftForm(data, initial=initial_of(document, edits=release.edits, reason=release.reason))
    rows = Guidelines(data, initial=rows_of(document), prefix="g")
    if data is not None and form.is_valid() and rows.is_valid():
        given = [found for row in rows.forms if (found := row.guideline()) is not None]
        changes = {**form.changes(document), "guidelines": given}
        cleaned = form.cleaned_data
        try:
            parsed(changes)
            services.change_draft(release.pk, changes, person=person, edits=cleaned["edits"], reason=cleaned["reason"])
        except SupportBotError as refusal:
            _mark(form, refusal)
        else:
            messages.success(request, gettext("Saved: {name_of}.").format(name_of=title_of(release)))
            return redirect("admin:releases_release_change", release.pk)
    status = 400 if data is not None else 200
    page = _frame(request, release, form=form, guidelines=rows)
    return render(request, "console/releases/edit.html", page, status=status)


def new(request: HttpRequest) -> HttpResponse:
    """Create a draft from the live release or from the one given."""
    person = needs(request, WRITE)
    source = request.POST.get("source", "")
    try:
        draft = services.create_draft(person=person, made_from=UUID(source) if source else None)
    except ValueError as error:
        raise NotFound() from error
    part = "#models" if request.POST.get("part") == "models" else ""
    return redirect(f"{reverse('admin:release-edit', args=[draft.pk])}{part}")


def publish(request: HttpRequest, release_id: UUID) -> HttpResponse:
    person = needs(request, WRITE)
    posted = request.POST
    try:
        release = services.publish(
            release_id,
            person=person,
            instead_of=_whole(posted.get("instead_of", "")),
            edits=_whole(posted.get("edits", "")),
            reason=posted.get("reason", ""),
            override=posted.get("override", ""),
        )
    except SupportBotError as refusal:
        return _refused(request, release_id, refusal)
    messages.success(request, gettext("{name} is live.").format(name=title_of(release)))
    return redirect("admin:releases_release_change", release.pk)


def evaluate(request: HttpRequest, release_id: UUID) -> HttpResponse:
    needs(request, WRITE)
    try:
        evaluation.request_evaluation(release_id)
    except SupportBotError as refusal:
        return _refused(request, release_id, refusal)
    messages.success(request, gettext("The gates are evaluating this draft. You can leave this page in the meantime."))
    return redirect("admin:releases_release_change", release_id)


def restore(request: HttpRequest, release_id: UUID) -> HttpResponse:
    person = needs(request, WRITE)
    posted = request.POST
    try:
        release = services.restore(
            release_id,
            person=person,
            instead_of=_whole(posted.get("instead_of", "")),
            reason=posted.get("reason", ""),
            override=posted.get("override", ""),
        )
    except SupportBotError as refusal:
        return _refused(request, release_id, refusal)
    messages.success(request, gettext("{name} is live.").format(name=title_of(release)))
    return redirect("admin:releases_release_change", release.pk)


def discard(request: HttpRequest, release_id: UUID) -> HttpResponse:
    needs(request, WRITE)
    services.discard(release_id)
    messages.success(request, gettext("Deleted."))
    return redirect("admin:releases_release_changelist")


def choose_gates(request: HttpRequest) -> HttpResponse:
    """Save the chosen suites. If one does not exist, show a message and save nothing."""
    person = needs(request, WRITE)
    try:
        services.name_gates(_in_their_order(request.POST.getlist("suites")), person=person)
    except SupportBotError as refusal:
        for text in refusal.fields.get("suites", [error_text(refusal)]):
            messages.error(request, text)
    else:
        messages.success(request, gettext("Gates saved."))
    return redirect("admin:releases_release_changelist")


def _in_their_order(chosen: list[str]) -> list[str]:
    """Return the chosen suites, starting with the existing gates in their current order: a different order would
    invalidate verdicts.
    """
    present = [name for name in gates() if name in chosen]
    return present + [name for name in chosen if name not in present]


def _shown(
    request: HttpRequest,
    release: Release,
    *,
    problem: str = "",
    errors: Mapping[str, Sequence[str]] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Return a release's page. `errors` contains the errors to show at the fields for reasons, by the fields' names."""
    live, person = live_release(), staff(request)
    may_read_runs = may(person, RUNS)
    earlier = releases().filter(number__lt=release.number, published_at__isnull=False)
    before = live if release.is_draft else earlier.order_by("-published_at").first()
    suites = gates()
    context: dict[str, Any] = {
        "live": live,
        "before": before,
        "differences": differences(before.contents, release.contents, names()) if before else [],
        "restoring": differences(live.contents, release.contents, names()) if release.state == REPLACED else [],
        "problem": problem,
        "is_unchanged": release.is_draft and release.digest == live.digest,
        "suites": suites,
        **_verdict_facts(request, release, suites, may_read_runs=may_read_runs),
        "may_judge": bool(suites) and ports.judge() is not None,
        "may_override": person.may(services.OVERRIDE),
        "errors": errors or {},
        "told": request.POST,
        "reason": request.POST.get("reason", release.reason if release.is_draft else ""),
        "may_replay": release.state != Release.State.LIVE and all(may(person, right) for right in REPLAY),
    }
    if release.state == REPLACED:
        context |= _restoring(release)
    if release.restores and may_read_runs:
        since = list(runs().filter(release_id=release.pk, suite_name__in=suites))
        context["runs_since"] = rows_of_runs(since, hidden_runs(request, since))
    if release.judging_since:
        context["done"], context["total"] = progress(release, suites)
        context["is_reloaded"] = request.method == "GET"
    return render(request, "console/releases/release.html", _frame(request, release, **context), status=status)


def _verdict_facts(
    request: HttpRequest, release: Release, suites: Sequence[str], *, may_read_runs: bool
) -> dict[str, Any]:
    """Return the gates' verdict on a release, and what has changed since the verdict."""
    verdict = evaluation.verdict_on(release)
    is_passed = bool(verdict and verdict["passed"])
    changed = evaluation.changed_since(release, verdict) if verdict and release.is_draft else []
    return {
        "verdict": verdict,
        "changed_articles": _changed_articles(verdict) if verdict and "knowledge" in changed else [],
        "evaluated": _evaluated(verdict) if verdict else None,
        "failed": _failed(request, verdict) if verdict and release.is_draft and not is_passed else [],
        "compared": _compared(verdict) if verdict and may_read_runs else [],
        "keeps_results": changed == ["knowledge"],
        "changed": [gettext(REFERENCES.get(name, name)) for name in changed],
        "is_stopped": bool(suites) and (not is_passed or bool(changed)),
    }


def _failed(request: HttpRequest, verdict: Mapping[str, Any]) -> list[FailedCase]:
    """Return the failed cases. Questions and answers are included only if the person may read runs."""
    if not may(staff(request), RUNS):
        return failed_names(verdict)
    judged = Result.objects.filter(run__in=verdict["run_ids"], judged_good__isnull=False).values("run")
    hidden = [(run.pk, key) for run in runs().filter(pk__in=judged) for key in hidden_cases(request, run)]
    return failed_cases(verdict, hidden)


def _restoring(release: Release) -> dict[str, Any]:
    """Return the template context for restoring a release: whether it has proven itself, and what has changed since."""
    verdict = release.verdict or {}
    if not evaluation.is_proven(release):
        return {"is_proven": False, "missing_gates": listed(missing_suites(gates()))}
    changed = [name for name in evaluation.changed_since(release, verdict) if name != evaluation.LIVE]
    named = listed([gettext(REFERENCES.get(name, name)) for name in changed])
    return {"is_proven": True, "proven_at": datetime.fromisoformat(verdict["at"]), "changed_since": named}


def _evaluated(verdict: Mapping[str, Any]) -> dict[str, int]:
    """Return how many results a verdict is based on, and how many of those come from an earlier evaluation."""
    return Run.objects.filter(pk__in=verdict["run_ids"]).aggregate(
        total=Sum("total", default=0), kept=Sum("kept", default=0)
    )


def _compared(verdict: Mapping[str, Any]) -> list[tuple[int | None, list[Run]]]:
    """Return the runs that the draft's runs were compared with for a verdict, by the number of their release."""
    theirs = Run.objects.filter(pk__in=Run.objects.filter(pk__in=verdict["run_ids"]).values("baseline"))
    found: dict[int | None, list[Run]] = {}
    for run in theirs.order_by("release_number", "suite_name").defer("cases", "report"):
        found.setdefault(run.release_number, []).append(run)
    return list(found.items())


def _changed_articles(verdict: Mapping[str, Any]) -> list[Article]:
    """Return the newest of the articles that have changed since an evaluation began."""
    began = verdict.get("began")  # missing from verdicts of earlier versions
    return list(changed_for_readers(datetime.fromisoformat(began))[:MOST_ARTICLES]) if began else []


def _refused(request: HttpRequest, release_id: UUID, refusal: SupportBotError) -> HttpResponse:
    if refusal.status in (403, 404):
        raise refusal
    errors = {name: texts for name, texts in refusal.fields.items() if name in ("reason", "override")}
    if isinstance(refusal, NotProven) and staff(request).may(services.OVERRIDE):
        errors = {"override": [gettext("Explain why, briefly.")]}
    problem = "" if errors else error_text(refusal)
    if isinstance(refusal, GateRefused):  # its own message names cases by their keys
        problem = gettext("This draft does not pass the gates. The page lists what fails, with the answers.")
    return _shown(request, release_with_id(release_id), problem=problem, errors=errors, status=refusal.status)


def _frame(request: HttpRequest, release: Release, **more: Any) -> dict[str, Any]:
    return {
        **admin.site.each_context(request),
        "title": title_of(release),
        "opts": Release._meta,
        "release": release,
        "may_write": may(staff(request), WRITE),
        **more,
    }


def _mark(form: DraftForm, refusal: SupportBotError) -> None:
    """Show a refusal's messages at their fields, and any others above the form."""
    rest = {name: texts for name, texts in refusal.fields.items() if name not in form.fields}
    for name, texts in refusal.fields.items():
        if name in form.fields:
            form.add_error(name, texts)
    if rest or not refusal.fields:
        form.add_error(None, [text for texts in rest.values() for text in texts] or [refusal.message])


def _whole(text: str) -> int:
    """Return the number in a hidden field. If it is not a number, return -1, which never matches."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
