"""The help centre's lists of articles (sections, newest, most read, related articles, translations), and the summary of
an article.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final
from uuid import UUID

from django.core.cache import cache
from django.db.models import Q, QuerySet
from django.utils.text import Truncator

from kb.access import Viewer, readable
from kb.article_urls import article_address
from kb.categories import LocalizedCategories, LocalizedCategory
from kb.help_centre.reader_statistics import read_most
from kb.indexing.models import Chunk
from kb.models import Article
from kb.search.candidates import EXACT_UP_TO, approximate_neighbours, exact_neighbours, mean_vector, open_scope
from supportbot.language.detection import base_language
from supportbot.language.plain_text import plain
from supportbot.rate_counters import CACHE_AWAY

MOST_RELATED: Final = 4
_NEIGHBOURS: Final = 60
_RELATED_KEPT_SECONDS: Final = 3_600
ON_A_CARD: Final = 4  # titles of a section on the start page
ON_A_PAGE: Final = 24  # titles of the only section
NEWEST: Final = 5
LEAST_READ: Final = 3  # articles; a shorter list of the most-read ones is not shown
DESCRIPTION_CHARACTERS: Final = 155  # the length that search engines show
_READ: Final = 1_000

Entries = Sequence[tuple[str, str]]  # (title, address)


@dataclass(frozen=True, slots=True)
class Section:
    """The articles under one heading; `shown` are those on its card, none if the section has a description."""

    category: LocalizedCategory
    articles: Entries

    @property
    def shown(self) -> Entries:
        if self.category.description:
            return ()
        return self.articles if len(self.articles) <= ON_A_CARD + 1 else self.articles[:ON_A_CARD]

    @property
    def shown_alone(self) -> Entries:
        """Return the titles to show on the start page if the help centre has no other section."""
        return self.articles[:ON_A_PAGE]


def sections_of(articles: Iterable[Article], categories: LocalizedCategories) -> list[Section]:
    """Return the articles in sections: by category or, if they have none, by collection. They are sorted here, because
    the database would sort them by bytes.
    """

    def title(article: Article) -> str:
        return article.live_revision.title if article.live_revision else ""

    def category(article: Article) -> LocalizedCategory:
        return categories.of(section_name(article))

    rows = sorted(
        articles, key=lambda article: (category(article).place, category(article).name, title(article).casefold())
    )
    return [
        Section(one, tuple((title(article), article_address(article)) for article in group))
        for one, group in groupby(rows, key=category)
    ]


def lists_on_start_page(articles: Sequence[Article], sections: Sequence[Section]) -> dict[str, object]:
    """Return the lists of the start page. The newest and the most-read articles are listed only if the help centre has
    more articles than such a list shows.
    """
    only = sections[0] if len(sections) == 1 else None
    lists: dict[str, object] = {"sections": sections, "only": only}
    if len(articles) > NEWEST:
        lists["read_most"] = most_read(articles)
    if len(articles) > (len(only.shown_alone) if only else NEWEST):
        lists["newest"] = newest(articles)
    return lists


def newest(articles: Sequence[Article]) -> Entries:
    """Return the most recently changed articles."""
    changed = sorted(articles, key=lambda article: article.live_revision_id or article.pk, reverse=True)
    return _entries(changed[:NEWEST])


def most_read(articles: Sequence[Article]) -> Entries:
    """Return the articles read most this week; none if too few were read."""
    known = {article.pk: article for article in articles}
    ids = read_most(known, most=NEWEST)
    return _entries(known[key] for key in ids) if len(ids) >= LEAST_READ else ()


def _entries(articles: Iterable[Article]) -> Entries:
    return [(row.live_revision.title, article_address(row)) for row in articles if row.live_revision is not None]


def summary(body: str) -> str:
    """Return the beginning of an article's text for search engines and previews of links."""
    return Truncator(" ".join(plain(body[:_READ]).split())).chars(DESCRIPTION_CHARACTERS)


def section_name(article: Article) -> str:
    """Return the heading that an article is listed under."""
    return article.category or article.collection.name


def help_articles(viewer: Viewer, language: str) -> QuerySet[Article]:
    """Return the articles that the viewer may read in a language (`de` includes `de-at`), for a list of titles."""
    rows = readable(viewer).filter(Q(locale=language) | Q(locale__startswith=f"{language}-"))
    return rows.select_related("workspace", "collection", "live_revision").defer("live_revision__body")


def help_locales(viewer: Viewer) -> list[str]:
    """Return the locales of the articles that the viewer may read."""
    return list(readable(viewer).order_by().values_list("locale", flat=True).distinct())


def translations_of(article: Article, viewer: Viewer) -> list[Article]:
    """Return the translations of an article that the viewer may read, sorted by language."""
    source = article.translation_of_id or article.pk
    others = Q(pk=source) | Q(translation_of=source)
    rows = readable(viewer).filter(others).exclude(pk=article.pk).select_related("workspace", "live_revision")
    return list(rows.defer("live_revision__body").order_by("locale", "pk"))


def related(article: Article, viewer: Viewer) -> list[Article]:
    """Return up to four other articles in the same language that the viewer may read, nearest in meaning first."""
    ids = _nearest_to(article, viewer)
    rows = readable(viewer).filter(pk__in=ids).select_related("workspace", "collection", "live_revision")
    found = {row.pk: row for row in rows.defer("live_revision__body")}
    return [found[key] for key in ids if key in found][:MOST_RELATED]


def _nearest_to(article: Article, viewer: Viewer) -> Sequence[UUID]:
    """Return the ids of the nearest articles. They are cached for an hour, so callers must check again who may read
    them.
    """
    key = f"related:{article.pk}:{article.indexed_revision}:{viewer.audience}:{viewer.surface}"
    try:
        known = cache.get(key)
        if known is None:
            known = _measured_neighbours(article, viewer)
            cache.set(key, known, timeout=_RELATED_KEPT_SECONDS)
    except CACHE_AWAY:
        return _measured_neighbours(article, viewer)
    return list(known)


def _measured_neighbours(article: Article, viewer: Viewer) -> list[UUID]:
    scope, _ = open_scope(viewer)
    chunks = Chunk.objects.filter(article=article, recipe=scope.recipe, embedding__isnull=False)
    vector = mean_vector(scope, list(map(str, chunks.values_list("pk", flat=True))))
    if not vector:
        return []
    is_small = Chunk.objects.filter(recipe=scope.recipe)[: EXACT_UP_TO + 1].count() <= EXACT_UP_TO
    scan = exact_neighbours if is_small else approximate_neighbours
    near = scan(scope, vector, limit=_NEIGHBOURS)
    language = base_language(article.locale)
    others = (one.article_id for one in near if base_language(one.locale) == language)
    found = (UUID(key) for key in dict.fromkeys(others) if key is not None)
    return [key for key in found if key != article.pk][: 2 * MOST_RELATED]
