"""REST views of tickets: the queue, an agent's actions, and the customer's contact address."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from supportbot.accounts.principals import Caller, CustomerCaller, Staff
from supportbot.accounts.rest.permissions import IsCustomer, needs
from supportbot.accounts.rest.views import ScopedAPIView
from supportbot.chat.access import conversation_for
from supportbot.chat.models import Conversation
from supportbot.errors import NotFound
from supportbot.handoff.models import Reason, Requester, State, Ticket
from supportbot.handoff.serializers import (
    ContactInput,
    CustomerTicketSerializer,
    HandoffTicketSerializer,
    NewTicketInput,
    ReturnInput,
    SnoozeInput,
    TransferInput,
)
from supportbot.handoff.tickets import services
from supportbot.handoff.tickets.access import ticket_for, user_of
from supportbot.handoff.tickets.presence import member_by_name, record_presence
from supportbot.handoff.tickets.selectors import ticket_queryset
from supportbot.pagination import NewestFirstPagination
from supportbot.query_parameters import one_of
from supportbot.serializer_fields import EmptyInput

TicketOfViewer = PolymorphicProxySerializer(
    component_name="TicketOfReader",
    serializers=[HandoffTicketSerializer, CustomerTicketSerializer],
    resource_type_field_name=None,
)


class TicketList(ScopedAPIView, ListAPIView[Ticket]):
    """The workspace's tickets, newest first. Whoever reads the list counts as online for two minutes."""

    serializer_class = HandoffTicketSerializer
    pagination_class = NewestFirstPagination
    filters = frozenset({"state"})

    def get_permissions(self) -> list[Any]:
        if self.request.method == "POST":
            return [(IsCustomer | needs("tickets:write"))()]
        return [needs("tickets:read")()]

    @extend_schema(parameters=[OpenApiParameter("state", str, enum=State.values)])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        staff = cast(Staff, request.auth)
        if staff.user_id is not None:
            record_presence(user_of(staff))
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Ticket]:
        params = self.request.query_params
        return ticket_queryset(one_of("state", params["state"], State.values) if "state" in params else "")

    @extend_schema(request=NewTicketInput, responses=TicketOfViewer)
    def post(self, request: Request) -> Response:
        """Ask for a person. If the conversation already has an open ticket, that one is returned."""
        data = _validated(NewTicketInput, request)
        caller = cast(Caller, request.auth)
        conversation = _conversation_in(caller, data["conversation"])
        summary = data.get("summary", "")
        if isinstance(caller, CustomerCaller):
            asked = {"reason": Reason.CUSTOMER_ASKED, "by": Requester.CUSTOMER}
        else:
            asked = {"reason": data.get("reason", Reason.OTHER), "by": Requester.AGENT}
        return _ticket_response(caller, services.request(conversation.pk, summary=summary, **asked))


class TicketDetail(ScopedAPIView):
    permission_classes = [IsCustomer | needs("tickets:read") | needs("tickets:write")]

    @extend_schema(responses=TicketOfViewer)
    def get(self, request: Request, ticket_id: UUID) -> Response:
        """Return one ticket. Customers get a reduced view of their own."""
        caller = cast(Caller, request.auth)
        return _ticket_response(caller, ticket_for(caller, ticket_id))


class TicketActionView(ScopedAPIView):
    """One action of an agent on a ticket that they may see. A service's key cannot perform it."""

    permission_classes = [needs("tickets:write")]

    def perform(self, request: Request, ticket_id: UUID, action: Callable[..., Ticket], **data: Any) -> Response:
        staff = cast(Staff, request.auth)
        action(ticket_for(staff, ticket_id).pk, agent=user_of(staff), **data)
        return _ticket_response(staff, ticket_for(staff, ticket_id))


class Claim(TicketActionView):
    @extend_schema(request=EmptyInput, responses=HandoffTicketSerializer)
    def post(self, request: Request, ticket_id: UUID) -> Response:
        """Claim a waiting ticket. The first claim wins."""
        return self.perform(request, ticket_id, services.claim, **_validated(EmptyInput, request))


class Release(TicketActionView):
    @extend_schema(request=EmptyInput, responses=HandoffTicketSerializer)
    def post(self, request: Request, ticket_id: UUID) -> Response:
        """Put a ticket back into the queue."""
        return self.perform(request, ticket_id, services.release, **_validated(EmptyInput, request))


class Return(TicketActionView):
    @extend_schema(request=ReturnInput, responses=HandoffTicketSerializer)
    def post(self, request: Request, ticket_id: UUID) -> Response:
        """Give the conversation back to the assistant, with an optional note for it."""
        return self.perform(request, ticket_id, services.return_to_assistant, **_validated(ReturnInput, request))


class Resolve(TicketActionView):
    @extend_schema(request=EmptyInput, responses=HandoffTicketSerializer)
    def post(self, request: Request, ticket_id: UUID) -> Response:
        """Resolve a ticket."""
        return self.perform(request, ticket_id, services.resolve, **_validated(EmptyInput, request))


class Snooze(TicketActionView):
    @extend_schema(request=SnoozeInput, responses=HandoffTicketSerializer)
    def post(self, request: Request, ticket_id: UUID) -> Response:
        """Snooze a ticket until a given time or until the customer writes."""
        return self.perform(request, ticket_id, services.snooze, **_validated(SnoozeInput, request))


class Transfer(TicketActionView):
    @extend_schema(request=TransferInput, responses=HandoffTicketSerializer)
    def post(self, request: Request, ticket_id: UUID) -> Response:
        """Transfer a ticket to a colleague."""
        colleague = member_by_name(_validated(TransferInput, request)["to"])
        return self.perform(request, ticket_id, services.transfer, to=colleague)


class Assign(TicketActionView):
    @extend_schema(request=TransferInput, responses=HandoffTicketSerializer)
    def post(self, request: Request, ticket_id: UUID) -> Response:
        """Assign a waiting ticket, or your own, to a colleague."""
        colleague = member_by_name(_validated(TransferInput, request)["to"])
        return self.perform(request, ticket_id, services.assign, to=colleague)


class Reopen(TicketActionView):
    @extend_schema(request=EmptyInput, responses=HandoffTicketSerializer)
    def post(self, request: Request, ticket_id: UUID) -> Response:
        """Reopen the conversation of an ended ticket, and return the new ticket."""
        _validated(EmptyInput, request)
        staff = cast(Staff, request.auth)
        reopened = services.reopen(ticket_for(staff, ticket_id).pk, agent=user_of(staff))
        return _ticket_response(staff, ticket_for(staff, reopened.pk))


class Contact(ScopedAPIView):
    permission_classes = [IsCustomer]

    @extend_schema(request=ContactInput, responses=CustomerTicketSerializer)
    def post(self, request: Request, ticket_id: UUID) -> Response:
        """Set the address that the team's replies are sent to while the chat is closed."""
        caller = cast(CustomerCaller, request.auth)
        ticket = ticket_for(caller, ticket_id)
        services.set_contact_email(ticket.pk, email=_validated(ContactInput, request)["email"])
        return _ticket_response(caller, ticket_for(caller, ticket_id))


def _validated(kind: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    data = kind(data=request.data)
    data.is_valid(raise_exception=True)
    return cast(dict[str, Any], data.validated_data)


def _conversation_in(caller: Caller, conversation_id: UUID) -> Conversation:
    """Return the conversation named in the request; raises NotFound with the field `conversation`."""
    try:
        return conversation_for(caller, conversation_id)
    except NotFound as error:
        raise NotFound(fields={"conversation": [NotFound.default_message]}) from error


def _ticket_response(caller: Caller, ticket: Ticket) -> Response:
    serializer = CustomerTicketSerializer if isinstance(caller, CustomerCaller) else HandoffTicketSerializer
    return Response(serializer(ticket).data)


urls = [
    path("tickets", TicketList.as_view()),
    path("tickets/<uuid:ticket_id>", TicketDetail.as_view()),
    path("tickets/<uuid:ticket_id>/claim", Claim.as_view()),
    path("tickets/<uuid:ticket_id>/release", Release.as_view()),
    path("tickets/<uuid:ticket_id>/return", Return.as_view()),
    path("tickets/<uuid:ticket_id>/resolve", Resolve.as_view()),
    path("tickets/<uuid:ticket_id>/snooze", Snooze.as_view()),
    path("tickets/<uuid:ticket_id>/transfer", Transfer.as_view()),
    path("tickets/<uuid:ticket_id>/assign", Assign.as_view()),
    path("tickets/<uuid:ticket_id>/reopen", Reopen.as_view()),
    path("tickets/<uuid:ticket_id>/contact", Contact.as_view()),
]
