"""The help centre: a start page with search, and a page per article, on which a citation's link opens the cited
passage.

Everyone may read these pages, so they show only public articles. They work without scripts; with scripts, they also
have the chat, and the assistant's answer above search results. Lists are in the reader's language, and an article's
page is in the article's language.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Concatenate, Final, ParamSpec
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.text import Truncator
from django.utils.translation import get_language, get_language_info, override
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from kb.access import Surface, Viewer
from kb.article_urls import article_address, help_path, passage_address
from kb.categories import LocalizedCategories
from kb.errors import ArticleMissing
from kb.help_centre.article_lists import (
    help_articles,
    help_locales,
    lists_on_start_page,
    related,
    section_name,
    sections_of,
    summary,
    translations_of,
)
from kb.help_centre.reader_statistics import count_read, count_vote
from kb.help_centre.slugs import help_article
from kb.models import Article, Revision
from kb.relative_links import resolver
from kb.rendering import render_article
from kb.revisions import published_revision
from kb.search import Passage, search
from supportbot.accounts.branding import theme_colours
from supportbot.accounts.business_hours import hours_of
from supportbot.accounts.logos import logo_path, logo_url
from supportbot.accounts.models import Channel, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.content_security_policy import POLICY, socket_origin
from supportbot.formats import format_day
from supportbot.language.detection import base_language
from supportbot.language.plain_text import plain
from supportbot.rate_counters import FailOpenThrottle, count
from supportbot.translation import language_of


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
    """Return the first available language: `?lang=`, then one of the browser's languages, then the fallback."""
    known = [one.code for one in languages]
    accepted = [code for code, _ in parse_accept_lang_header(request.headers.get("Accept-Language", ""))]
    for wanted in (request.GET.get("lang", ""), *accepted, fallback):
        if base_language(wanted) in known:
            return base_language(wanted)
    return known[0] if known else base_language(fallback)


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
# No article has a name with these characters, and the database would reject a NUL.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_PASSAGES = 24
# The share of the best score below which a passage is left out if there is an answer and the question has only one
# part. The answer to another part of a long question may be further down. On the demo's 190 questions, the lists become
# half as long and lose none of 199 right articles; the lists for 271 questions about sentences in files lose none
# either.
LEAST_SHARE = 0.2
MAX_HITS = 10
_DAY_SECONDS: Final = 86_400

PUBLIC = Viewer(surface=Surface.HELP_PAGES)


@dataclass(frozen=True, slots=True)
class Place:
    """The context of a page: the workspace, the language, and the available languages."""

    workspace: Workspace
    language: str
    languages: Sequence[Language]
    channel: Channel | None = None  # the channel whose chat the pages show


P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, Place, P], HttpResponse]


@dataclass(frozen=True, slots=True)
class Hit:
    """An article in the results, shown by its best passage."""

    title: str
    heading: str
    text: str
    href: str
    language: str


@dataclass(frozen=True, slots=True)
class Citation:
    """The target of a link from a chat: a passage of a revision."""

    revision: int
    start: int
    end: int


def in_workspace(page: Page[P]) -> Callable[..., HttpResponse]:
    """Run a page's view in the workspace of its address, with a friendly 404 for a missing or non-public article."""

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
    channel = Channel.objects.filter(is_live=True).order_by("created_at", "pk").first()
    return Place(workspace, choose_language(request, languages, workspace.locale), languages, channel)


@in_workspace
def help_home(request: HttpRequest, place: Place) -> HttpResponse:
    """The start page: one card per section with the articles in the reader's language. Its address can also ask for one
    section as a list, or for search results.
    """
    query = request.GET.get("q", "").replace("\x00", "").strip()[:MAX_QUERY_CHARACTERS]
    if query:
        return _search_page(request, place, query)
    articles, categories = list(help_articles(PUBLIC, place.language)), LocalizedCategories(place.language)
    sections, asked = sections_of(articles, categories), request.GET.get("section", "")
    wanted = next((one for one in sections if one.category.name == asked), None)
    if wanted is None and (renamed := categories.renamed(asked)):
        return redirect(f"{request.path}?{urlencode({'lang': place.language, 'section': renamed})}")
    if wanted is not None:
        return _shown(request, place, "kb/section.html", {"section": wanted})
    context = {
        **lists_on_start_page(articles, sections),
        "has_categories": any(article.category for article in articles),
        "often_asked": place.channel.suggestions_in(place.language) if place.channel else (),
    }
    return _shown(request, place, "kb/home.html", context)


def _search_page(request: HttpRequest, place: Place, query: str) -> HttpResponse:
    wait_seconds = HelpSearchThrottle().seconds_to_wait(request)
    if wait_seconds:
        context = {"query": query, "seconds": wait_seconds}
        answer = _shown(request, place, "kb/too_many.html", context, status=429)
        answer.headers["Retry-After"] = str(wait_seconds)
        return answer
    found = search(query, viewer=replace(PUBLIC, locale=place.language), limit=MAX_PASSAGES)
    shown = _near_the_best(found.passages) if found.is_answerable and found.parts == 1 else found.passages
    context = {"query": query, "hits": _hits(shown), "is_sure": found.is_answerable}
    return _shown(request, place, "kb/search.html", context)


def _near_the_best(passages: Sequence[Passage]) -> list[Passage]:
    return [passage for passage in passages if passage.score >= LEAST_SHARE * passages[0].score]


@in_workspace
def help_page(request: HttpRequest, place: Place, name: str) -> HttpResponse:
    """One article; `?r=REVISION&start=&end=` shows that revision with the passage highlighted."""
    if _CONTROL.search(name):
        raise ArticleMissing
    article = help_article(PUBLIC, name)
    if article.slug and name != article.slug:
        query = request.META.get("QUERY_STRING", "")
        return redirect(
            f"{help_path(article)}{'?' if query else ''}{query}"
        )  # not permanent: an article may take a former name again
    live = article.live_revision
    assert live is not None, "a readable article is live"
    citation = _citation(request)
    quoted = published_revision(article, citation.revision) if citation else None
    revision = quoted or live
    passage = (citation.start, citation.end) if citation and quoted else None
    is_current = revision.pk == live.pk
    _count_read(request, article)
    context = {
        "article": article,
        "canonical": article.url or f"{settings.BASE_URL}{help_path(article)}",
        "description": summary(live.body),
        "category": LocalizedCategories(base_language(article.locale)).of(section_name(article)),
        "translations": [_translation(row) for row in translations_of(article, PUBLIC)],
        "related": [(row.title, article_address(row)) for row in related(article, PUBLIC)],
        "thanks": request.GET.get("helped", ""),
        "revision": revision,
        "rendered": render_article(
            revision.title, revision.body, passage=passage, addresses_of=resolver(article, PUBLIC)
        ),
        "current_href": "" if is_current else help_path(article),
        "is_quote_missing": citation is not None and quoted is None,
        "minutes": _minutes(revision),
        "day": format_day(revision.created_at.date(), language_of(base_language(article.locale))),
    }
    return _shown(request, replace(place, language=base_language(article.locale)), "kb/article.html", context)


def _count_read(request: HttpRequest, article: Article) -> None:
    """Count a reader once a day per IP address. Only browsers are counted: they send Sec-Fetch-Dest, while most
    crawlers and tools do not.
    """
    if request.method != "GET" or request.headers.get("Sec-Fetch-Dest") != "document":
        return
    if count(f"read:{article.pk}:{_address_hash(request)}", seconds=_DAY_SECONDS) == 1:
        count_read(article)


def _address_hash(request: HttpRequest) -> str:
    return hashlib.sha256(HelpSearchThrottle().get_ident(request).encode()).hexdigest()  # type: ignore[arg-type]


def _translation(article: Article) -> dict[str, str]:
    code, address = base_language(article.locale), article_address(article)
    absolute = f"{settings.BASE_URL}{address}" if address.startswith("/") else address
    return {"code": code, "name": _own_name(code), "href": address, "absolute": absolute}


@csrf_exempt  # anyone may vote, and only a count changes
@require_POST
@in_workspace
def help_vote(request: HttpRequest, place: Place, name: str) -> HttpResponse:
    """Count whether an article helped, at most once a day for each IP address, and show the article again."""
    if _CONTROL.search(name):
        raise ArticleMissing
    article, answer = help_article(PUBLIC, name), request.POST.get("helped", "")
    is_ours = request.headers.get("Sec-Fetch-Site", "same-origin") in {"same-origin", "none"}
    if is_ours and answer in {"yes", "no"}:
        if count(f"helped:{article.pk}:{_address_hash(request)}", seconds=_DAY_SECONDS) <= 1:
            count_vote(article, is_helpful=answer == "yes")
        return redirect(f"{help_path(article)}?helped={answer}#helped")
    return redirect(help_path(article))


@require_safe
@in_workspace
def help_theme(request: HttpRequest, place: Place) -> HttpResponse:
    """The workspace's colour as a style sheet, since the pages' content security policy allows no inline styles."""
    colours = theme_colours(place.workspace.accent)
    # The launcher is shown before the chat has given it the channel's colour.
    light, dark = (_declarations(colours.get(name) or {}) for name in ("light", "dark"))
    text = f"html:root[data-theme] {{ {light} }}\n"
    text += f"@media screen and (prefers-color-scheme: dark) {{ html:root[data-theme] {{ {dark} }} }}\n"
    text += "support-bot { --sb-accent: var(--accent-solid); --sb-on-accent: var(--on-accent); }\n"
    response = HttpResponse(text, content_type="text/css; charset=utf-8")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"  # its address contains the colour
    return response


def _declarations(colours: Mapping[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())


def _shown(
    request: HttpRequest, place: Place | None, template: str, context: dict[str, object], *, status: int = 200
) -> HttpResponse:
    """Render a page in the language of its place or, if it has none, in the browser's."""
    language = place.language if place else get_language() or "en"
    around = {"reading": language, "languages": (), **(_around(place) if place else {})}
    with override(language_of(language)):
        answer = render(request, template, {**context, **around}, status=status)
    answer.headers["Content-Language"] = language
    if place and place.channel:
        # Not every browser treats a socket on the same host as 'self'.
        answer.headers["Content-Security-Policy"] = f"{POLICY}; connect-src 'self' {socket_origin(request)}"
    return answer


def _around(place: Place) -> dict[str, object]:
    """Return the content that every page of a workspace shows: branding, languages and chat."""
    workspace, logo = place.workspace, logo_path(place.workspace)
    hours = hours_of(place.channel.hours) if place.channel else None
    return {
        "workspace": workspace,
        "languages": place.languages,
        "channel": place.channel,
        "hours": hours.in_words(language_of(place.language), workspace.zone) if hours else "",
        "logo": logo,
        "logo_url": logo_url(workspace),
        "home_url": f"{settings.BASE_URL}{reverse('help', args=[workspace.slug])}",
    }


def _citation(request: HttpRequest) -> Citation | None:
    """Return the passage to which the address refers; None if its numbers are invalid."""
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


def _minutes(revision: Revision) -> int:
    """Return the reading time in minutes, at 220 words per minute."""
    return max(1, round(len(revision.body.split()) / 220))


urls = [
    path("help/<slug:workspace>/", help_home, name="help"),
    path("help/<slug:workspace>/theme.css", help_theme, name="help-theme"),
    path("help/<slug:workspace>/<path:name>/helped", help_vote, name="help-vote"),
    path("help/<slug:workspace>/<path:name>/", help_page, name="help-article"),
]
