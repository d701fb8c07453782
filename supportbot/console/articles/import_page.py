"""Importing files: a preview first, then the import of the chosen files.

The page's script sends one file per request, so that each file shows its progress and a broken one does not hold up the
rest. Without scripts, the form sends all files at once, and the response is the report.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext, gettext_noop
from django.views.decorators.http import require_POST

from kb.database_time import database_now
from kb.importing.importer import OUTCOMES, ImportReport, ItemResult, import_documents, import_drafts, preview_import
from kb.importing.loaders.file_reading import MAX_FILE_BYTES
from kb.importing.loaders.format_detection import KNOWN_ENDINGS
from kb.models import Article, Collection, State
from kb.validation import check_name
from supportbot.console.articles.comparisons import comparison_context
from supportbot.console.articles.import_uploads import MAX_BYTES, MAX_ITEMS, Upload, documents_in, writable
from supportbot.console.display import error_text
from supportbot.console.request_context import needs, person_of
from supportbot.console.text_diff import compare
from supportbot.errors import SupportBotError
from supportbot.evals.articles.publication_report import comparison_of

HOW = {"check": preview_import, "publish": import_documents, "draft": import_drafts}
WORDS = {
    "new": gettext_noop("New"),
    "updated": gettext_noop("Update"),
    "unchanged": gettext_noop("Unchanged"),
    "failed": gettext_noop("Not read"),
}
MAX_ASKED = 2_000
MOST_CHANGES = 60  # changed lines shown per article


def import_page(request: HttpRequest) -> HttpResponse:
    """Show the form. For uploaded files, return a report, which is JSON if the page's script asks for it."""
    needs(request, "kb:write")
    if request.method != "POST":
        return _page(request, {})
    problem, facts, began = "", {}, database_now()
    try:
        facts = {**_facts(_run(request)), "began": began.timestamp(), "ended": database_now().timestamp()}
    except SupportBotError as refusal:
        problem = error_text(refusal)
    status = 400 if problem else 200
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"message": problem} if problem else facts, status=status)
    more = {"problem": problem, "report": facts, "was": request.POST.get("do"), "counts": _in_words(facts)}
    return _page(request, more, status=status)


@require_POST
def import_state(request: HttpRequest) -> JsonResponse:
    """Return which of these articles search already finds, and how their import affects customers' questions. The
    form's fields `began` and `ended` are the import's times by the database's clock, in seconds.
    """
    needs(request, "kb:write")
    ids = [UUID(text) for text in request.POST.getlist("article")[:MAX_ASKED] if _is_id(text)]
    rows = Article.objects.filter(pk__in=ids, state=State.LIVE).values_list(
        "pk", "indexed_revision", "live_revision__number"
    )
    done = [str(pk) for pk, indexed, live in rows if indexed == live]
    began, ended = (_moment(request.POST.get(name, "")) for name in ("began", "ended"))
    found, is_awaited = comparison_of(ids, began, ended) if ids and began and ended else (None, False)
    words = (
        render_to_string("console/articles/comparison_notice.html", {"one": comparison_context(found)}, request)
        if found
        else ""
    )
    is_over = not is_awaited and (found is None or not found.is_open)
    return JsonResponse({"searchable": done, "compared": words, "is_compared": is_over})


def _run(request: HttpRequest) -> ImportReport:
    files, paths = request.FILES.getlist("files"), request.POST.getlist("path")
    uploads = [
        Upload(file, paths[place] if place < len(paths) else file.name or "") for place, file in enumerate(files)
    ]
    how = HOW.get(request.POST.get("do", ""), preview_import)
    name = request.POST.get("collection", "").strip()
    name = check_name(name) if name else ""
    return how(writable(documents_in(uploads), person_of(request), name), collection=name)


def _facts(report: ImportReport) -> dict[str, Any]:
    items = [
        {
            "outcome": item.outcome,
            "words": gettext(WORDS[item.outcome]),
            "origin": item.origin,
            "id": item.external_id,
            "title": item.title,
            "message": item.message,
            "notes": item.notes,
            "changes": _changes(item),
        }
        for item in report.items
    ]
    counts = {outcome: report.count(outcome) for outcome in OUTCOMES}
    return {"items": items, "counts": counts, "articles": [str(pk) for pk in report.article_ids]}


def _changes(item: ItemResult) -> list[dict[str, str]]:
    """Return the lines that an import would remove from an article and add to it.

    If there are too many, return only their number.
    """
    if item.before is None or item.after is None:
        return []
    lines = []
    for row in compare(*(f"{text.title}\n{text.body}" for text in (item.before, item.after))):
        for side, kind, sign in ((row.old, "del", "−"), (row.new, "add", "+")):
            text = "".join(piece.text for piece in side.pieces)
            if side.kind == kind and text.strip():
                lines.append({"kind": kind, "sign": sign, "text": text})
    more = len(lines) - MOST_CHANGES
    message = gettext("More changed lines: {number}.").format(number=more)
    return [*lines[:MOST_CHANGES], *([{"kind": "", "sign": " ", "text": message}] if more > 0 else [])]


def _in_words(facts: dict[str, Any]) -> str:
    """Return a report's counts as a sentence. The page's script builds the same sentence."""
    text = gettext("New: {new}, updates: {updated}, unchanged: {unchanged}, unreadable: {failed}.")
    return text.format(**facts["counts"]) if facts else ""


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(text), tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _page(request: HttpRequest, more: dict[str, Any], *, status: int = 200) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": gettext("Import"),
        "collections": Collection.objects.all(),
        "endings": ",".join(KNOWN_ENDINGS),
        "most_megabytes": MAX_FILE_BYTES // 1_000_000,
        "most_megabytes_of_a_document": MAX_BYTES // 1024 // 1024,
        "most_items": MAX_ITEMS,
        **more,
    }
    return render(request, "console/articles/import.html", context, status=status)
