"""`/chat/<channel>/`: a channel's chat on a hosted page, where no script of the merchant runs.

A link, a QR code or a web view opens it, and the merchant's pages may frame it. Its content security policy allows our
own scripts only. A one-time code in the fragment carries the customer's identity; no view sees it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path
from django.utils.cache import patch_vary_headers
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

from supportbot.accounts.selectors import channel_by_key
from supportbot.language.detection import base_language
from supportbot.widget.base_views import socket_origin

# A new language needs its words here, and texts of the widget (frontend/src/languages).
_FILE: Final = Path(__file__).with_name("data") / "hosted.json"
WORDS: Final[dict[str, dict[str, str]]] = json.loads(_FILE.read_text(encoding="utf-8"))["texts"]
RIGHT_TO_LEFT: Final = frozenset({"ar"})


@require_safe
@xframe_options_exempt  # the policy lists who may frame it; the older header allows only everybody or nobody
def chat_page(request: HttpRequest, key: str) -> HttpResponse:
    """Show a channel's chat, or a page that says there is none."""
    channel = channel_by_key(key)
    language = language_for(request, channel.locale if channel else "en")
    words = WORDS[language]
    if channel is None:
        return _page(request, "widget/no_chat.html", {"words": words, "language": language}, status=404)
    name = channel.assistant_name or channel.name
    context = {
        "words": words,
        "language": language,
        "channel": channel,
        "title": words["chat_with"].format(name=name),
    }
    # A channel that requires confirmations on this page does not trust clicks in the shop's page, so that page must not
    # be able to put itself on top of this one.
    frames = [] if channel.confirms_on_hosted_page else channel.allowed_origins
    return _page(request, "widget/chat.html", context, frames=frames)


def language_for(request: HttpRequest, fallback: str) -> str:
    """Return the first language there are texts in: that of `?lang=`, those the browser prefers, the fallback."""
    accepted = [code for code, _ in parse_accept_lang_header(request.headers.get("Accept-Language", ""))]
    for tag in (request.GET.get("lang", ""), *accepted, fallback):
        if base_language(tag) in WORDS:
            return base_language(tag)
    return "en"


def _page(
    request: HttpRequest, template: str, context: dict[str, object], *, frames: Sequence[str] = (), status: int = 200
) -> HttpResponse:
    direction = "rtl" if context["language"] in RIGHT_TO_LEFT else "ltr"
    response = HttpResponse(render_to_string(template, {**context, "direction": direction}), status=status)
    response.headers["Content-Security-Policy"] = policy(frames, sockets=socket_origin(request))
    response.headers["Content-Language"] = str(context["language"])
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    patch_vary_headers(response, ["Accept-Language"])
    return response


def policy(frames: Sequence[str], *, sockets: str) -> str:
    """Return the page's content security policy. These origins, and our own pages, may frame it."""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            f"connect-src 'self' {sockets}",  # not every browser takes a socket of the same host for 'self'
            "base-uri 'none'",
            "form-action 'none'",
            " ".join(["frame-ancestors 'self'", *frames]),
            "require-trusted-types-for 'script'",
        ]
    )


urls = [path("chat/<str:key>/", chat_page, name="hosted-chat")]
