"""The help pages for search engines and other programs: sitemap, robots.txt, llms.txt and Markdown.

They contain only public articles, by the same rule as the pages. The files at the root describe a workspace only if the
installation has no other, since its list of workspaces is not public.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Final
from xml.sax.saxutils import escape

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from kb.access import Surface, Viewer, readable
from kb.article_urls import help_path
from kb.help_centre.article_lists import section_name, summary
from kb.help_centre.page_frame import Place, in_workspace
from kb.help_centre.slugs import help_article
from kb.models import Article
from supportbot.accounts.models import Workspace

MAX_ADDRESSES: Final = 50_000  # addresses in a sitemap, by the protocol
PUBLIC: Final = Viewer(surface=Surface.HELP_PAGES)
ROBOTS: Final = ["User-agent: *", *(f"Disallow: {part}" for part in ("/admin/", "/desk/", "/api/", "/chat/", "/*?q="))]
# The page marks of a file, which are of no use to readers.
_PAGE_MARK: Final = re.compile(r"^!\[\]\(#page=\d{1,4}\)\n?", re.MULTILINE)


@require_safe
@in_workspace
def sitemap(request: HttpRequest, place: Place) -> HttpResponse:
    """The addresses of the public articles that have a help page, with the day of their last change."""
    home = f"{settings.BASE_URL}/help/{place.workspace.slug}/"
    entries = "".join(
        f"<url><loc>{escape(_address(article))}</loc><lastmod>{_day(article)}</lastmod></url>\n"
        for article in _articles()
    )
    body = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n<url><loc>{escape(home)}</loc></url>\n'
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}{entries}</urlset>\n'
    return HttpResponse(document, content_type="application/xml; charset=utf-8")


@require_safe
@in_workspace
def llms(request: HttpRequest, place: Place) -> HttpResponse:
    """The public articles for language models, by section, each with the address of its Markdown (llmstxt.org)."""
    lines = [f"# {place.workspace.name}", ""]
    rows = sorted(_articles(), key=lambda article: (section_name(article).casefold(), article.external_id))
    for name, group in groupby(rows, key=section_name):
        lines += [f"## {name}", "", *(_entry(article) for article in group), ""]
    return _plain("\n".join(lines), "text/plain")


@require_safe
@in_workspace
def markdown(request: HttpRequest, place: Place, name: str) -> HttpResponse:
    """One public article as Markdown."""
    article = help_article(PUBLIC, name)
    revision = article.live_revision
    assert revision is not None, "a readable article is live"
    response = _plain(f"# {revision.title}\n\n{_PAGE_MARK.sub('', revision.body)}\n", "text/markdown")
    response.headers["Link"] = f'<{article.url or _address(article)}>; rel="canonical"'
    response.headers["Content-Language"] = article.locale
    return response


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """The rules for crawlers, and the sitemap of the only workspace."""
    named = [f"Sitemap: {settings.BASE_URL}/sitemap.xml"] if len(_workspaces()) == 1 else []
    return _plain("\n".join([*ROBOTS, *named, ""]), "text/plain")


def _of_the_only_workspace(view: Callable[..., HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def of_the_only_one(request: HttpRequest) -> HttpResponse:
        found = _workspaces()
        if len(found) != 1:
            raise Http404
        return view(request, found[0])

    return of_the_only_one


def _workspaces() -> Sequence[str]:
    return list(Workspace.objects.values_list("slug", flat=True)[:2])


def _articles() -> Iterable[Article]:
    rows = readable(PUBLIC).filter(url="").select_related("workspace", "collection", "live_revision")
    return rows.order_by("external_id")[:MAX_ADDRESSES].iterator(chunk_size=500)


def _address(article: Article) -> str:
    return f"{settings.BASE_URL}{help_path(article)}"


def _day(article: Article) -> str:
    assert article.live_revision is not None, "a readable article is live"
    return article.live_revision.created_at.date().isoformat()


def _entry(article: Article) -> str:
    assert article.live_revision is not None, "a readable article is live"
    title = article.live_revision.title.replace("[", "(").replace("]", ")")
    return f"- [{title}]({_address(article).removesuffix('/')}.md): {summary(article.live_revision.body)}"


def _plain(text: str, content_type: str) -> HttpResponse:
    return HttpResponse(text, content_type=f"{content_type}; charset=utf-8")


urls = [
    path("robots.txt", robots, name="robots"),
    path("sitemap.xml", _of_the_only_workspace(sitemap)),
    path("llms.txt", _of_the_only_workspace(llms)),
    path("help/<slug:workspace>/sitemap.xml", sitemap, name="help-sitemap"),
    path("help/<slug:workspace>/llms.txt", llms, name="help-llms"),
    path("help/<slug:workspace>/<path:name>.md", markdown, name="help-markdown"),
]
