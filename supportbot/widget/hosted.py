"""`/chat/<channel>/`: a channel's chat on a page of our own, where no script of the merchant's runs.

A link, a QR code or a web view opens it; the merchant's pages may frame it. Its policy lets in our own scripts only and
no text that becomes script. A one-time code in the fragment brings the customer's identity along; no view sees it.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path
from django.utils.cache import patch_vary_headers
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

from supportbot.accounts.selectors import channel_by_key
from supportbot.language.detection import base_language

WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "chat": "Chat",
        "chat_with": "Chat with {name}",
        "no_script": "This chat needs JavaScript. Switch it on for this page, then load it again.",
        "missing": "There is no chat here",
        "missing_why": "The address is not complete, or this chat has been closed. "
        "Go back to the shop and open the chat from there.",
    },
    "de": {
        "chat": "Chat",
        "chat_with": "Chat mit {name}",
        "no_script": "Dieser Chat braucht JavaScript. Schalten Sie es für diese Seite ein und laden Sie sie neu.",
        "missing": "Hier ist kein Chat",
        "missing_why": "Die Adresse ist nicht vollständig, oder dieser Chat wurde geschlossen. "
        "Gehen Sie zurück zum Shop und öffnen Sie den Chat von dort.",
    },
}


@require_safe
@xframe_options_exempt  # the policy names who may frame it; the older header knows only everybody or nobody
def chat_page(request: HttpRequest, key: str) -> HttpResponse:
    """Show a channel's chat, or say kindly that there is none."""
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
    # Where a click on this page is to mean something that one in the shop's page does not, the shop's page must not be
    # able to lay itself over it.
    frames = [] if channel.confirms_on_hosted_page else channel.allowed_origins
    return _page(request, "widget/chat.html", context, frames=frames)


def language_for(request: HttpRequest, fallback: str) -> str:
    """Return what `?lang=` names, else what the browser asks for, else the fallback; each only if we speak it."""
    accepted = [code for code, _ in parse_accept_lang_header(request.headers.get("Accept-Language", ""))]
    for wish in (request.GET.get("lang", ""), *accepted, fallback):
        if base_language(wish) in WORDS:
            return base_language(wish)
    return "en"


def _page(
    request: HttpRequest, template: str, context: dict[str, object], *, frames: Sequence[str] = (), status: int = 200
) -> HttpResponse:
    response = HttpResponse(render_to_string(template, context), status=status)
    response.headers["Content-Security-Policy"] = policy(frames, sockets=_socket_origin(request))
    response.headers["Content-Language"] = str(context["language"])
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    patch_vary_headers(response, ["Accept-Language"])
    return response


def policy(frames: Sequence[str], *, sockets: str) -> str:
    """Return the page's content security policy; these origins, and our own pages, may frame it."""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            f"connect-src 'self' {sockets}",
            "base-uri 'none'",
            "form-action 'none'",
            " ".join(["frame-ancestors 'self'", *frames]),
            "require-trusted-types-for 'script'",
        ]
    )


def _socket_origin(request: HttpRequest) -> str:
    """Return where a ticket lets a page open its socket: not every browser counts that as 'self'."""
    base = urlsplit(settings.PUBLIC_URL or request.build_absolute_uri("/"))
    return f"{'wss' if base.scheme == 'https' else 'ws'}://{base.netloc}"


urls = [path("chat/<str:key>/", chat_page, name="hosted-chat")]
