"""The help centre: a list with search, and a plain page per article on which a citation's link opens its passage.

Everybody may read these pages, so they show what the public may read and nothing else. They work without scripts.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import wraps
from itertools import groupby
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.text import Truncator
from django.utils.translation import get_language

from kb.access import Viewer
from kb.addresses import article_address, help_path, passage_address
from kb.errors import ArticleMissing
from kb.models import Article, Revision
from kb.plaintext import plain
from kb.rendering import render_article
from kb.search import Passage, search
from kb.selectors import help_article, help_articles, published_revision
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope

MOST_QUERY_CHARACTERS = 300
MOST_PASSAGES = 24
MOST_HITS = 10

P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, Workspace, P], HttpResponse]


@dataclass(frozen=True, slots=True)
class Hit:
    """One article found, by its best passage."""

    title: str
    heading: str
    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Shelf:
    name: str
    articles: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a link from a chat points: a passage of a revision."""

    revision: int
    start: int
    end: int


def in_workspace(page: Page[P]) -> Callable[..., HttpResponse]:
    """Run a page inside the workspace of its address; what is not there, or not for everybody, is a friendly 404."""

    @wraps(page)
    def scoped(request: HttpRequest, workspace: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        found = Workspace.objects.filter(slug=workspace).first()
        with ExitStack() as scope:
            if found is not None:
                scope.enter_context(workspace_scope(found.pk))
                try:
                    return page(request, found, *args, **kwargs)
                except ArticleMissing:
                    pass
            return render(request, "kb/not_found.html", {"workspace": found}, status=404)

    return scoped


@in_workspace
def help_home(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """The articles by collection, or what a search finds."""
    query = request.GET.get("q", "").replace("\x00", "").strip()[:MOST_QUERY_CHARACTERS]
    if query:
        hits = _hits(search(query, viewer=_reader(), limit=MOST_PASSAGES).passages)
        return render(request, "kb/search.html", {"workspace": workspace, "query": query, "hits": hits})
    return render(request, "kb/home.html", {"workspace": workspace, "shelves": _shelves(help_articles(_reader()))})


@in_workspace
def help_page(request: HttpRequest, workspace: Workspace, name: str) -> HttpResponse:
    """One article; `?r=REVISION&start=&end=` shows that revision with the passage marked."""
    article = help_article(_reader(), name)
    live = article.live_revision
    assert live is not None, "a readable article is live"
    citation = _citation(request)
    quoted = published_revision(article, citation.revision) if citation else None
    revision = quoted or live
    passage = (citation.start, citation.end) if citation and quoted else None
    context = {
        "workspace": workspace,
        "article": article,
        "revision": revision,
        "rendered": render_article(revision.title, revision.body, passage=passage),
        "current_href": "" if revision.pk == live.pk else help_path(article),
        "came_for_more": citation is not None and quoted is None,
        "minutes": _minutes(revision),
    }
    return render(request, "kb/article.html", context)


def _reader() -> Viewer:
    return Viewer(locale=get_language())


def _citation(request: HttpRequest) -> Citation | None:
    """Return the passage an address names; one that is no number is no passage."""
    try:
        numbers = [int(request.GET.get(name, "")) for name in ("r", "start", "end")]
    except ValueError:
        return None
    return Citation(*numbers) if all(0 <= number < 2**31 for number in numbers) else None


def _hits(passages: Iterable[Passage]) -> list[Hit]:
    best: dict[object, Hit] = {}
    for passage in passages:
        href = passage_address(passage.url, passage.revision, passage.start, passage.end)
        text = Truncator(" ".join(plain(passage.text).split())).chars(220)
        best.setdefault(passage.article_id, Hit(passage.title, passage.heading, text, href))
    return list(best.values())[:MOST_HITS]


def _shelves(articles: Iterable[Article]) -> list[Shelf]:
    """Group by category, or by collection where an article has none; sorted here, since the database sorts by bytes."""

    def shelf(article: Article) -> str:
        return article.category or article.collection.name

    def title(article: Article) -> str:
        return article.live_revision.title if article.live_revision else ""

    rows = sorted(articles, key=lambda article: (shelf(article).casefold(), title(article).casefold()))
    return [
        Shelf(name, tuple((title(article), article_address(article)) for article in group))
        for name, group in groupby(rows, key=shelf)
    ]


def _minutes(revision: Revision) -> int:
    """Return how long the text takes to read, at 220 words a minute."""
    return max(1, round(len(revision.body.split()) / 220))


urls = [
    path("help/<slug:workspace>/", help_home, name="help"),
    path("help/<slug:workspace>/<path:name>/", help_page, name="help-article"),
]
