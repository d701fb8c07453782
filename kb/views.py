"""The help centre: a list with search, and a page per article where a citation's link opens its passage.

Everyone may read these pages, so they show only public articles. They work without scripts. Lists are in the reader's
language, an article's page in the article's.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from itertools import groupby
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.text import Truncator
from django.utils.translation import get_language, get_language_info, override
from django.utils.translation.trans_real import parse_accept_lang_header

from kb.access import Viewer
from kb.addresses import article_address, help_path, passage_address
from kb.errors import ArticleMissing
from kb.models import Article, Revision
from kb.rendering import render_article
from kb.search import Passage, search
from kb.selectors import help_article, help_articles, help_locales, published_revision
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.counting import FailOpenThrottle
from supportbot.language.detection import base_language
from supportbot.language.plaintext import plain


@dataclass(frozen=True, slots=True)
class Language:
    """One entry of the language menu: its code, and its own name."""

    code: str
    name: str


def available_languages(locales: Iterable[str]) -> list[Language]:
    """Return the languages of these locales, sorted by name. `de` covers `de-at`."""
    codes = {base_language(locale) for locale in locales}
    return sorted((Language(code, _own_name(code)) for code in codes), key=lambda one: one.name.casefold())


def choose_language(request: HttpRequest, languages: Sequence[Language], fallback: str) -> str:
    """Return the first available language of: `?lang=`, the browser's languages, the fallback."""
    known = [one.code for one in languages]
    accepted = [code for code, _ in parse_accept_lang_header(request.headers.get("Accept-Language", ""))]
    for wanted in (request.GET.get("lang", ""), *accepted, fallback):
        if base_language(wanted) in known:
            return base_language(wanted)
    return known[0] if known else base_language(fallback)


def interface_language(language: str) -> str:
    """Return the language of the page's own texts: this one, or English if there is no translation."""
    return language if language in dict(settings.LANGUAGES) else "en"


def _own_name(code: str) -> str:
    try:
        name: str = get_language_info(code)["name_local"]
    except KeyError:
        return code.upper()
    return name[:1].upper() + name[1:]


class HelpSearchThrottle(FailOpenThrottle):
    scope = "help_search"
    rate = "30/min"

    def get_cache_key(self, request: HttpRequest, view: None = None) -> str:  # type: ignore[override]  # a plain page
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}  # type: ignore[arg-type]

    def seconds_to_wait(self, request: HttpRequest) -> int:
        """Count a search; return 0 if it may run, otherwise the seconds until the next one may."""
        if self.allow_request(request, None):  # type: ignore[arg-type]  # reads META only, as get_ident does
            return 0
        return max(1, round(self.wait() or 1))


MAX_QUERY_CHARACTERS = 300
# No article has such a name, and the database would refuse a NUL.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_PASSAGES = 24
MAX_HITS = 10

PUBLIC = Viewer()


@dataclass(frozen=True, slots=True)
class Place:
    """The context of a page: the workspace, the language, and the available languages."""

    workspace: Workspace
    language: str
    languages: Sequence[Language]


P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, Place, P], HttpResponse]


@dataclass(frozen=True, slots=True)
class Hit:
    """One article found, by its best passage."""

    title: str
    heading: str
    text: str
    href: str
    language: str


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    articles: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Citation:
    """The target of a link from a chat: a passage of a revision."""

    revision: int
    start: int
    end: int


def in_workspace(page: Page[P]) -> Callable[..., HttpResponse]:
    """Run a page in the workspace of its address; a missing or non-public article shows a friendly 404."""

    @wraps(page)
    def scoped(request: HttpRequest, workspace: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        found = Workspace.objects.filter(slug=workspace).first()
        if found is None:
            return _shown(request, None, "kb/not_found.html", {}, status=404)
        with workspace_scope(found.pk):
            place = _place(request, found)
            try:
                return page(request, place, *args, **kwargs)
            except ArticleMissing:
                return _shown(request, place, "kb/not_found.html", {}, status=404)

    return scoped


def _place(request: HttpRequest, workspace: Workspace) -> Place:
    languages = available_languages(help_locales(PUBLIC))
    return Place(workspace, choose_language(request, languages, workspace.locale), languages)


@in_workspace
def help_home(request: HttpRequest, place: Place) -> HttpResponse:
    """The articles in the reader's language by category, or search results."""
    query = request.GET.get("q", "").replace("\x00", "").strip()[:MAX_QUERY_CHARACTERS]
    if query:
        return _search_page(request, place, query)
    sections = _sections(help_articles(PUBLIC, place.language))
    return _shown(request, place, "kb/home.html", {"sections": sections})


def _search_page(request: HttpRequest, place: Place, query: str) -> HttpResponse:
    wait_seconds = HelpSearchThrottle().seconds_to_wait(request)
    if wait_seconds:
        context = {"query": query, "seconds": wait_seconds}
        answer = _shown(request, place, "kb/too_many.html", context, status=429)
        answer.headers["Retry-After"] = str(wait_seconds)
        return answer
    found = search(query, viewer=Viewer(locale=place.language), limit=MAX_PASSAGES)
    return _shown(
        request,
        place,
        "kb/search.html",
        {"query": query, "hits": _hits(found.passages), "is_sure": found.is_answerable},
    )


@in_workspace
def help_page(request: HttpRequest, place: Place, name: str) -> HttpResponse:
    """One article; `?r=REVISION&start=&end=` shows that revision with the passage highlighted."""
    if _CONTROL.search(name):
        raise ArticleMissing
    article = help_article(PUBLIC, name)
    live = article.live_revision
    assert live is not None, "a readable article is live"
    citation = _citation(request)
    quoted = published_revision(article, citation.revision) if citation else None
    revision = quoted or live
    passage = (citation.start, citation.end) if citation and quoted else None
    context = {
        "article": article,
        "revision": revision,
        "rendered": render_article(revision.title, revision.body, passage=passage),
        "current_href": "" if revision.pk == live.pk else help_path(article),
        "is_quote_missing": citation is not None and quoted is None,
        "minutes": _minutes(revision),
    }
    return _shown(request, replace(place, language=base_language(article.locale)), "kb/article.html", context)


def _shown(
    request: HttpRequest, place: Place | None, template: str, context: dict[str, object], *, status: int = 200
) -> HttpResponse:
    """Render a page in its place's language, or without a place in the browser's."""
    language = place.language if place else get_language() or "en"
    around = {
        "workspace": place.workspace if place else None,
        "reading": language,
        "languages": place.languages if place else (),
    }
    with override(interface_language(language)):
        answer = render(request, template, {**context, **around}, status=status)
    answer.headers["Content-Language"] = language
    return answer


def _citation(request: HttpRequest) -> Citation | None:
    """Return the passage in the address; None if its numbers are invalid."""
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
        best.setdefault(
            passage.article_id, Hit(passage.title, passage.heading, text, href, base_language(passage.locale))
        )
    return list(best.values())[:MAX_HITS]


def _sections(articles: Iterable[Article]) -> list[Section]:
    """Group by category, or by collection without one; sorted here, since the database sorts by bytes."""

    def section(article: Article) -> str:
        return article.category or article.collection.name

    def title(article: Article) -> str:
        return article.live_revision.title if article.live_revision else ""

    rows = sorted(articles, key=lambda article: (section(article).casefold(), title(article).casefold()))
    return [
        Section(name, tuple((title(article), article_address(article)) for article in group))
        for name, group in groupby(rows, key=section)
    ]


def _minutes(revision: Revision) -> int:
    """Return the reading time in minutes, at 220 words per minute."""
    return max(1, round(len(revision.body.split()) / 220))


urls = [
    path("help/<slug:workspace>/", help_home, name="help"),
    path("help/<slug:workspace>/<path:name>/", help_page, name="help-article"),
]
