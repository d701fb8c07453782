"""An article's revisions: who wrote them and when, how they differ, and restoring an old one."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from kb.access import check_may_write
from kb.models import Article, Revision
from kb.selectors import article_with_id
from kb.services import Change, save_draft
from supportbot.console.articles.editor.page_context import may_write_here
from supportbot.console.request_context import needs, person_of
from supportbot.console.text_diff import compare
from supportbot.errors import NotFound

MAX_SHOWN = 100
# Comparing takes quadratic time, and nobody would read a longer diff.
MAX_COMPARED_LINES = 4_000


def history(request: HttpRequest, article_id: UUID) -> HttpResponse:
    """List the revisions, newest first, and compare one with the live or the previous revision."""
    needs(request, "kb:read")
    article = article_with_id(article_id)
    rows = list(Revision.objects.filter(article=article).select_related("author").order_by("-number")[:MAX_SHOWN])
    chosen = _chosen(rows, request.GET.get("r", ""))
    other = _other(article, chosen)
    is_bearable = _lines(chosen) + _lines(other) <= MAX_COMPARED_LINES
    context = {
        **admin.site.each_context(request),
        "title": gettext("History"),
        "article": article,
        "revisions": rows,
        "chosen": chosen,
        "other": other,
        "rows": compare(_text(other), _text(chosen)) if is_bearable else None,
        "may_write": may_write_here(request, article),
    }
    return render(request, "console/articles/revisions.html", context)


@require_POST
def restore(request: HttpRequest, article_id: UUID) -> HttpResponse:
    """Make an old revision the newest draft. Customers see the live revision until the draft is published."""
    needs(request, "kb:write")
    article = article_with_id(article_id)
    check_may_write(person_of(request), article.collection)
    old = _numbered(article, request.POST.get("r", ""))
    save_draft(article.pk, Change(title=old.title, body=old.body), author=person_of(request))
    messages.success(
        request,
        gettext("Revision {number} is now the draft. Publish it so that customers can read it.").format(
            number=old.number
        ),
    )
    return redirect("admin:kb_article_change", article.pk)


def _numbered(article: Article, number: str) -> Revision:
    found = None
    if number.isascii() and number.isdigit() and len(number) < 10:
        found = Revision.objects.filter(article=article, number=int(number)).first()
    if found is None:
        raise NotFound()
    return found


def _chosen(rows: list[Revision], number: str) -> Revision:
    if not rows:
        raise NotFound()
    return next((row for row in rows if str(row.number) == number), rows[0])


def _other(article: Article, chosen: Revision) -> Revision | None:
    live = article.live_revision
    if live is not None and live.pk != chosen.pk:
        return live
    return Revision.objects.filter(article=article, number__lt=chosen.number).order_by("-number").first()


def _text(revision: Revision | None) -> str:
    if revision is None:
        return ""
    return f"# {revision.title}\n\n{revision.body}"


def _lines(revision: Revision | None) -> Any:
    return 0 if revision is None else revision.body.count("\n") + 1
