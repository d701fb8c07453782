"""The editor: the article's text on one side, what customers will see on the other.

It works as a plain form. Its script adds the live preview, keeps unsaved words in the browser, and follows a published
article until it is searchable.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from kb.addresses import article_address
from kb.collections import check_may_write, default_collection, restricted_collections
from kb.documents import MAX_BODY_CHARACTERS, MAX_TITLE_CHARACTERS
from kb.errors import ArticleChanged, CollectionMissing
from kb.models import Article, Audience, Chunk, Collection
from kb.rendering import render_article
from kb.selectors import article_with_id, collection_with_id
from kb.services import Change, archive, create_article, publish, save_draft
from supportbot.console.entry import needs, person_of, staff
from supportbot.console.rights import may
from supportbot.errors import InvalidInput, SupportBotError

# Longer texts would make the live preview slow; the article's page shows all of it.
MOST_PREVIEWED = 100_000
FIELDS = ("title", "body", "collection", "audience", "locale", "category", "url", "external_id")


@dataclass(frozen=True, slots=True)
class Typed:
    """The values of the editor's fields, and what was wrong with them when submitted."""

    values: dict[str, str]
    errors: dict[str, str]
    message: str = ""
    status: int = 200


def new_article(request: HttpRequest) -> HttpResponse:
    """Show the editor for a new article; nothing is stored until it is saved."""
    needs(request, "kb:write")
    if request.method != "POST":
        values = dict.fromkeys(FIELDS, "") | {"audience": Audience.PUBLIC, "title": request.GET.get("title", "")[:300]}
        return _page(request, None, Typed(values, {}))
    external_id, author = request.POST.get("external_id", "").strip(), person_of(request)
    try:
        with transaction.atomic():
            change = _change(request)
            check_may_write(author, change.collection or default_collection())
            return _done(request, create_article(change, external_id=external_id, author=author))
    except SupportBotError as refusal:
        return _page(request, None, _refused(request, refusal))


def edit_article(request: HttpRequest, article_id: UUID) -> HttpResponse:
    """Show and change one article. Saving creates a draft; customers see it once it is published."""
    needs(request, "kb:read")
    article = article_with_id(article_id)
    if request.method != "POST":
        return _page(request, article, _stored(article))
    needs(request, "kb:write")
    check_may_write(person_of(request), article.collection)
    if request.POST.get("do") == "archive":
        archive(article.pk)
        messages.success(request, "Archived. Customers no longer find it; its revisions stay.")
        return redirect("admin:kb_article_change", article.pk)
    try:
        with transaction.atomic():  # publishes exactly what was just saved, not a colleague's version
            change, author = _change(request), person_of(request)
            check_may_write(author, change.collection)
            is_published, based_on = request.POST.get("do") == "publish", _based_on(request)
            saved = save_draft(article.pk, change, author=author, based_on=based_on, is_published_at_once=is_published)
            return _done(request, saved)
    except SupportBotError as refusal:
        return _page(request, article, _refused(request, refusal))


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """Render the current text as the help pages would; nothing is stored."""
    needs(request, "kb:read")
    title, body = request.POST.get("title", ""), request.POST.get("body", "")
    if len(body) > MAX_BODY_CHARACTERS or len(title) > MAX_TITLE_CHARACTERS * 10:
        raise InvalidInput("This text is too long for an article.")
    return render(request, "console/articles/preview.html", _rendered(title, body))


@require_safe
def searchable(request: HttpRequest, article_id: UUID) -> JsonResponse:
    """Return the indexing progress of the live revision."""
    needs(request, "kb:read")
    return JsonResponse(index_state(article_with_id(article_id)))


def index_state(article: Article) -> dict[str, Any]:
    """Return whether the live revision is indexed by words and by meaning, and how many passages it has."""
    live = article.live_revision
    if not article.is_live or live is None:
        return {"state": article.state, "is_searchable": False, "passages": 0, "done": 0}
    rows = Chunk.objects.filter(article=article, revision_number=live.number)
    total, done = rows.count(), rows.filter(embedding__isnull=False).count()
    is_searchable = article.indexed_revision == live.number
    return {"state": article.state, "is_searchable": is_searchable, "passages": total, "done": done}


def _done(request: HttpRequest, article: Article) -> HttpResponse:
    if request.POST.get("do") == "publish":
        publish(article.pk)
        messages.success(request, "Published. Customers can read it now.")
    else:
        rest = "Customers read the old text until you publish." if article.is_live else "Customers cannot read it yet."
        messages.success(request, f"Saved as a draft. {rest}")
    return redirect("admin:kb_article_change", article.pk)


def _change(request: HttpRequest) -> Change:
    told = request.POST
    collection = _collection(told["collection"]) if told.get("collection") else None
    return Change(
        title=told.get("title", ""),
        body=told.get("body", ""),
        locale=told.get("locale") or None,
        audience=told.get("audience") or None,
        category=told.get("category", ""),
        url=told.get("url", ""),
        collection=collection,
    )


def _collection(text: str) -> Collection:
    try:
        return collection_with_id(UUID(text))
    except (ValueError, CollectionMissing) as error:
        raise InvalidInput(fields={"collection": ["Choose a collection from the list."]}) from error


def _based_on(request: HttpRequest) -> int | None:
    number = request.POST.get("based_on", "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None


def _stored(article: Article) -> Typed:
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
    }
    return Typed(values, {})


def _refused(request: HttpRequest, refusal: SupportBotError) -> Typed:
    values = {name: request.POST.get(name, "") for name in FIELDS}
    errors = {name: " ".join(texts) for name, texts in refusal.fields.items()}
    return Typed(values, errors, refusal.message, refusal.status)


def _rendered(title: str, body: str) -> dict[str, Any]:
    shown = body[:MOST_PREVIEWED]
    rendered = render_article(title.strip(), shown)
    return {"title": title.strip(), "rendered": rendered, "is_cut": len(shown) < len(body)}


def _page(request: HttpRequest, article: Article | None, typed: Typed) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": article.title if article else "New article",
        "article": article,
        "typed": typed,
        "may_write": may_write_here(request, article),
        "based_on": _based_on_what(request, article, typed),
        "address": article_address(article) if article else "",
        "index": index_state(article) if article else None,
        "collections": Collection.objects.all(),
        "audiences": Audience.choices,
        "preview": _rendered(typed.values["title"], typed.values["body"]),
    }
    return render(request, "console/articles/editor.html", context, status=typed.status)


def may_write_here(request: HttpRequest, article: Article | None) -> bool:
    """Return whether the person may write articles, and in this article's collection."""
    is_closed = article is not None and article.collection_id in restricted_collections(person_of(request))
    return may(staff(request), "kb:write") and not is_closed


def _based_on_what(request: HttpRequest, article: Article | None, typed: Typed) -> int | str:
    """Return the revision that the next save is based on: the one read, until a newer one has been shown."""
    newest = article.latest_revision.number if article and article.latest_revision else ""
    return newest if typed.status == ArticleChanged.status else request.POST.get("based_on") or newest
