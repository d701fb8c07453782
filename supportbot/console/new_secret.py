"""The page that shows a new secret.

It is the response to the form that created the secret; no later request can get it.
"""

from typing import Any, cast
from uuid import UUID

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext


def show_once(
    site: AdminSite,
    request: HttpRequest,
    *,
    title: str,
    secret: str,
    purpose: str,
    back: tuple[str, UUID],
    label: str = "",
    snippet: str = "",
) -> TemplateResponse:
    """Show a secret and, for a channel, the script tag that most people came for. `label` is the name of the secret."""
    page, row = back
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": title,
        "secret": secret,
        "label": label or gettext("Secret"),
        "purpose": purpose,
        "snippet": snippet,
        "back": reverse(page, args=[row]),
    }
    return TemplateResponse(request, "console/secret.html", context)


def remember(request: HttpRequest, secret: str) -> None:
    """Keep a secret for the rest of this request. Admin classes must not store it, because all requests share them."""
    cast(Any, request).console_secret = secret


def remembered(request: HttpRequest) -> str:
    return str(cast(Any, request).console_secret)
