"""The template context of the editor's page: the form's values and errors, the preview, and the state of the index."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from kb.access import restricted_collections
from kb.article_urls import article_address
from kb.collections import default_collection, default_name
from kb.errors import ArticleChanged
from kb.help_centre.reader_statistics import votes_of
from kb.indexing.models import Chunk
from kb.models import Article, Audience, Category, Collection
from kb.phrasings import phrasings_of, phrasings_waiting
from kb.rendering import render_article
from kb.reviews import writers
from kb.validation import SWITCHES
from supportbot.console.articles.comparisons import address_of, counts_of
from supportbot.console.articles.editor import help_page_fields, plan_fields, review_fields
from supportbot.console.articles.editor.autosave import FIELDS, kept_for
from supportbot.console.articles.editor.newer_values import sealed
from supportbot.console.articles.gate_check import OVERRIDE_FIELD, OVERRIDES, ArticleRefused, gate_cases
from supportbot.console.permissions import may
from supportbot.console.request_context import person_of, staff
from supportbot.errors import SupportBotError
from supportbot.evals.articles.article_gates import Failure
from supportbot.evals.articles.publication_comparison import newest_comparison
from supportbot.releases.selectors import gates
from supportbot.releases.services import OVERRIDE

# Longer texts would slow down the live preview; the article's own page shows the whole text.
MAX_PREVIEWED = 100_000


@dataclass(frozen=True, slots=True)
class EditorValues:
    """The values of the editor's fields, and the errors found when they were submitted."""

    values: dict[str, str]
    errors: dict[str, str]
    message: str = ""
    status: int = 200
    failures: tuple[Failure, ...] = ()  # the gates' reasons for refusing
    do: str = "publish"  # the refused step
    override: str = OVERRIDE_FIELD  # the field for the reason to override the refusal
    reasons: Mapping[str, str] = field(default_factory=dict)  # reasons for the other overrides, by field


def index_state(article: Article) -> dict[str, Any]:
    """Return how far the live revision has been indexed: whether search finds it, how many passages it has, how many of
    them have vectors, and how many phrasings still lack vectors.
    """
    live = article.live_revision
    if not article.is_live or live is None:
        return {"state": article.state, "is_searchable": False, "passages": 0, "done": 0, "phrasings": 0}
    rows = Chunk.objects.filter(article=article, revision_number=live.number)
    total, done = rows.count(), rows.filter(embedding__isnull=False).count()
    is_searchable = article.indexed_revision == live.number
    facts = {"state": article.state, "is_searchable": is_searchable, "passages": total, "done": done}
    return facts | {"phrasings": phrasings_waiting(article)}


def compared(article: Article | None) -> dict[str, Any]:
    """Return how the newest publication affects customers' questions; empty if it affects none.

    `together` is the number of articles that were compared at the same time. It is 0 after a publication in the
    console.
    """
    is_newest = article is not None and article.is_live and article.live_revision_id == article.latest_revision_id
    comparison = newest_comparison(article) if article is not None and is_newest else None
    if comparison is None or (comparison.state == "done" and not comparison.rows and not comparison.problem):
        return {"comparison": None}
    return {
        "comparison": comparison,
        "outcomes": counts_of(comparison),
        "answers_href": address_of(comparison),
        "together": len(comparison.articles or ()),
    }


def stored(article: Article) -> EditorValues:
    latest = article.latest_revision
    values = {
        "title": latest.title if latest else "",
        "body": latest.body if latest else "",
        "collection": str(article.collection_id),
        "audience": article.audience,
        "locale": article.locale,
        "category": article.category,
        "url": article.url,
        "external_id": article.external_id,
        **{name: "on" if getattr(article, name) else "" for name in SWITCHES},
        **plan_fields.times_of(article),
        **review_fields.values_of(article),
        **help_page_fields.values_of(article),
        "phrasings": "\n".join(phrasings_of(article)),
    }
    return EditorValues(values, {})


def refused(request: HttpRequest, refusal: SupportBotError) -> EditorValues:
    values = {name: request.POST.get(name, "") for name in FIELDS}
    errors = {name: " ".join(texts) for name, texts in refusal.fields.items()}
    failures = refusal.failures if isinstance(refusal, ArticleRefused) else ()
    asked = refusal.field if isinstance(refusal, ArticleRefused) else OVERRIDE_FIELD
    given = {name: request.POST.get(name, "") for name in OVERRIDES if name != asked}
    return EditorValues(
        values,
        errors,
        refusal.message,
        refusal.status,
        failures,
        request.POST.get("do", "publish"),
        asked,
        {name: reason for name, reason in given.items() if reason},
    )


def rendered(title: str, body: str) -> dict[str, Any]:
    shown = body[:MAX_PREVIEWED]
    rendered = render_article(title.strip(), shown)
    return {"title": title.strip(), "rendered": rendered, "is_cut": len(shown) < len(body)}


def page(request: HttpRequest, article: Article | None, typed: EditorValues) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": article.title if article else gettext("New article"),
        "article": article,
        "typed": typed,
        "may_write": may_write_here(request, article),
        "has_gates": bool(gates()),
        "may_override": staff(request).may(OVERRIDE),
        "cases": gate_cases(request, [one.name for one in typed.failures]),
        "based_on": _based_on_what(request, article, typed),
        "sealed": sealed(stored(article).values) if article else "",
        "address": article_address(article) if article else "",
        "origin_url": _web_address(article.origin) if article else "",
        "origin_source": article.source_item.source if article and article.source_item else None,
        "index": index_state(article) if article else None,
        "writers": writers(),
        "care": [*review_fields.shown_care(article), *help_page_fields.shown_age(article)] if article else (),
        "sources": help_page_fields.offered_sources(article),
        "plans": plan_fields.shown_plans(article) if article else (),
        "unsaved": kept_for(request, article, typed.values) if typed.status == 200 else None,
        "votes": votes_of(article) if article else None,
        "collections": _collections(article),
        "default_name": default_name(),
        "categories": Category.objects.all(),
        "audiences": Audience.choices,
        "preview": rendered(typed.values["title"], typed.values["body"]),
        **compared(article),
    }
    return render(request, "console/articles/editor.html", context, status=typed.status)


def _collections(article: Article | None) -> QuerySet[Collection]:
    """Return the collections to choose from. For a new article, they do not include the default collection."""
    found, default = Collection.objects.all(), default_collection()
    return found.exclude(pk=default.pk) if default and not article else found


def _web_address(origin: str) -> str:
    return origin if origin.startswith(("http://", "https://")) else ""


def may_write_here(request: HttpRequest, article: Article | None) -> bool:
    """Return whether the person may write articles at all, and in this article's collection."""
    is_closed = article is not None and article.collection_id in restricted_collections(person_of(request))
    return may(staff(request), "kb:write") and not is_closed


def _based_on_what(request: HttpRequest, article: Article | None, typed: EditorValues) -> int | str:
    """Return the revision that the next save is based on: the newest one if this page reports a conflict with it,
    otherwise the one that the person read.
    """
    newest = article.latest_revision.number if article and article.latest_revision else ""
    return newest if typed.status == ArticleChanged.status else request.POST.get("based_on") or newest
