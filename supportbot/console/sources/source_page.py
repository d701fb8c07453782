"""The page of one source: its articles, the progress of its run, and what can be done with it."""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST, require_safe

from kb.access import check_may_write, restricted_collections
from kb.models import Article
from kb.sources import archiving, runs, selectors
from kb.sources.errors import SourceMissing
from kb.sources.models import SITE, UPLOADS, Source, SourceItem, SourceRun
from kb.sources.selectors import articles_of, counts_of_items, items_of, latest_run, progress_of
from kb.sources.services import change_source, delete_source
from kb.sources.uploads import add_files, remove_file
from supportbot.console.articles.comparisons import comparison_context
from supportbot.console.articles.gate_check import gate_cases
from supportbot.console.display import error_text
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, person_of, staff
from supportbot.console.sources import states
from supportbot.console.sources.forms import (
    MOST_FILES,
    SettingsForm,
    SiteSettingsForm,
    collections,
    settings_of,
    uploaded,
)
from supportbot.errors import NotAllowed, NotFound, SupportBotError
from supportbot.evals.articles.broken_cases import checks
from supportbot.evals.articles.published_checks import checked_articles
from supportbot.evals.models import ArticleCheck, DraftCheck

ITEMS_PER_PAGE: Final = 50
FILES_SHOWN: Final = 200
CHECKS_READ: Final = 20
Mode = runs.Mode
Outcome, RunState = SourceItem.Outcome, SourceRun.State


def source_page(request: HttpRequest, source_id: UUID) -> HttpResponse:
    """Show a source. A POST saves its settings."""
    needs(request, "kb:read")
    source = selectors.source_with_id(source_id)
    form = _form(source)
    if request.method == "POST":
        needs(request, "kb:write")
        check_may_write(person_of(request), source.collection)
        form = _form(source, request.POST)
        if form.is_valid() and _is_saved(request, source, form):
            messages.success(request, gettext("Saved."))
            return redirect("admin:kb_source_change", source.pk)
        source = selectors.source_with_id(source_id)
    return _page(request, source, form)


@require_safe
def progress(request: HttpRequest, source_id: UUID) -> HttpResponse:
    """Return the part of the page that changes during a run."""
    needs(request, "kb:read")
    return render(request, "console/sources/progress.html", _progress(request, selectors.source_with_id(source_id)))


@require_POST
def act(request: HttpRequest, source_id: UUID) -> HttpResponse:
    """Perform one action on a source, and redirect to its page."""
    needs(request, "kb:write")
    source = selectors.source_with_id(source_id)
    check_may_write(person_of(request), source.collection)
    do = _DEEDS.get(request.POST.get("do", ""))
    if do is None:
        raise NotFound()
    try:
        message = do(request, source)
    except (NotAllowed, NotFound):
        raise
    except SupportBotError as refusal:
        messages.error(request, error_text(refusal))
        return redirect("admin:kb_source_change", source.pk)
    if message:
        messages.success(request, message)
    is_deleted = not Source.objects.filter(pk=source.pk).exists()
    return redirect("admin:kb_source_changelist") if is_deleted else redirect("admin:kb_source_change", source.pk)


@require_safe
def original(request: HttpRequest, source_id: UUID, file_id: UUID) -> HttpResponse:
    """Return an uploaded file as a download, but only to people who may replace it: it contains what an import leaves
    out, such as comments and hidden sheets.

    A browser must never render it, because it may be a page with scripts.
    """
    needs(request, "kb:write")
    source = selectors.source_with_id(source_id)
    check_may_write(person_of(request), source.collection)
    file = source.files.filter(pk=file_id).first()
    if file is None:
        raise NotFound()
    response = HttpResponse(bytes(file.content), content_type="application/octet-stream")
    response.headers["Content-Disposition"] = content_disposition_header(True, PurePosixPath(file.path).name)
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response


# --- Actions: each returns the message to show


def _check(request: HttpRequest, source: Source) -> str:
    runs.begin(source, Mode.CHECK, person=person_of(request))
    return ""


def _sync(request: HttpRequest, source: Source) -> str:
    runs.begin(source, Mode.SYNC, person=person_of(request))
    return ""


def _end_preview(request: HttpRequest, source: Source) -> str:
    runs.end_preview(source, person=person_of(request))
    return ""


def _cancel(request: HttpRequest, source: Source) -> str:
    return gettext("Cancelled. What has been read so far is kept.") if runs.cancel(source) else ""


def _confirm(request: HttpRequest, source: Source) -> str:
    count = archiving.confirm_loss(source)
    if not count:  # the run continues
        return gettext("The gates now check each article.")
    text = ngettext("Archived: {number} article.", "Archived: {number} articles.", count)
    return text.format(number=count)


def _keep(request: HttpRequest, source: Source) -> str:
    archiving.keep_lost(source)
    return gettext("The articles are kept. The next run asks again if they are still missing from the source.")


def _retry(request: HttpRequest, source: Source) -> str:
    try:
        item_id = UUID(request.POST.get("item", ""))
    except ValueError as error:
        raise SourceMissing from error
    if not SourceItem.objects.filter(pk=item_id, source=source).exists():
        raise SourceMissing
    runs.retry(item_id, person=person_of(request))
    return ""


def _add_files(request: HttpRequest, source: Source) -> str:
    for problem in add_files(source, uploaded(request), person=person_of(request))[:20]:
        messages.warning(request, problem)
    return gettext("The files are stored. Sync the source to create articles from them.")


def _remove_file(request: HttpRequest, source: Source) -> str:
    is_there = remove_file(source, request.POST.get("path", ""), person=person_of(request))
    return gettext("Removed. The next sync archives its articles.") if is_there else ""


def _delete(request: HttpRequest, source: Source) -> str:
    archives = request.POST.get("articles") == "archive"
    count = delete_source(source, archives=archives, person=person_of(request))
    if archives:
        text = ngettext("Deleted, and {number} article archived.", "Deleted, and {number} articles archived.", count)
    else:
        text = ngettext("Deleted. {number} article was kept.", "Deleted. {number} articles were kept.", count)
    return text.format(number=count)


_DEEDS: Final[dict[str, Callable[[HttpRequest, Source], str]]] = {
    "check": _check,
    "sync": _sync,
    "end_preview": _end_preview,
    "cancel": _cancel,
    "confirm": _confirm,
    "keep": _keep,
    "retry": _retry,
    "add_files": _add_files,
    "remove_file": _remove_file,
    "delete": _delete,
}


# --- Display


def _form(source: Source, typed: Any = None) -> SettingsForm:
    if source.kind != SITE:
        return SettingsForm(typed, initial=settings_of(source))
    has_articles = SourceItem.objects.filter(source=source, imported_at__isnull=False).exists()
    return SiteSettingsForm(typed, initial=settings_of(source), has_articles=has_articles)


def _is_saved(request: HttpRequest, source: Source, form: SettingsForm) -> bool:
    try:
        change_source(source, form.changes(), person=person_of(request))
    except NotAllowed:
        raise
    except SupportBotError as refusal:
        form.note(refusal)
        return False
    return True


def _page(request: HttpRequest, source: Source, form: SettingsForm) -> HttpResponse:
    files, check = source.files.defer("content").order_by("path"), _article_check(source)
    comparison = _comparison(check)
    context = {
        **admin.site.each_context(request),
        **_progress(request, source),
        "title": source.name,
        "form": form,
        "collections": collections(),
        "takes_files": source.kind == UPLOADS,
        "most_files": MOST_FILES,
        "files": files[:FILES_SHOWN],
        "number_of_files": files.count(),
        "article_check": check,
        "one": comparison,
        "has_findings": comparison is not None or (check is not None and _has_findings(check)),
        "cases": gate_cases(request, [one["case"] for one in check.failures] if check else []),
    }
    return render(request, "console/sources/source.html", context, status=400 if form.errors else 200)


def _article_check(source: Source) -> ArticleCheck | None:
    """Return the newest check of the articles published from the source."""
    ids = set(Article.objects.filter(source_item__source=source).values_list("pk", flat=True))
    return next((check for check in checks()[:CHECKS_READ] if ids.intersection(checked_articles(check))), None)


def _has_findings(check: ArticleCheck) -> bool:
    """Return whether a check has anything to show: it is unfinished or failed, or it runs cases of gates."""
    is_done = check.state == ArticleCheck.State.DONE
    return not is_done or bool(check.problem or check.failures or check.asks_gates or check.untried)


def _comparison(check: ArticleCheck | None) -> dict[str, Any] | None:
    """Return the template context about how the check's changes affect customers' questions."""
    found = DraftCheck.objects.filter(pk=check.comparison).first() if check and check.comparison else None
    return comparison_context(found) if found else None


def _progress(request: HttpRequest, source: Source) -> dict[str, Any]:
    run = latest_run(source)
    outcome = request.GET.get("outcome", "")
    page = Paginator(items_of(source, outcome), ITEMS_PER_PAGE).get_page(request.GET.get("p"))
    items = list(page.object_list)
    articles = articles_of(items)
    rows = [(item, states.of_item(item, run), articles.get(item.pk, []), _label(source, item)) for item in items]
    is_closed = source.collection_id in restricted_collections(person_of(request))
    counts, found = counts_of_items(source), progress_of(run) if run else None
    is_check = bool(run and run.mode == Mode.CHECK)
    return {
        "source": source,
        "run": run,
        "state": states.of_run(run.state if run else "", run.mode if run else ""),
        "progress": found,
        "is_put_off": bool(run and run.is_under_way and run.due_at and run.due_at > now()),
        "is_check": is_check,
        "may_publish": bool(run and found and is_check and run.state == RunState.DONE and _changes(found.counts)),
        "nothing_read": bool(found and found.counts and set(found.counts) <= {Outcome.BROKEN, Outcome.LEFT_OUT}),
        "lost": archiving.lost_in(run).count() if run and run.state == RunState.UNCONFIRMED else 0,
        "may_write": may(staff(request), "kb:write") and not is_closed,
        "rows": rows,
        "page": page,
        "outcome": outcome if outcome in Outcome.values else "",
        "tabs": [(value, label, counts[value]) for value, label in Outcome.choices if counts.get(value)],
        "items_in_all": sum(counts.values()),
    }


def _changes(counts: Mapping[str, int]) -> bool:
    """Return whether publishing what a preview found would create, change or archive an article."""
    return any(counts.get(outcome) for outcome in (Outcome.NEW, Outcome.CHANGED, Outcome.GONE))


def _label(source: Source, item: SourceItem) -> str:
    """Return an item's key without the part that all items of its source share."""
    home = source.memory.get("home", source.address)
    origin = "/".join(str(home).split("/")[:3])
    return item.key.removeprefix(origin) or "/"
