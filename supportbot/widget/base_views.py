"""The base of the views a page calls before it has a socket: who may call, and which pages may read the answer."""

from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.db import Error as AnyDatabaseError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from supportbot.accounts.auth import BearerAuthentication
from supportbot.accounts.callers import Staff
from supportbot.accounts.crossorigin import let_pages_read
from supportbot.accounts.models import Channel
from supportbot.accounts.origins import is_allowed, is_known, own_origins, read_origin
from supportbot.accounts.selectors import channel_by_key
from supportbot.errors import SupportBotError
from supportbot.widget.audit import note_turned_away
from supportbot.widget.bodies import StrictJsonParser
from supportbot.widget.configuration import config_of
from supportbot.widget.errors import OriginRefused, UnknownChannel
from supportbot.widget.session.tickets import IssuedTicket
from supportbot.widget.throttles import PerAddress

SOCKET_PATH = "/ws/v1/chat/"


class PageDoor(APIView):
    """Any page may knock; what it gets depends on its origin and on the credentials it shows in the body."""

    authentication_classes = [BearerAuthentication]
    permission_classes = [AllowAny]
    parser_classes = [StrictJsonParser]
    throttle_classes = [PerAddress]
    asks: ClassVar[type[Serializer[Any]]]
    channel: Channel | None = None  # once it is known

    def asked(self, request: Request) -> tuple[Channel, dict[str, Any]]:
        """Return the live channel and the other fields of the body; raises for what is not well formed."""
        serializer = self.asks(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = dict(serializer.validated_data)
        channel = channel_by_key(fields.pop("channel"))
        if channel is None:
            raise UnknownChannel()
        self.channel = channel
        return channel, fields

    def handle_exception(self, exc: Exception) -> Response:
        """Answer a refusal, and put it on record where it was one of a channel."""
        if self.channel is not None and isinstance(exc, SupportBotError):
            with suppress(AnyDatabaseError):  # the refusal matters more than its record
                note_turned_away(exc, workspace_id=self.channel.workspace_pk, channel_id=self.channel.pk)
        return super().handle_exception(exc)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Answer a browser's preflight."""
        return Response(status=204)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Let pages of known origins read the answer, refusals too. Cookies mean nothing here, so none are allowed."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Vary"] = "Origin"
        response.headers["Cache-Control"] = "no-store"
        origin = read_origin(request.headers.get("Origin"))
        with suppress(AnyDatabaseError):  # then no page may, but a program may know what became of its request
            if origin is not None and is_known(origin):
                let_pages_read(request, response, methods="POST, OPTIONS", headers="Content-Type")
        return response


def allowed_origin(request: Request, channel: Channel) -> str:
    """Return the asking page's origin, empty for a program with an API key of the workspace; raises OriginRefused."""
    header = request.headers.get("Origin")
    origin = read_origin(header)
    if origin is not None and is_allowed(origin, channel):
        return origin
    if header not in (None, "null"):
        raise OriginRefused()
    if not _is_program_of(channel, request.auth):
        raise OriginRefused(
            "Neither a page's origin nor a program's key came with this: send `Authorization: Bearer sk_…` with the "
            "scope conversations:write."
        )
    return ""


def own_origin(request: Request) -> str:
    """Return the asking page's origin if the page is this installation's own; raises OriginRefused."""
    origin = read_origin(request.headers.get("Origin"))
    if origin is None or origin not in own_origins():
        raise OriginRefused("Only the chat's own page redeems a code.")
    return origin


def _is_program_of(channel: Channel, caller: Any) -> bool:
    is_ours = isinstance(caller, Staff) and caller.workspace_id == channel.workspace_id
    return is_ours and caller.may("conversations:write")


def ticket_answer(request: Request, channel: Channel, issued: IssuedTicket) -> dict[str, Any]:
    """Return what a page is told with its ticket."""
    answer = {
        "ticket": issued.secret,
        "expires_at": issued.expires_at,
        "ws_url": socket_url(request),
        "conversation": issued.conversation.pk,
        "config": config_of(channel, issued.conversation),
    }
    return answer | ({"visitor": issued.visitor} if issued.visitor else {})


def socket_url(request: Request) -> str:
    """Return the socket's address: PUBLIC_URL's, or the one this request came by."""
    base = urlsplit(settings.PUBLIC_URL or request.build_absolute_uri("/"))
    return f"{'wss' if base.scheme == 'https' else 'ws'}://{base.netloc}{SOCKET_PATH}"
