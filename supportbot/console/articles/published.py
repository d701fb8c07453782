"""What pages say after articles were published: which gate cases ran first, and who was told the former figures."""

from collections.abc import Iterable
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext

from kb.models import Article
from supportbot import team_formats as formats
from supportbot.console.articles.gates import Passed
from supportbot.evals.models import DraftCheck
from supportbot.insights.outdated_answers import KIND as RECALL
from supportbot.insights.outdated_answers import told_before


def tell_published(
    request: HttpRequest, former: Article, passed: Passed | None, comparison: DraftCheck | None = None
) -> None:
    """Tell that an article is published, given as it was before: after how many gate cases, and who was told what it no
    longer says. The `comparison` is linked to by pages other than the editor, which shows it.
    """
    told = gettext("Published. Customers can read it now.")
    if passed is not None and passed.played:
        proven = ngettext(
            "{number} gate case was run first, and it does not fail.",
            "{number} gate cases were run first, and none of them fails.",
            passed.played,
        )
        told = f"{told} {proven.format(number=passed.played)}"
    if comparison is not None:
        link = reverse("admin:article-check", args=[former.pk])
        told = format_html('{} <a href="{}">{}</a>', told, link, gettext("Customers' questions, before and after"))
    messages.success(request, told)
    tell_outdated(request, [former])


def tell_outdated(request: HttpRequest, former: Iterable[Article]) -> None:
    """Tell in how many conversations somebody was told a figure that a publication has changed.

    The articles are as they were before it, so that nobody is counted because of an earlier publication.
    """
    known = {article.pk: _told(article) for article in former}
    articles = Article.objects.filter(pk__in=list(known)).select_related("live_revision")
    number = len({conversation for article in articles for conversation, _ in _told(article) - known[article.pk]})
    if not number:
        return
    words = ngettext(
        "In {number} conversation, the customer was told a figure that has changed.",
        "In {number} conversations, customers were told figures that have changed.",
        number,
    )
    link = format_html('<a href="{}?kind={}">{}</a>', reverse("admin:improve"), RECALL, gettext("Outdated answers"))
    messages.warning(request, format_html("{} {}", words.format(number=formats.number(number)), link))


def _told(article: Article) -> set[tuple[UUID, str]]:
    return {(one.conversation, one.told) for one in told_before(article)}
