"""`/chat/<channel>/`: a channel's chat on a hosted page, where none of the merchant's scripts run.

It is opened from a link, a QR code or a web view, and the merchant's pages may frame it. Its content security policy
allows only our own scripts. A one-time code in the URL's fragment carries the customer's identity; views never see it.
"""

from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path
from django.utils.cache import patch_vary_headers
from django.utils.translation import override
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

from actions.definitions.selectors import picture_hosts
from supportbot.accounts.channels import channel_by_key
from supportbot.accounts.scope import workspace_scope
from supportbot.content_security_policy import socket_origin
from supportbot.formats import text_direction
from supportbot.language.detection import base_language
from supportbot.translation import LANGUAGES, SOURCE_LANGUAGE, text_in


@require_safe
@xframe_options_exempt  # the policy lists the origins that may frame the page, which the older header cannot do
def chat_page(request: HttpRequest, key: str) -> HttpResponse:
    """Show a channel's chat, or a page that says that there is no such chat."""
    channel = channel_by_key(key)
    language = language_for(request, channel.locale if channel else "en")
    if channel is None:
        return _page(request, "widget/no_chat.html", {"language": language}, status=404)
    name = channel.assistant_name or channel.name
    title = text_in(language, "Chat with {name}", name=name)
    context = {"language": language, "channel": channel, "workspace": channel.workspace, "title": title}
    # A channel that requires confirmations on this page does not trust clicks on the shop's page, so that page must not
    # be able to cover this one.
    frames = [] if channel.confirms_on_hosted_page else channel.allowed_origins
    with workspace_scope(channel.workspace_pk):
        pictures = [*channel.allowed_origins, *(f"https://{host}" for host in picture_hosts())]
    return _page(request, "widget/chat.html", context, frames=frames, pictures=pictures)


def language_for(request: HttpRequest, fallback: str) -> str:
    """Return the first language that has texts: that of `?lang=`, one that the browser prefers, or else `fallback`."""
    accepted = [code for code, _ in parse_accept_lang_header(request.headers.get("Accept-Language", ""))]
    for tag in (request.GET.get("lang", ""), *accepted, fallback):
        if base_language(tag) in LANGUAGES:
            return base_language(tag)
    return SOURCE_LANGUAGE


def _page(
    request: HttpRequest,
    template: str,
    context: dict[str, object],
    *,
    frames: Sequence[str] = (),
    pictures: Sequence[str] = (),
    status: int = 200,
) -> HttpResponse:
    language = str(context["language"])
    with override(language):
        page = render_to_string(template, {**context, "direction": text_direction(language)})
    response = HttpResponse(page, status=status)
    response.headers["Content-Security-Policy"] = policy(frames, sockets=socket_origin(request), pictures=pictures)
    response.headers["Content-Language"] = language
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    patch_vary_headers(response, ["Accept-Language"])
    return response


def policy(frames: Sequence[str], *, sockets: str, pictures: Sequence[str] = ()) -> str:
    """Return the page's content security policy. In addition to our own, the origins in `frames` may frame the page;
    `pictures` are the origins of cards' pictures.
    """
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            " ".join(["img-src 'self' data:", *pictures]),
            "font-src 'self'",
            f"connect-src 'self' {sockets}",  # not every browser treats a socket on the same host as 'self'
            "base-uri 'none'",
            "form-action 'none'",
            " ".join(["frame-ancestors 'self'", *frames]),
            "require-trusted-types-for 'script'",
        ]
    )


urls = [path("chat/<str:key>/", chat_page, name="hosted-chat")]
