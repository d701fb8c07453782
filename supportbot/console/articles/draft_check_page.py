"""Check before publishing: which answers a draft changes, and which articles it contradicts or repeats."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext

from kb.access import check_may_write
from kb.draft_contradictions import findings
from kb.errors import ArticleChanged
from kb.models import Article
from kb.selectors import article_with_id
from kb.services import lock_unchanged, publish
from kb.validation import ArticleText
from supportbot.console.articles.comparisons import counts_of, shown_rows
from supportbot.console.articles.gate_check import (
    PUBLISHED_AGAINST_GATES,
    ArticleRefused,
    Passed,
    gate_cases,
    pass_gates,
    settle,
)
from supportbot.console.articles.publication_messages import show_published
from supportbot.console.request_context import needs, person_of, staff, workspace_here
from supportbot.evals.articles.article_gates import publishing_newest
from supportbot.evals.articles.draft_checks import (
    begin,
    broken_in,
    cancel,
    compared_in,
    is_current,
    newest_check,
    resume,
)
from supportbot.evals.articles.publication_comparison import compare_publication
from supportbot.language.detection import base_language
from supportbot.releases.selectors import gates
from supportbot.releases.services import OVERRIDE


def check_page(request: HttpRequest, article_id: UUID) -> HttpResponse:
    """Show what publishing the newest revision would change, as far as this has been checked.

    A POST starts, cancels or continues the check.
    """
    needs(request, "kb:write")
    article = article_with_id(article_id)
    if request.method == "POST":
        return _changed(request, article)
    return _page(request, article)


def _changed(request: HttpRequest, article: Article) -> HttpResponse:
    check_may_write(person_of(request), article.collection)
    check, do = newest_check(article), request.POST.get("do", "")
    if do == "cancel" and check is not None:
        cancel(check.pk)
    elif do == "continue" and check is not None:
        resume(check.pk)
    elif do == "begin":
        begin(article)
    return redirect("admin:article-check", article.pk)


def _page(request: HttpRequest, article: Article, refusal: ArticleRefused | None = None) -> HttpResponse:
    newest = article.latest_revision
    assert newest is not None, "an article is created together with its first revision"
    check = newest_check(article)
    wording = ArticleText(newest.title, newest.body)
    found = findings(wording, locale=base_language(article.locale), article_id=article.pk)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": gettext("Check before publishing"),
        "may_write": True,  # nobody else can open this page
        "has_gates": bool(gates()),
        "article": article,
        "check": check,
        "is_reloaded": check is not None and check.is_open and refusal is None,
        "played": len(check.rows) if check else 0,
        "total": len(check.items) if check and check.items is not None else None,
        "broken": broken_in(check) if check and refusal is None else [],
        "rows": shown_rows(compared_in(check)) if check else [],
        "counts": counts_of(check),
        "contradictions": found.contradictions,
        "duplicates": found.duplicates,
        "is_live_already": article.is_live and article.live_revision_id == article.latest_revision_id,
        "is_afterwards": check is not None and check.former is not None,
    }
    if refusal is not None:
        context |= {"refusal": refusal, "may_override": staff(request).may(OVERRIDE)}
    names = [one.name for one in refusal.failures] if refusal else [row["name"] for row in context["broken"]]
    context["cases"] = gate_cases(request, names)
    return render(request, "console/articles/check.html", context, status=refusal.status if refusal else 200)


def publish_checked(request: HttpRequest, article_id: UUID) -> HttpResponse:
    """Publish the checked revision, unless a newer one has been saved in the meantime or it does not pass the gates."""
    needs(request, "kb:write")
    article = article_with_id(article_id)
    check_may_write(person_of(request), article.collection)
    newest = article.latest_revision
    if newest is None or str(newest.number) != request.POST.get("revision"):
        raise ArticleChanged(gettext("A newer revision has been saved in the meantime. Check it, then publish it."))
    try:
        passed = _passed(request, article)
    except ArticleRefused as refusal:
        return _page(request, article, refusal)
    _publish(request, article, passed)
    show_published(request, article, passed)
    return redirect("admin:kb_article_change", article.pk)


def _passed(request: HttpRequest, article: Article) -> Passed:
    """Return the gates' result for the newest revision. Results of an earlier check are reused."""
    check = newest_check(article)
    if check is not None and is_current(check) and not broken_in(check):
        return Passed()
    override = request.POST.get("override", "")
    trial = publishing_newest(article)
    return pass_gates(trial, workspace=workspace_here(request), person=staff(request), override=override)


@transaction.atomic
def _publish(request: HttpRequest, article: Article, passed: Passed) -> None:
    """Publish the revision that the gates judged. Raises ArticleChanged if the article has changed since then."""
    lock_unchanged(article)
    publish(article.pk)
    settle(request, passed, article.pk, event=PUBLISHED_AGAINST_GATES)
    compare_publication(article.pk, article)
