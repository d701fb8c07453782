"""Messages after articles are published: which gate cases ran, and how many customers were given figures that are now
outdated.
"""

from collections.abc import Iterable
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext

from kb.models import Article
from supportbot import team_formats as formats
from supportbot.console.articles.gate_check import Passed
from supportbot.evals.models import DraftCheck
from supportbot.insights.improve.outdated_answers import KIND as RECALL
from supportbot.insights.improve.outdated_answers import given_before


def show_published(
    request: HttpRequest, former: Article, passed: Passed | None, comparison: DraftCheck | None = None
) -> None:
    """Say that an article is published, how many gate cases ran, and how many conversations contain outdated figures.

    `former` is the article before the publication. Pages other than the editor pass the `comparison`, so that the
    message links to it; the editor shows it on its own page.
    """
    text = gettext("Published. Customers can read it now.")
    if passed is not None and passed.played:
        proven = ngettext(
            "{number} gate case was run first, and it passed.",
            "{number} gate cases were run first, and all of them passed.",
            passed.played,
        )
        text = f"{text} {proven.format(number=passed.played)}"
    if comparison is not None:
        link = reverse("admin:article-check", args=[former.pk])
        text = format_html('{} <a href="{}">{}</a>', text, link, gettext("Customers' questions, before and after"))
    messages.success(request, text)
    show_outdated(request, [former])


def show_outdated(request: HttpRequest, former: Iterable[Article]) -> None:
    """Say in how many conversations a customer was given a figure that a publication has changed.

    `former` are the articles before the publication, so conversations affected by earlier publications are not counted.
    """
    known = {article.pk: _affected_now(article) for article in former}
    articles = Article.objects.filter(pk__in=list(known)).select_related("live_revision")
    number = len(
        {conversation for article in articles for conversation, _ in _affected_now(article) - known[article.pk]}
    )
    if not number:
        return
    words = ngettext(
        "In {number} conversation, the customer was told a figure that has since changed.",
        "In {number} conversations, customers were told figures that have since changed.",
        number,
    )
    link = format_html('<a href="{}?kind={}">{}</a>', reverse("admin:improve"), RECALL, gettext("Outdated answers"))
    messages.warning(request, format_html("{} {}", words.format(number=formats.number(number)), link))


def _affected_now(article: Article) -> set[tuple[UUID, str]]:
    return {(one.conversation, one.quoted) for one in given_before(article)}
