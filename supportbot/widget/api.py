"""The widget's REST endpoints: tickets for sockets, codes for the hosted chat page, and the end of a conversation."""

from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from supportbot.accounts.channels import note_page
from supportbot.accounts.origins import read_origin
from supportbot.accounts.principals import CustomerCaller
from supportbot.accounts.rest.cors import CustomerPagesAPIView
from supportbot.accounts.rest.permissions import IsCustomer
from supportbot.chat.access import conversation_for
from supportbot.serializer_fields import EmptyInput
from supportbot.widget.base_views import PublicWidgetView, ticket_response
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
from supportbot.widget.session.tickets import TicketRequest, issue_ticket

ORIGIN_REFUSED = OpenApiResponse(description="This origin is not allowed.")


class TicketView(PublicWidgetView):
    """For any page of the channel."""

    request_serializer = TicketRequestSerializer

    @extend_schema(
        summary="Open a widget session",
        request=TicketRequestSerializer,
        responses={201: TicketSerializer, 403: ORIGIN_REFUSED},
    )
    def post(self, request: Request) -> Response:
        """Request a ticket, which opens one socket within a minute."""
        channel, fields = self.validated(request)
        if channel.seen_at is None and (origin := read_origin(request.headers.get("Origin"))):
            note_page(channel, origin)
        issued = issue_ticket(TicketRequest(channel, allowed_origin(request, channel), **fields))
        return Response(TicketSerializer(ticket_response(request, channel, issued)).data, status=201)


class CodeView(PublicWidgetView):
    request_serializer = CodeRequestSerializer

    @extend_schema(request=CodeRequestSerializer, responses={201: CodeSerializer, 403: ORIGIN_REFUSED})
    def post(self, request: Request) -> Response:
        """Request the address of the hosted chat page, with a one-time code that carries the customer's identity."""
        channel, fields = self.validated(request)
        issued = issue_code(TicketRequest(channel, allowed_origin(request, channel), **fields))
        return Response(CodeSerializer({"url": issued.url, "expires_at": issued.expires_at}).data, status=201)


class RedeemView(PublicWidgetView):
    request_serializer = RedeemSerializer

    @extend_schema(request=RedeemSerializer, responses={201: RedeemedSerializer, 403: ORIGIN_REFUSED})
    def post(self, request: Request) -> Response:
        """Exchange a one-time code for a ticket and a pass. Only the hosted chat page can do this, and only once."""
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
        """End your own conversation: it takes no more messages. Ending it again changes nothing."""
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
