"""The widget's doors over HTTP: a ticket for a socket, a code for our own chat page, and a conversation's end."""

from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from supportbot.accounts.callers import CustomerCaller
from supportbot.accounts.crossorigin import ForCustomersPages
from supportbot.accounts.permissions import IsCustomer
from supportbot.chat.access import conversation_for
from supportbot.web import NothingInput
from supportbot.widget.base_views import PageDoor, allowed_origin, own_origin, ticket_answer
from supportbot.widget.serializers import (
    CodeRequestSerializer,
    CodeSerializer,
    RedeemedSerializer,
    RedeemSerializer,
    TicketRequestSerializer,
    TicketSerializer,
)
from supportbot.widget.services import end_conversation
from supportbot.widget.session.codes import issue_code, redeem_code
from supportbot.widget.session.tickets import TicketRequest, issue_ticket

ORIGIN_REFUSED = OpenApiResponse(description="The origin is not allowed.")


class TicketView(PageDoor):
    """Any page of the channel may ask."""

    asks = TicketRequestSerializer

    @extend_schema(
        summary="Open a widget session",
        request=TicketRequestSerializer,
        responses={201: TicketSerializer, 403: ORIGIN_REFUSED},
    )
    def post(self, request: Request) -> Response:
        """Ask for a ticket, which opens one socket within a minute."""
        channel, asked = self.asked(request)
        issued = issue_ticket(TicketRequest(channel, allowed_origin(request, channel), **asked))
        return Response(TicketSerializer(ticket_answer(request, channel, issued)).data, status=201)


class CodeView(PageDoor):
    asks = CodeRequestSerializer

    @extend_schema(request=CodeRequestSerializer, responses={201: CodeSerializer, 403: ORIGIN_REFUSED})
    def post(self, request: Request) -> Response:
        """Ask for the address of the chat's own page, with a one-time code that takes the identity along."""
        channel, asked = self.asked(request)
        issued = issue_code(TicketRequest(channel, allowed_origin(request, channel), **asked))
        return Response(CodeSerializer({"url": issued.url, "expires_at": issued.expires_at}).data, status=201)


class RedeemView(PageDoor):
    asks = RedeemSerializer

    @extend_schema(request=RedeemSerializer, responses={201: RedeemedSerializer, 403: ORIGIN_REFUSED})
    def post(self, request: Request) -> Response:
        """Turn a one-time code into a ticket and a pass; only the chat's own page may, and once."""
        channel, asked = self.asked(request)
        redeemed = redeem_code(channel, origin=own_origin(request), **asked)
        answer = ticket_answer(request, channel, redeemed.ticket)
        passed = {"token": redeemed.page_pass.text, "token_expires_at": redeemed.page_pass.expires_at}
        return Response(RedeemedSerializer(answer | passed).data, status=201)


class End(ForCustomersPages):
    permission_classes = [IsCustomer]
    page_methods = "POST, OPTIONS"

    @extend_schema(request=NothingInput, responses={204: None})
    def post(self, request: Request, conversation_id: UUID) -> Response:
        """End one's own conversation: nothing more can be written in it. Ending it again changes nothing."""
        NothingInput(data=request.data).is_valid(raise_exception=True)
        caller = request.auth
        assert isinstance(caller, CustomerCaller)
        end_conversation(conversation_for(caller, conversation_id).pk)
        return Response(status=204)


urls = [
    path("widget/tickets", TicketView.as_view(), name="widget-tickets"),
    path("widget/codes", CodeView.as_view(), name="widget-codes"),
    path("widget/codes/redeem", RedeemView.as_view(), name="widget-codes-redeem"),
    path("conversations/<uuid:conversation_id>/end", End.as_view()),
]
