"""REST views of conversations for customers and the team: the HTTP counterpart of the socket."""

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from supportbot.accounts.models import Channel, Customer, User
from supportbot.accounts.principals import Caller, CustomerCaller, Staff
from supportbot.accounts.rest.cors import CustomerPagesAPIView
from supportbot.accounts.rest.permissions import IsCustomer, needs
from supportbot.chat.access import conversation_for, conversations_of
from supportbot.chat.erasure import erase_all_conversations, erase_conversation
from supportbot.chat.models import Conversation
from supportbot.chat.rate_limit import send_message
from supportbot.chat.selectors import RATED, events_after, rated, with_last_text
from supportbot.chat.serializers import (
    ConversationSerializer,
    EventPageSerializer,
    EventQuery,
    EventSerializer,
    MessageInput,
    NewConversationInput,
    OwnConversationRowSerializer,
    OwnConversationSerializer,
    ReceiptSerializer,
)
from supportbot.chat.services import (
    Receipt,
    add_agent_message,
    add_note,
    start_conversation,
)
from supportbot.chat.transcript import transcript_of
from supportbot.errors import InvalidInput, NotAllowed
from supportbot.formats import with_region
from supportbot.pagination import NewestFirstPagination
from supportbot.query_parameters import id_of, one_of

EitherConversation = PolymorphicProxySerializer(
    component_name="ConversationOfReader",
    serializers=[ConversationSerializer, OwnConversationSerializer],
    resource_type_field_name=None,
)
EitherConversationRow = PolymorphicProxySerializer(
    component_name="ConversationRowOfReader",
    serializers=[ConversationSerializer, OwnConversationRowSerializer],
    resource_type_field_name=None,
)


class ConversationList(CustomerPagesAPIView, ListAPIView[Conversation]):
    """Conversations, newest first. The team gets all in the workspace; customers get only their own."""

    pagination_class = NewestFirstPagination
    filters = frozenset({"mode", "customer", "rated"})
    cors_methods = "GET, POST, DELETE, OPTIONS"

    def get_permissions(self) -> list[Any]:
        if self.request.method in ("POST", "DELETE"):
            return [IsCustomer()]
        return [(IsCustomer | needs("conversations:read"))()]

    def get_serializer_class(self) -> type[BaseSerializer[Conversation]]:
        return OwnConversationRowSerializer if _is_customer(self.request) else ConversationSerializer

    @extend_schema(
        parameters=[
            OpenApiParameter("mode", str, enum=Conversation.Mode.values, description="Who answers."),
            OpenApiParameter("customer", UUID, description="Only conversations with this customer."),
            OpenApiParameter(
                "rated",
                str,
                enum=list(RATED),
                description="Only conversations with a rating of 4 or 5 (`good`), or of 1 or 2 (`bad`).",
            ),
        ],
        responses=EitherConversationRow,
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Conversation]:
        params = self.request.query_params
        conversations = conversations_of(_caller(self.request)).select_related("customer", "agent")
        if _is_customer(self.request):
            conversations = with_last_text(conversations)
        else:
            conversations = conversations.prefetch_related("ratings")
        if "rated" in params:
            conversations = rated(conversations, one_of("rated", params["rated"], RATED))
        if "mode" in params:
            conversations = conversations.filter(mode=one_of("mode", params["mode"], Conversation.Mode.values))
        if "customer" in params:
            conversations = conversations.filter(customer_id=id_of("customer", params["customer"]))
        return conversations

    @extend_schema(request=NewConversationInput, responses={201: OwnConversationSerializer})
    def post(self, request: Request) -> Response:
        """Start a conversation as its customer."""
        data = NewConversationInput(data=request.data)
        data.is_valid(raise_exception=True)
        caller = cast(CustomerCaller, request.auth)
        locale = _locale_for(caller, data.validated_data.get("locale", ""))
        conversation = start_conversation(caller.customer_id, channel_id=caller.channel_id, locale=locale)
        return Response(OwnConversationSerializer(conversation).data, status=201)

    @extend_schema(operation_id="conversations_erase_all", responses={204: None})
    def delete(self, request: Request) -> Response:
        """Permanently erase all of your own conversations. Customers only. Financial records are kept."""
        erase_all_conversations(cast(CustomerCaller, request.auth))
        return Response(status=204)


class ConversationDetail(CustomerPagesAPIView):
    cors_methods = "GET, DELETE, OPTIONS"

    def get_permissions(self) -> list[Any]:
        if self.request.method == "DELETE":
            return [IsCustomer()]
        return [(IsCustomer | needs("conversations:read") | needs("conversations:write"))()]

    @extend_schema(responses=EitherConversation)
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """Return one conversation, including who answers it and the newest `seq` of its log."""
        conversation = conversation_for(_caller(request), conversation_id)
        return Response(_serializer_for(_caller(request))(conversation).data)

    @extend_schema(operation_id="conversations_erase", responses={204: None})
    def delete(self, request: Request, conversation_id: UUID) -> Response:
        """Permanently erase your own conversation. Customers only. Financial records are kept."""
        erase_conversation(cast(CustomerCaller, request.auth), conversation_id)
        return Response(status=204)


class Transcript(CustomerPagesAPIView):
    permission_classes = [IsCustomer | needs("conversations:read")]
    cors_methods = "GET, OPTIONS"

    @extend_schema(responses={(200, "text/plain"): str})
    def get(self, request: Request, conversation_id: UUID) -> HttpResponse:
        """Download a conversation's transcript as its customer sees it, with times, sources and receipts."""
        conversation = conversation_for(_caller(request), conversation_id)
        answer = HttpResponse(transcript_of(conversation), content_type="text/plain; charset=utf-8")
        answer.headers["Content-Disposition"] = f'attachment; filename="chat-{conversation.created_at:%Y-%m-%d}.txt"'
        return answer


class EventList(CustomerPagesAPIView):
    permission_classes = [IsCustomer | needs("conversations:read") | needs("conversations:write")]
    filters = None
    cors_methods = "GET, OPTIONS"

    @extend_schema(parameters=[EventQuery], responses=EventPageSerializer)
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """List the events after a given `seq`, oldest first.

        The team sees every event; a customer sees their own view.
        """
        asked = EventQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        after, limit = asked.validated_data["after"], asked.validated_data["limit"]
        caller = _caller(request)
        conversation = conversation_for(caller, conversation_id)
        is_staff = isinstance(caller, Staff)
        events = events_after(conversation.pk, after, is_staff=is_staff, limit=limit)
        head = conversation.last_seq if is_staff else conversation.last_public_seq
        # An event may have been added between the two reads, but the head must not be behind the events shown.
        head = max(head, events[-1].seq) if events else head
        has_more = bool(events) and events[-1].seq < head
        return Response(
            {
                "results": EventSerializer(events, many=True).data,
                "next": _next_page(request, events[-1].seq, limit) if has_more else None,
                "head": head,
            }
        )


class MessageList(CustomerPagesAPIView):
    permission_classes = [IsCustomer | needs("conversations:write")]
    cors_methods = "POST, OPTIONS"

    @extend_schema(request=MessageInput, responses={201: ReceiptSerializer, 200: ReceiptSerializer})
    def post(self, request: Request, conversation_id: UUID) -> Response:
        """Send a message as the customer, or as the team: a `reply`, or a `note` that customers never see.

        If the same `client_id` is sent again, the same text returns 200 with the first receipt; a different text
        returns 409.
        """
        data = MessageInput(data=request.data)
        data.is_valid(raise_exception=True)
        conversation = conversation_for(_caller(request), conversation_id)
        receipt = _store(_caller(request), conversation, **data.validated_data)
        shown = {"client_id": data.validated_data["client_id"], "seq": receipt.seq, "message": receipt.message_id}
        return Response(ReceiptSerializer(shown).data, status=201 if receipt.is_new else 200)


def _store(
    caller: Caller, conversation: Conversation, *, client_id: str, text: str, kind: str | None = None
) -> Receipt:
    if isinstance(caller, CustomerCaller):
        if kind is not None:
            raise InvalidInput(fields={"kind": ["This field is for the team only. Leave it out."]})
        return send_message(conversation.pk, text=text, client_id=client_id)
    write: Callable[..., Receipt] = add_note if kind == "note" else add_agent_message
    return write(conversation.pk, text=text, author=_author(caller), client_id=client_id)


def _author(caller: Staff) -> User:
    if caller.user_id is None:
        raise NotAllowed("This key acts as a service, but messages need an author. Use a key that acts as a person.")
    return User.objects.get(pk=caller.user_id)


def _is_customer(request: HttpRequest | Request) -> bool:
    return isinstance(getattr(request, "auth", None), CustomerCaller)


def _caller(request: Request) -> Caller:
    return cast(Caller, request.auth)


def _serializer_for(caller: Caller | None) -> type[BaseSerializer[Conversation]]:
    return OwnConversationSerializer if isinstance(caller, CustomerCaller) else ConversationSerializer


def _locale_for(caller: CustomerCaller, requested: str) -> str:
    """Return the locale of a new conversation. If the requested one has no region, it gets the region of the locale of
    the customer, the channel or the workspace, if that is in the same language.
    """
    customer = Customer.objects.select_related("workspace").get(pk=caller.customer_id)
    channel = Channel.objects.filter(pk=caller.channel_id).first() if caller.channel_id else None
    known = [customer.locale, channel.locale if channel else "", customer.workspace.locale]
    return with_region(next(filter(None, [requested, *known])), *known)


def _next_page(request: Request, after: int, limit: int) -> str:
    return f"{request.build_absolute_uri(request.path)}?{urlencode({'after': after, 'limit': limit})}"


urls = [
    path("conversations", ConversationList.as_view()),
    path("conversations/<uuid:conversation_id>", ConversationDetail.as_view()),
    path("conversations/<uuid:conversation_id>/transcript", Transcript.as_view()),
    path("conversations/<uuid:conversation_id>/events", EventList.as_view()),
    path("conversations/<uuid:conversation_id>/messages", MessageList.as_view()),
]
