"""What changed on which day: releases and articles that went live, to be read beside the figures of those days."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db.models import F
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext

from kb.models import Article, State
from supportbot.console.quality import Span
from supportbot.console.rights import may
from supportbot.releases.models import Release
from supportbot.team_formats import number

MOST_NAMED: Final = 3  # articles of one day; an import publishes hundreds


@dataclass(frozen=True, slots=True)
class Change:
    """A release or article that went live, with the link to it; without a link, a number of articles."""

    words: str
    href: str = ""


def changes_of(span: Span, person: Any) -> Mapping[date, Sequence[Change]]:
    """Return what went live on each day, as far as the person may read it. Of an article, only the newest publication
    is known.
    """
    found: defaultdict[date, list[Change]] = defaultdict(list)
    if may(person, "releases:read"):
        for release in Release.objects.filter(published_at__gte=span.since, published_at__lt=span.until):
            href = reverse("admin:releases_release_change", args=[release.pk])
            found[_day(release.published_at)].append(
                Change(str(gettext("Release {number}")).format(number=release.number), href)
            )
    if may(person, "kb:read"):
        for day, articles in _articles(span).items():
            found[day] += _named(articles)
    return found


def _articles(span: Span) -> Mapping[date, Sequence[Article]]:
    live = Article.objects.filter(state=State.LIVE, published_at__gte=span.since, published_at__lt=span.until)
    found: defaultdict[date, list[Article]] = defaultdict(list)
    for article in live.annotate(name=F("live_revision__title")).only("pk", "published_at").order_by("published_at"):
        found[_day(article.published_at)].append(article)
    return found


def _named(articles: Sequence[Any]) -> list[Change]:
    if len(articles) > MOST_NAMED:
        words = ngettext("{number} article", "{number} articles", len(articles))
        return [Change(words.format(number=number(len(articles))))]
    return [Change(one.name, reverse("admin:kb_article_change", args=[one.pk])) for one in articles]


def _day(at: Any) -> date:
    return localtime(at).date()
