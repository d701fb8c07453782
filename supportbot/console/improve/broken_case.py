"""The page for a gate case that a change to articles has broken: what it expects, both answers, the changes, and an
edit that fixes it.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from kb.models import Article, Revision
from supportbot.console.articles.gate_check import gate_cases
from supportbot.console.improve.already_settled import settled
from supportbot.console.improve.edit import Choices, FindingEdit, Replayed, article_id_in, edit_context, handle
from supportbot.console.improve.listing import BROKEN, KINDS, MOST_NAMED
from supportbot.console.request_context import needs
from supportbot.console.text_diff import Row, compare
from supportbot.errors import NotFound
from supportbot.evals.articles.affected_questions import questions_quoting
from supportbot.evals.articles.article_gates import Failure
from supportbot.evals.articles.broken_cases import broken_now, dismiss_broken
from supportbot.evals.models import ArticleCheck, Case
from supportbot.evals.suite_formats.own_format import parse_case
from supportbot.insights.improve.services import Edit

FORMER: Final = "former"  # the query value for an edit that starts from the text before the change
Broken = tuple[ArticleCheck, dict[str, Any]]


def broken_case(request: HttpRequest, case: str) -> HttpResponse:
    """Show a case that has failed since articles changed, and handle the page's buttons."""
    person = needs(request, "kb:read")
    found = next((one for one in broken_now() if one[1]["case"] == case), None)
    if found is None:
        if request.method == "POST":
            return settled(request, BROKEN)
        raise NotFound()
    articles = _articles(*found)
    page = partial(_page, request, found, articles)
    if request.method != "POST":
        return page(_proposed(request, found[0], articles))
    work = FindingEdit(
        BROKEN,
        subjects=(),  # the case is listed until it passes
        questions=lambda: _questions(found[1], articles),
        dismiss=lambda reason: dismiss_broken(case, reason=reason, by=person.name),
        proposed=lambda: _proposed(request, found[0], articles),
    )
    answer = handle(request, work, page)
    if answer.status_code == 302 and request.POST.get("do") == "publish":
        messages.info(request, gettext("The case will run again shortly. It is listed until it passes."))
    return answer


def _page(
    request: HttpRequest,
    found: Broken,
    articles: Sequence[Article],
    edit: Edit,
    *,
    replayed: Sequence[Replayed] = (),
    failures: Sequence[Failure] = (),
) -> HttpResponse:
    check, failure = found
    choices: Choices = [(str(one.pk), one.title, one.pk == edit.article_id) for one in articles]
    edited = next((one for one in articles if one.pk == edit.article_id), None)
    former = _former(check, edited) if edited else None
    context = {
        **admin.site.each_context(request),
        "title": failure["question"],
        "kind": BROKEN,
        "kind_label": gettext(KINDS[BROKEN][0]),
        "failure": failure,
        "edited": edited,
        "former": former,
        "former_query": f"?article={edit.article_id}&text={FORMER}",
        "since": _since(edited, former),
        **edit_context(request, edit, choices, replayed, failures),
        "cases": gate_cases(request, [failure["case"], *(one.name for one in failures)]),
    }
    return render(request, "console/improve/broken_case.html", context)


def _articles(check: ArticleCheck, failure: dict[str, Any]) -> list[Article]:
    """Return at most `MOST_NAMED` of the articles that were checked: first those that the case expects as sources, then
    those whose text has changed.
    """
    sources = _sources(failure["case"])
    fields = ("pk", "external_id", "live_revision__number", "latest_revision__title")
    rows = Article.objects.filter(pk__in=check.articles).values_list(*fields)
    order = sorted(rows, key=lambda row: (row[1] not in sources, _former_number(check, row[0], row[2]) is None, row[3]))
    ids = [row[0] for row in order[:MOST_NAMED]]
    found = Article.objects.select_related("live_revision", "latest_revision").in_bulk(ids)
    return [found[pk] for pk in ids if pk in found]


def _sources(name: str) -> set[str]:
    """Return the ids of the articles that a case expects as sources, or none if the case has been deleted."""
    suite, _, key = name.partition(": ")
    stored = Case.objects.filter(suite__name=suite, key=key).first()
    case = parse_case(stored.document) if stored else None
    expected = [case.expect, *(step.expect for step in case.steps)] if case else []
    return {source for one in expected for source in one.get("source", ())}


def _former_number(check: ArticleCheck, article_id: UUID, live: int | None) -> int | None:
    """Return the number of the revision before the change; None if there was none or it is still live."""
    number: int | None = (check.former.get(str(article_id)) or {}).get("revision")
    return None if number == live else number


def _proposed(request: HttpRequest, check: ArticleCheck, articles: Sequence[Article]) -> Edit:
    """Return the newest text of the chosen article (by default, of the first one), or its text before the change."""
    article_id = article_id_in(request.POST.get("article") or request.GET.get("article", ""))
    article = next((one for one in articles if one.pk == article_id), articles[0] if articles else None)
    latest = article.latest_revision if article else None
    if article is None or latest is None:
        return Edit(None, "", "")
    former = _former(check, article) if request.GET.get("text") == FORMER else None
    shown = former or latest
    return Edit(article.pk, shown.title, shown.body, latest.number)


def _former(check: ArticleCheck, article: Article) -> Revision | None:
    """Return an article's text before the change; None if it had none or that text is still live."""
    live = article.live_revision
    number = _former_number(check, article.pk, live.number if live else None)
    if number is None:
        return None
    return Revision.objects.filter(article=article, number=number).first()


def _since(article: Article | None, former: Revision | None) -> list[Row]:
    """Return the differences between an article's former and current text."""
    live = article.live_revision if article else None
    return compare(former.body, live.body) if live and former else []


def _questions(failure: dict[str, Any], articles: Sequence[Article]) -> list[str]:
    """Return the questions to replay: first the case's own, then customers' questions whose answers quoted the
    articles.
    """
    quoting = [question for one in articles for question in questions_quoting(one.pk)]
    return list(dict.fromkeys([failure["question"], *quoting]))
