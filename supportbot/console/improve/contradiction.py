"""The page for two articles that contradict each other: both passages, an edit that makes them agree, and a replay of
questions with the edit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from kb.models import Article
from kb.selectors import article_with_id
from kb.validation import ArticleText
from supportbot.console.improve.already_settled import settled
from supportbot.console.improve.edit import Choices, FindingEdit, Replayed, article_id_in, edit_context, handle
from supportbot.console.improve.listing import KINDS, ContradictingSide, sides_of
from supportbot.console.request_context import needs, person_of
from supportbot.errors import NotFound
from supportbot.evals.articles.affected_questions import questions_about, questions_quoting
from supportbot.evals.articles.article_gates import Failure
from supportbot.insights.improve.contradictions import KIND, Contradiction, contradiction_with
from supportbot.insights.improve.proposed_edits import agreeing
from supportbot.insights.improve.services import Edit, dismiss

MOST_AROUND: Final = 600  # characters of a passage before and after its sentence


@dataclass(frozen=True, slots=True)
class Passage:
    """One side of a contradiction: the article, the sentence with the differing figures marked, and the text
    around it.
    """

    article: Article
    side: ContradictingSide
    before: str
    behind: str


def contradiction(request: HttpRequest, subject: UUID) -> HttpResponse:
    """Show two sentences that contradict each other, and handle the page's buttons."""
    needs(request, "kb:read")
    try:
        pair = contradiction_with(subject)
        articles = [article_with_id(pair.one.article), article_with_id(pair.other.article)]
    except NotFound:
        if request.method == "POST":
            return settled(request, KIND)
        raise
    page = partial(_page, request, pair, articles)
    if request.method != "POST":
        return page(_proposed(request, pair, articles))
    work = FindingEdit(
        KIND,
        # Publishing the text removes the pair. A pair that is still there has not been dealt with.
        subjects=(),
        questions=lambda: _questions(articles),
        dismiss=lambda reason: dismiss(KIND, [subject], reason=reason, person=person_of(request)),
        proposed=lambda: _proposed(request, pair, articles),
    )
    return handle(request, work, page)


def _page(
    request: HttpRequest,
    pair: Contradiction,
    articles: Sequence[Article],
    edit: Edit,
    *,
    replayed: Sequence[Replayed] = (),
    failures: Sequence[Failure] = (),
) -> HttpResponse:
    one, other = sides = sides_of(pair)
    choices: Choices = [(str(article.pk), article.title, article.pk == edit.article_id) for article in articles]
    context = {
        **admin.site.each_context(request),
        "title": gettext("{one} or {other}?").format(one=one.figures, other=other.figures),
        "kind": KIND,
        "kind_label": gettext(KINDS[KIND][0]),
        "passages": [_passage(article, side) for article, side in zip(articles, sides, strict=True)],
        **edit_context(request, edit, choices, replayed, failures),
    }
    return render(request, "console/improve/contradiction.html", context)


def _proposed(request: HttpRequest, pair: Contradiction, articles: Sequence[Article]) -> Edit:
    """Return an edit of the chosen article that makes the two agree. If none was chosen, edit the one published
    earlier.
    """
    article_id = article_id_in(request.POST.get("article") or request.GET.get("article", ""))
    older = min(articles, key=lambda one: one.published_at.timestamp() if one.published_at else 0.0)
    return agreeing(pair, next((one for one in articles if one.pk == article_id), older))


def _questions(articles: Sequence[Article]) -> list[str]:
    """Return the questions to replay: those whose answers quoted one of the articles or, if there are none, the most
    similar ones.
    """
    quoting = [question for one in articles for question in questions_quoting(one.pk)]
    return list(dict.fromkeys(quoting or (question for one in articles for question in _near(one))))


def _near(article: Article) -> list[str]:
    live = article.live_revision
    return questions_about(None, ArticleText(live.title, live.body)) if live else []


def _passage(article: Article, side: ContradictingSide) -> Passage:
    live, sentence = article.live_revision, side.statement.text
    paragraphs = (" ".join(one.split()) for one in (live.body if live else "").split("\n\n"))
    before, _, behind = next((one for one in paragraphs if sentence in one), "").partition(sentence)
    return Passage(article, side, before[-MOST_AROUND:], behind[:MOST_AROUND])
