"""Autosave: the editor's page sends the text while a person is typing."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from kb.autosave import as_json, forget, keep, kept
from kb.errors import ArticleMissing
from kb.models import Article
from kb.validation import MAX_BODY_CHARACTERS, MAX_URL_CHARACTERS, SWITCHES, check_storable
from supportbot.console.articles.editor.help_page_fields import FIELDS as ADDRESS
from supportbot.console.articles.editor.plan_fields import FIELDS as TIMES
from supportbot.console.articles.editor.review_fields import FIELDS as CARE
from supportbot.console.request_context import needs, person_of
from supportbot.errors import InvalidInput
from supportbot.values_saved_meanwhile import SEALED

# The fields of the editor's form.
FIELDS: Final = (
    "title", "body", "collection", "audience", "locale", "category", "url", "external_id", "phrasings",
    *SWITCHES, *TIMES, *CARE, *ADDRESS,
)  # fmt: skip


@require_POST
def autosave(request: HttpRequest, article_id: UUID | None = None) -> JsonResponse:
    """Store the form's fields for this person or, with `forget`, delete the stored fields. Nothing is published."""
    needs(request, "kb:write")
    if "forget" in request.POST:
        forget(person_of(request), article_id)
        return JsonResponse({"kept": False})
    values = {name: check_storable(name, request.POST.get(name, "")) for name in (*FIELDS, SEALED)}
    others = [text for name, text in values.items() if name != "body"]
    if len(values["body"]) > MAX_BODY_CHARACTERS or any(len(text) > MAX_URL_CHARACTERS for text in others):
        raise InvalidInput(gettext("This text is too long for an article."))
    try:
        keep(person_of(request), article_id, values, based_on=based_on(request))
    except ArticleMissing:
        message = gettext(
            "This article no longer exists. Your text is kept in this browser: copy it into a new article."
        )
        return JsonResponse({"kept": False, "message": message}, status=ArticleMissing.status)
    return JsonResponse({"kept": True})


def kept_for(request: HttpRequest, article: Article | None, stored: Mapping[str, str]) -> dict[str, Any] | None:
    """Return this person's unsaved text in the page's format; None if it is the same as `stored`."""
    row = kept(person_of(request), article.pk if article else None)
    if row is None or all(stored.get(name, "") == row.values.get(name, "") for name in ("title", "body")):
        return None
    return as_json(row)


def based_on(request: HttpRequest) -> int | None:
    """Return the number of the revision that the form is based on."""
    number = request.POST.get("based_on", "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None
