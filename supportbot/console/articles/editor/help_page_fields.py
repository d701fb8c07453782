"""Two fields of the editor, for the help page's name and for the article that this one translates, and the page that
lists broken links.
"""

from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from kb.help_centre.broken_links import broken_links
from kb.help_centre.slugs import check_free_slug, rename
from kb.models import Article
from kb.translations import check_source, is_older, sources_for, translate
from supportbot.console.request_context import needs

FIELDS: Final = ("slug", "translation_of")


def wanted(request: HttpRequest, article: Article | None) -> dict[str, Any]:
    """Return the validated fields, or none if the form lacks them. Raises InvalidDocument."""
    if "slug" not in request.POST:
        return {}
    slug = check_free_slug(request.POST["slug"], article=article)
    source = request.POST.get("translation_of", "").replace("\x00", "").strip()
    return {"slug": slug, "translation_of": _source(source, article)}


def settle(article: Article, facts: dict[str, Any]) -> None:
    """Store these fields of a saved article."""
    if facts:
        rename(article, facts["slug"])
        translate(article, facts["translation_of"])


def values_of(article: Article) -> dict[str, str]:
    source = article.translation_of
    return {"slug": article.slug, "translation_of": source.external_id if source else ""}


def shown_age(article: Article) -> list[tuple[str, str]]:
    """Return a tag for a translation whose source has changed since."""
    return [("warn", gettext("Older than its source"))] if is_older(article) else []


def offered_sources(article: Article | None) -> list[tuple[str, str]]:
    """Return the articles that this one could be a translation of, as (external id, title)."""
    return [(one.external_id, one.title) for one in sources_for(article)]


def links_page(request: HttpRequest) -> HttpResponse:
    """Show the links in live articles that lead to help pages nobody can open."""
    needs(request, "kb:read")
    context = {**admin.site.each_context(request), "title": gettext("Broken links"), "broken": broken_links()}
    return render(request, "console/articles/broken_links.html", context)


def _source(external_id: str, article: Article | None) -> Article | None:
    if not external_id:
        return None
    return check_source(Article.objects.filter(external_id=external_id).first(), article)
