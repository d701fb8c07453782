"""`/confirm/<channel>/`: our own page with a single card, which the customer confirms or declines.

Its content security policy allows only our own scripts, and no page may frame it, so nothing can cover the buttons. The
link's code is in the URL's fragment; no view sees it until the page's script posts it. All texts come from rows and
catalogues. The page's calls are not part of the API, and only pages of this installation can make them.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path
from django.utils.cache import patch_vary_headers
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.http import require_safe
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from actions import services
from actions.cards import card_of, receipt_rows
from actions.models import ActionRequest
from actions.principals import principal_of
from actions.states import WITHDRAWABLE, State
from supportbot.accounts.channels import channel_by_key
from supportbot.accounts.confirmation_permission import check_may_confirm_here
from supportbot.accounts.models import Channel
from supportbot.accounts.origins import own_origins, read_origin
from supportbot.accounts.scope import workspace_scope
from supportbot.errors import SupportBotError
from supportbot.mcp.confirmation_links import OpenedLink, open_link, opened_link
from supportbot.mcp.errors import ForeignPage, LinkRefused
from supportbot.mcp.request_status import STATUS, message
from supportbot.rate_counters import FailOpenThrottle
from supportbot.serializer_fields import ClosedSerializerMixin, TextField
from supportbot.translation import LANGUAGES, SOURCE_LANGUAGE, language_of, msgid, text_in

RIGHT_TO_LEFT: Final = frozenset({"ar"})
_CHANGED: Final = msgid("This has changed since you saw it. Please look at it again.")
_SIGN_IN: Final = msgid("Your sign-in has expired and nothing was done. Ask for a new link.")
# Texts for the services' English messages, by error code.
_PROBLEMS: Final = {
    "identity_required": _SIGN_IN,
    "identity_expired": _SIGN_IN,
    "digest_mismatch": _CHANGED,
    "not_waiting": _CHANGED,
    "expired": _CHANGED,
    "merchant_unavailable": msgid("Our system is not responding, so nothing was changed. Please try again."),
    "not_connected": msgid("This is not available at the moment."),
    "action_disabled": msgid("This is not available at the moment."),
}
_NOT_DONE: Final = msgid("This did not work, and nothing was changed. Please try again.")
POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ]
)


@require_safe
def confirm_page(request: HttpRequest, key: str) -> HttpResponse:
    """Show the page. Its script fetches the card with the code, which only the browser knows."""
    channel = channel_by_key(key)
    language = _language(request, channel)
    context = {
        "language": language,
        "direction": "rtl" if language in RIGHT_TO_LEFT else "ltr",
        "title": text_in(language, "Please confirm"),
        "loading": text_in(language, "Loading…"),
        "no_script": text_in(language, "This page needs JavaScript. Please enable it."),
        "refused": refusal_text(language),
        "offline": text_in(language, "No connection. Please try again."),
        "decline": text_in(language, "Decline"),
        "withdraw": text_in(language, "Withdraw the request"),
        "name": (channel.assistant_name or channel.name) if channel else "",
    }
    response = HttpResponse(render_to_string("mcp/confirm.html", context), status=200 if channel else 404)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Content-Language"] = language
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    patch_vary_headers(response, ["Accept-Language"])
    return response


def _language(request: HttpRequest | Request, channel: Channel | None) -> str:
    """Return the first language that has a catalogue: that in `?lang=`, those the browser prefers, or the channel's."""
    accepted = [code for code, _ in parse_accept_lang_header(request.headers.get("Accept-Language", ""))]
    languages = [request.GET.get("lang", ""), *accepted, channel.locale if channel else ""]
    known = (tag for tag in languages if tag.lower() in LANGUAGES or tag.lower().split("-")[0] in LANGUAGES)
    return language_of(next(known, SOURCE_LANGUAGE))


def refusal_text(language: str) -> str:
    return text_in(language, "This link has been used or has expired. Ask for a new one.")


class PageThrottle(FailOpenThrottle):
    scope = "confirm"
    rate = "300/min"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


class CodeInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    code = TextField(max_length=100)


class PassInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    token = TextField(max_length=100)


class ConfirmInput(PassInput):
    digest = TextField(max_length=64)


class PageView(APIView):
    """A call from the page's script, answered in the page's language."""

    authentication_classes: Sequence[type[BaseAuthentication]] = ()
    permission_classes = [AllowAny]
    throttle_classes = [PageThrottle]
    schema = None
    input: ClassVar[type[serializers.Serializer[Any]]] = PassInput

    def post(self, request: Request, key: str) -> Response:
        if read_origin(request.headers.get("Origin")) not in own_origins():
            raise ForeignPage()
        channel = channel_by_key(key)
        data = self.input(data=request.data)
        data.is_valid(raise_exception=True)
        language = _language(request, channel)
        if channel is None:
            raise LinkRefused(refusal_text(language))
        with workspace_scope(channel.workspace_pk):
            try:
                shown = self.answer(channel, data.validated_data, language)
            except LinkRefused as error:
                raise LinkRefused(refusal_text(language)) from error
        response = Response(shown)
        response.headers["Cache-Control"] = "no-store"
        return response

    def answer(self, channel: Channel, data: dict[str, Any], language: str) -> dict[str, Any]:
        """Return the request in the form shown on the page."""
        return shown(opened_link(channel, data["token"]), language)


class OpenView(PageView):
    input = CodeInput

    def answer(self, channel: Channel, data: dict[str, Any], language: str) -> dict[str, Any]:
        token = open_link(channel, data["code"])
        return {"token": token, **shown(opened_link(channel, token), language)}


class ConfirmView(PageView):
    input = ConfirmInput

    def answer(self, channel: Channel, data: dict[str, Any], language: str) -> dict[str, Any]:
        link = opened_link(channel, data["token"])
        return _decided(link, channel, data["token"], language, digest=data["digest"])


class DeclineView(PageView):
    def answer(self, channel: Channel, data: dict[str, Any], language: str) -> dict[str, Any]:
        return _decided(opened_link(channel, data["token"]), channel, data["token"], language)


def _decided(link: OpenedLink, channel: Channel, token: str, language: str, digest: str = "") -> dict[str, Any]:
    """Confirm the card as it was shown or, without a digest, decline it.

    If this is refused, the text next to the card says why.
    """
    problem = ""
    principal = principal_of(link.caller)
    try:
        if digest:
            check_may_confirm_here(link.caller)
            services.confirm(link.request.pk, principal=principal, digest=digest)
        else:
            services.decline(link.request.pk, principal=principal)
    except SupportBotError as error:
        problem = text_in(language, _PROBLEMS.get(error.code, _NOT_DONE))
    return {**shown(opened_link(channel, token), language), "problem": problem}


def shown(link: OpenedLink, language: str) -> dict[str, Any]:
    """Return a request as the page shows it: its texts in the page's language, and its buttons."""
    request: ActionRequest = link.request
    card, state = card_of(request, language), State(request.state)
    is_due = state == State.AWAITING_CONFIRMATION
    return {
        "state": str(state),
        "status": STATUS[state],
        "title": card.title,
        "summary": card.summary,
        "note": card.note if is_due else "",
        "button": card.button,
        "rows": [{"label": row.label, "value": row.value} for row in receipt_rows(request, language) or card.rows],
        "digest": request.digest,
        "origin": text_in(language, "A program acting on your behalf has proposed this.")
        if request.is_by_program
        else "",
        "message": message(request, language),
        "can_confirm": is_due,
        "can_withdraw": state in WITHDRAWABLE and not is_due,
        "problem": "",
    }


urls = [
    path("confirm/<str:key>/", confirm_page, name="confirm"),
    path("confirm/<str:key>/open", OpenView.as_view(), name="confirm-open"),
    path("confirm/<str:key>/state", PageView.as_view(), name="confirm-state"),
    path("confirm/<str:key>/confirm", ConfirmView.as_view(), name="confirm-confirm"),
    path("confirm/<str:key>/decline", DeclineView.as_view(), name="confirm-decline"),
]
