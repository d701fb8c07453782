"""The widget's REST endpoints: tickets for sockets, codes for the hosted chat page, and ending a conversation.

A page calls most of them before it has a socket, from any origin. Bodies are therefore parsed strictly, responses have
CORS headers, and denied access is audited.
"""

from contextlib import suppress
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db import Error as AnyDatabaseError
from django.urls import path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from supportbot import strict_json
from supportbot.accounts.branding import personalised_greeting, theme_colours
from supportbot.accounts.channels import channel_by_key, hosted_url, note_page
from supportbot.accounts.logos import logo_url
from supportbot.accounts.models import Channel
from supportbot.accounts.origins import is_known, read_origin
from supportbot.accounts.principals import CustomerCaller
from supportbot.accounts.rest.auth import BearerAuthentication
from supportbot.accounts.rest.cors import CustomerPagesAPIView, add_cors_headers
from supportbot.accounts.rest.permissions import IsCustomer
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.access import conversation_for
from supportbot.chat.event_log import is_open
from supportbot.chat.models import Conversation
from supportbot.chat.notices import ai_notice
from supportbot.content_security_policy import socket_origin
from supportbot.errors import SupportBotError
from supportbot.formats import has_twelve_hours
from supportbot.releases.selectors import current
from supportbot.serializer_fields import EmptyInput
from supportbot.widget.access_audit import record_denied_access
from supportbot.widget.errors import UnknownChannel
from supportbot.widget.serializers import (
    CodeRequestSerializer,
    CodeSerializer,
    RedeemedSerializer,
    RedeemSerializer,
    TicketRequestSerializer,
    TicketSerializer,
)
from supportbot.widget.services import end_conversation
from supportbot.widget.session.one_time_codes import issue_code, redeem_code
from supportbot.widget.session.origin_checks import allowed_origin, own_origin
from supportbot.widget.session.tickets import IssuedTicket, TicketRequest, issue_ticket
from supportbot.widget.socket.protocol import LIMITS
from supportbot.widget.throttles import PerAddress

SOCKET_PATH: Final = "/ws/v1/chat/"
MAX_BODY_BYTES: Final = 32 * 1024
ORIGIN_REFUSED = OpenApiResponse(description="This origin is not allowed.")


class StrictJsonParser(BaseParser):
    """Parses a body of limited size by the same rules as a socket's frames."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise ParseError(f"The body must not exceed {MAX_BODY_BYTES:,} bytes.")
        try:
            return strict_json.loads(body.decode())
        except UnicodeDecodeError as error:
            raise ParseError("The body is not UTF-8.") from error
        except strict_json.BadJson as error:
            raise ParseError(str(error)) from error


class PublicWidgetView(APIView):
    """A view that any page may call. Access depends on the origin, and on the credentials in the body."""

    authentication_classes = [BearerAuthentication]
    permission_classes = [AllowAny]
    parser_classes = [StrictJsonParser]
    throttle_classes = [PerAddress]
    request_serializer: ClassVar[type[Serializer[Any]]]
    channel: Channel | None = None  # set once it is known

    def validated(self, request: Request) -> tuple[Channel, dict[str, Any]]:
        """Return the live channel and the body's other fields. Raises ValidationError or UnknownChannel."""
        serializer = self.request_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = dict(serializer.validated_data)
        channel = channel_by_key(fields.pop("channel"))
        if channel is None:
            raise UnknownChannel()
        self.channel = channel
        return channel, fields

    def handle_exception(self, exc: Exception) -> Response:
        """Respond to an error. If access was denied and the channel is known, audit that."""
        if self.channel is not None and isinstance(exc, SupportBotError):
            with suppress(AnyDatabaseError):  # the response matters more than the record
                record_denied_access(exc, workspace_id=self.channel.workspace_pk, channel_id=self.channel.pk)
        return super().handle_exception(exc)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Respond to a browser's preflight request."""
        return Response(status=204)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Allow pages of known origins to read the response, even if it is an error. No cookies are used, so
        credentials mode is not allowed.
        """
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Vary"] = "Origin"
        response.headers["Cache-Control"] = "no-store"
        origin = read_origin(request.headers.get("Origin"))
        with suppress(AnyDatabaseError):  # then no page can read it, but a program still can
            if origin is not None and is_known(origin):
                add_cors_headers(request, response, methods="POST, OPTIONS", headers="Content-Type")
        return response


def ticket_response(request: Request, channel: Channel, issued: IssuedTicket) -> dict[str, Any]:
    """Return the response for a page, with its ticket and the data for opening the chat."""
    with workspace_scope(channel.workspace_pk):
        config = widget_config(channel, issued.conversation)
    answer = {
        "ticket": issued.secret,
        "expires_at": issued.expires_at,
        "ws_url": socket_url(request),
        "conversation": issued.conversation.pk,
        "config": config,
    }
    return answer | ({"visitor": issued.visitor} if issued.visitor else {})


def widget_config(channel: Channel, conversation: Conversation) -> dict[str, Any]:
    """Return the channel's texts in the conversation's language, its branding and its rules."""
    locale, customer = conversation.locale, conversation.customer
    # the request has no workspace yet, because a page knows only its channel's key
    with workspace_scope(channel.workspace_pk):
        document = current().document
    greeting = channel.greeting_in(locale, otherwise=document.greetings)
    return {
        "channel": channel.name,
        "name": channel.assistant_name or document.name,
        "locale": locale,
        "hour12": has_twelve_hours(locale),
        "greeting": personalised_greeting(greeting, customer.name),
        "notice": ai_notice(locale),
        "limits": LIMITS,
        "suggestions": channel.suggestions_in(locale),
        "logo": logo_url(channel.workspace),
        "look": theme_colours(channel.accent or channel.workspace.accent),
        "privacy_url": channel.privacy_url or channel.workspace.privacy_url,
        "confirm_on_hosted_page": channel.confirms_on_hosted_page,
        "hosted_url": hosted_url(channel.key),
        "is_ended": not is_open(conversation),
    }


def socket_url(request: Request) -> str:
    """Return the socket's URL, based on PUBLIC_URL or, if that is not set, on the host of this request."""
    return f"{socket_origin(request)}{SOCKET_PATH}"


class TicketView(PublicWidgetView):
    """A view that any page of the channel may call."""

    request_serializer = TicketRequestSerializer

    @extend_schema(
        summary="Open a widget session",
        request=TicketRequestSerializer,
        responses={201: TicketSerializer, 403: ORIGIN_REFUSED},
    )
    def post(self, request: Request) -> Response:
        """Request a ticket, which can open one socket within a minute."""
        channel, fields = self.validated(request)
        if channel.seen_at is None and (origin := read_origin(request.headers.get("Origin"))):
            note_page(channel, origin)
        issued = issue_ticket(TicketRequest(channel, allowed_origin(request, channel), **fields))
        return Response(TicketSerializer(ticket_response(request, channel, issued)).data, status=201)


class CodeView(PublicWidgetView):
    request_serializer = CodeRequestSerializer

    @extend_schema(request=CodeRequestSerializer, responses={201: CodeSerializer, 403: ORIGIN_REFUSED})
    def post(self, request: Request) -> Response:
        """Request the address of the hosted chat page.

        It contains a one-time code that carries the customer's identity.
        """
        channel, fields = self.validated(request)
        issued = issue_code(TicketRequest(channel, allowed_origin(request, channel), **fields))
        return Response(CodeSerializer({"url": issued.url, "expires_at": issued.expires_at}).data, status=201)


class RedeemView(PublicWidgetView):
    request_serializer = RedeemSerializer

    @extend_schema(request=RedeemSerializer, responses={201: RedeemedSerializer, 403: ORIGIN_REFUSED})
    def post(self, request: Request) -> Response:
        """Exchange a one-time code for a ticket and a pass. Only the hosted chat page can do this, once per code."""
        channel, fields = self.validated(request)
        redeemed = redeem_code(channel, origin=own_origin(request), **fields)
        answer = ticket_response(request, channel, redeemed.ticket)
        page_pass = {"token": redeemed.page_pass.text, "token_expires_at": redeemed.page_pass.expires_at}
        return Response(RedeemedSerializer(answer | page_pass).data, status=201)


class EndView(CustomerPagesAPIView):
    permission_classes = [IsCustomer]
    cors_methods = "POST, OPTIONS"

    @extend_schema(request=EmptyInput, responses={204: None})
    def post(self, request: Request, conversation_id: UUID) -> Response:
        """End your own conversation, which then accepts no more messages. Ending it again changes nothing."""
        EmptyInput(data=request.data).is_valid(raise_exception=True)
        caller = request.auth
        assert isinstance(caller, CustomerCaller)
        end_conversation(conversation_for(caller, conversation_id).pk)
        return Response(status=204)


urls = [
    path("widget/tickets", TicketView.as_view(), name="widget-tickets"),
    path("widget/codes", CodeView.as_view(), name="widget-codes"),
    path("widget/codes/redeem", RedeemView.as_view(), name="widget-codes-redeem"),
    path("conversations/<uuid:conversation_id>/end", EndView.as_view()),
]
