"""`POST /api/v1/widget/tickets`: a page asks for the right to open a socket."""

import re
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from supportbot.accounts.auth import BearerAuthentication
from supportbot.accounts.callers import Staff
from supportbot.accounts.crossorigin import let_pages_read
from supportbot.accounts.models import Channel
from supportbot.accounts.origins import is_allowed, is_known, read_origin
from supportbot.accounts.selectors import channel_by_key
from supportbot.chat.notice import ai_notice
from supportbot.web import ClosedSerializerMixin
from supportbot.widget import strictjson
from supportbot.widget.errors import OriginRefused, UnknownChannel
from supportbot.widget.protocol import LIMITS
from supportbot.widget.throttles import PerAddress
from supportbot.widget.tickets import IssuedTicket, TicketRequest, issue_ticket

SOCKET_PATH: Final = "/ws/v1/chat/"
MAX_BODY_BYTES: Final = 32 * 1024
_CHANNEL_KEY: Final = re.compile(r"pk_[0-9A-Za-z_-]{1,37}")


class StrictJsonParser(BaseParser):
    """JSON read by the rules of the socket's frames, up to a size."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise ParseError(f"The body has at most {MAX_BODY_BYTES:,} bytes.")
        try:
            return strictjson.loads(body.decode())
        except UnicodeDecodeError as error:
            raise ParseError("The body is not UTF-8.") from error
        except strictjson.BadJson as error:
            raise ParseError(str(error)) from error


class TicketRequestSerializer(ClosedSerializerMixin, serializers.Serializer[Any]):
    channel = serializers.RegexField(_CHANNEL_KEY, help_text="The channel's public key.")
    token = serializers.CharField(max_length=8_000, required=False, help_text="An identity token of your server.")
    visitor = serializers.CharField(max_length=200, required=False, help_text="The secret a visitor got before.")
    conversation = serializers.UUIDField(required=False, help_text="One to go on with; a new one if left out.")


class WidgetConfigSerializer(serializers.Serializer[Any]):
    channel = serializers.CharField(help_text="The channel's name.")
    locale = serializers.CharField()
    greeting = serializers.CharField()
    notice = serializers.CharField(help_text="Must be shown before the first answer.")
    limits = serializers.DictField(child=serializers.IntegerField())
    suggestions = serializers.ListField(child=serializers.CharField())


class TicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField()
    expires_at = serializers.DateTimeField()
    ws_url = serializers.CharField()
    conversation = serializers.UUIDField()
    visitor = serializers.CharField(required=False, help_text="Given once, to a new visitor.")
    config = WidgetConfigSerializer()


class TicketView(APIView):
    """Any page of the channel may ask; what it gets depends on the credentials it shows."""

    authentication_classes = [BearerAuthentication]
    permission_classes = [AllowAny]
    parser_classes = [StrictJsonParser]
    throttle_classes = [PerAddress]

    @extend_schema(
        summary="Open a widget session",
        request=TicketRequestSerializer,
        responses={201: TicketSerializer, 403: OpenApiResponse(description="The origin is not allowed.")},
    )
    def post(self, request: Request) -> Response:
        serializer = TicketRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        channel = channel_by_key(asked.pop("channel"))
        if channel is None:
            raise UnknownChannel()
        origin = allowed_origin(request, channel)
        issued = issue_ticket(TicketRequest(channel, origin, **asked))
        return Response(TicketSerializer(_answer(request, channel, issued)).data, status=201)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Answer a browser's preflight."""
        return Response(status=204)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Let pages of known origins read the answer, refusals too. Cookies mean nothing here, so none are allowed."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Vary"] = "Origin"
        response.headers["Cache-Control"] = "no-store"
        origin = read_origin(request.headers.get("Origin"))
        if origin is not None and is_known(origin):
            let_pages_read(request, response, methods="POST, OPTIONS", headers="Content-Type")
        return response


def allowed_origin(request: Request, channel: Channel) -> str:
    """Return the asking page's origin, empty for a program with an API key of the workspace; raises OriginRefused."""
    header = request.headers.get("Origin")
    origin = read_origin(header)
    if origin is not None and is_allowed(origin, channel):
        return origin
    if header in (None, "null") and _is_program_of(channel, request.auth):
        return ""
    raise OriginRefused()


def _is_program_of(channel: Channel, caller: Any) -> bool:
    is_ours = isinstance(caller, Staff) and caller.workspace_id == channel.workspace_id
    return is_ours and caller.may("conversations:write")


def _answer(request: Request, channel: Channel, issued: IssuedTicket) -> dict[str, Any]:
    answer = {
        "ticket": issued.secret,
        "expires_at": issued.expires_at,
        "ws_url": socket_url(request),
        "conversation": issued.conversation.pk,
        "config": {
            "channel": channel.name,
            "locale": issued.conversation.locale,
            "greeting": channel.greeting,
            "notice": ai_notice(issued.conversation.locale),
            "limits": LIMITS,
            "suggestions": [],
        },
    }
    return answer | ({"visitor": issued.visitor} if issued.visitor else {})


def socket_url(request: Request) -> str:
    """Return the socket's address: PUBLIC_URL's, or the one this request came by."""
    base = urlsplit(settings.PUBLIC_URL or request.build_absolute_uri("/"))
    return f"{'wss' if base.scheme == 'https' else 'ws'}://{base.netloc}{SOCKET_PATH}"


urls = [path("widget/tickets", TicketView.as_view(), name="widget-tickets")]
