"""The help centre's lists of articles: by section, the newest, and the most read, and the summary of an article."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from django.utils.text import Truncator

from kb.article_urls import article_address
from kb.categories import LocalizedCategories, LocalizedCategory
from kb.help_centre.reader_statistics import read_most
from kb.models import Article
from supportbot.language.plain_text import plain

ON_A_CARD: Final = 4  # titles of a section on the start page
ON_A_PAGE: Final = 24  # titles of the only section
NEWEST: Final = 5
LEAST_READ: Final = 3  # articles that the list of most-read articles needs
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
        """Return the titles on the start page of a help centre without other sections."""
        return self.articles[:ON_A_PAGE]


def sections_of(articles: Iterable[Article], categories: LocalizedCategories) -> list[Section]:
    """Group by category, or by collection without one; sorted here, because the database sorts by bytes."""

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
    """Return the lists of the start page: the newest and the most read articles only if there are others, too."""
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
    """Return the heading under which an article is listed."""
    return article.category or article.collection.name
