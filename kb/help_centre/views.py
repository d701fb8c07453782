"""The help centre: a start page with search, and a page per article, where a citation's link opens the cited passage.

Everyone may read these pages, so they show only public articles. They work without scripts; with scripts, they also
have the chat, and the assistant's answer above search results. Lists are in the reader's language, and an article's
page is in the article's language.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from kb.article_urls import article_address, help_path
from kb.categories import LocalizedCategories
from kb.errors import ArticleMissing
from kb.help_centre.article_lists import (
    help_articles,
    lists_on_start_page,
    related,
    section_name,
    sections_of,
    summary,
    translations_of,
)
from kb.help_centre.page_frame import PUBLIC, Place, in_workspace, own_name, show
from kb.help_centre.reader_statistics import count_read, count_vote
from kb.help_centre.search_page import MAX_QUERY_CHARACTERS, HelpSearchThrottle, search_page
from kb.help_centre.slugs import help_article
from kb.models import Article, Revision
from kb.relative_links import resolver
from kb.rendering import render_article
from kb.revisions import published_revision
from supportbot.accounts.branding import theme_colours
from supportbot.formats import format_day
from supportbot.language.detection import base_language
from supportbot.rate_counters import count
from supportbot.translation import language_of

# No article has a name with these characters, and the database would reject a NUL.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Citation:
    """The target of a link from a chat: a passage of a revision."""

    revision: int
    start: int
    end: int


@in_workspace
def help_home(request: HttpRequest, place: Place) -> HttpResponse:
    """The start page: one card per section with the articles in the reader's language. Its address can also ask for one
    section as a list, or for search results.
    """
    query = request.GET.get("q", "").replace("\x00", "").strip()[:MAX_QUERY_CHARACTERS]
    if query:
        return search_page(request, place, query)
    articles, categories = list(help_articles(PUBLIC, place.language)), LocalizedCategories(place.language)
    sections, asked = sections_of(articles, categories), request.GET.get("section", "")
    wanted = next((one for one in sections if one.category.name == asked), None)
    if wanted is None and (renamed := categories.renamed(asked)):
        return redirect(f"{request.path}?{urlencode({'lang': place.language, 'section': renamed})}")
    if wanted is not None:
        return show(request, place, "kb/section.html", {"section": wanted})
    context = {
        **lists_on_start_page(articles, sections),
        "has_categories": any(article.category for article in articles),
        "often_asked": place.channel.suggestions_in(place.language) if place.channel else (),
    }
    return show(request, place, "kb/home.html", context)


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
    return show(request, replace(place, language=base_language(article.locale)), "kb/article.html", context)


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
    return {"code": code, "name": own_name(code), "href": address, "absolute": absolute}


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


def _citation(request: HttpRequest) -> Citation | None:
    """Return the passage that the address refers to; None if its numbers are invalid."""
    try:
        numbers = [int(request.GET.get(name, "")) for name in ("r", "start", "end")]
    except ValueError:
        return None
    return Citation(*numbers) if all(0 <= number < 2**31 for number in numbers) else None


def _minutes(revision: Revision) -> int:
    """Return the reading time in minutes, at 220 words per minute."""
    return max(1, round(len(revision.body.split()) / 220))


urls = [
    path("help/<slug:workspace>/", help_home, name="help"),
    path("help/<slug:workspace>/theme.css", help_theme, name="help-theme"),
    path("help/<slug:workspace>/<path:name>/helped", help_vote, name="help-vote"),
    path("help/<slug:workspace>/<path:name>/", help_page, name="help-article"),
]
