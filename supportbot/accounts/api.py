"""REST views for the workspace, its channels and customers, and the caller."""

from typing import Any, cast
from uuid import UUID

from django.db.models import Q, QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from supportbot.accounts.channels import change_channel, channel_with_id, create_channel
from supportbot.accounts.customers import without_nul
from supportbot.accounts.models import Channel, Customer, Workspace
from supportbot.accounts.principals import Caller, CustomerCaller, Staff
from supportbot.accounts.rest.permissions import AnyCaller, needs
from supportbot.accounts.rest.views import ScopedAPIView
from supportbot.accounts.serializers import (
    ChannelChangeInput,
    ChannelInput,
    ChannelSerializer,
    CustomerSerializer,
    MeSerializer,
    NewChannelSerializer,
    WorkspaceChangeInput,
    WorkspaceSerializer,
)
from supportbot.accounts.workspaces import change_workspace
from supportbot.errors import NotFound
from supportbot.pagination import NewestFirstPagination


class ChannelList(ScopedAPIView, ListAPIView[Channel]):
    """The workspace's channels."""

    permission_classes = [needs("channels:write")]
    serializer_class = ChannelSerializer
    pagination_class = NewestFirstPagination

    def get_queryset(self) -> QuerySet[Channel]:
        return Channel.objects.select_related("workspace")

    @extend_schema(request=ChannelInput, responses={201: NewChannelSerializer})
    def post(self, request: Request) -> Response:
        """Create a channel. The secret that signs identities is returned only in this response."""
        data = ChannelInput(data=request.data)
        data.is_valid(raise_exception=True)
        workspace = Workspace.objects.get(pk=caller_of(request).workspace_id)
        new = create_channel(workspace, actor=_actor_of(request), **data.validated_data)
        shown = ChannelSerializer(new.channel).data
        return Response({**shown, "identity_secret": new.identity_secret}, status=201)


class ChannelDetail(ScopedAPIView):
    permission_classes = [needs("channels:write")]

    @extend_schema(responses=ChannelSerializer)
    def get(self, request: Request, channel_id: UUID) -> Response:
        """Return one channel with its embed code. Its signing secret is never shown again."""
        return Response(ChannelSerializer(channel_with_id(channel_id)).data)

    @extend_schema(request=ChannelChangeInput, responses=ChannelSerializer)
    def patch(self, request: Request, channel_id: UUID) -> Response:
        """Change the given fields. The channel's key and its identity keys stay the same."""
        data = ChannelChangeInput(data=request.data, partial=True)
        data.is_valid(raise_exception=True)
        changed = change_channel(channel_id, actor=_actor_of(request), **data.validated_data)
        return Response(ChannelSerializer(changed).data)


class WorkspaceDetail(ScopedAPIView):
    permission_classes = [needs("workspace:write")]

    @extend_schema(responses=WorkspaceSerializer)
    def get(self, request: Request) -> Response:
        """Show the credential's workspace."""
        return Response(WorkspaceSerializer(Workspace.objects.get(pk=caller_of(request).workspace_id)).data)

    @extend_schema(request=WorkspaceChangeInput, responses=WorkspaceSerializer)
    def patch(self, request: Request) -> Response:
        """Change the given fields. Help pages and chats show the changes at once."""
        data = WorkspaceChangeInput(data=request.data, partial=True)
        data.is_valid(raise_exception=True)
        changed = change_workspace(caller_of(request).workspace_id, **data.validated_data)
        return Response(WorkspaceSerializer(changed).data)


class CustomerList(ScopedAPIView, ListAPIView[Customer]):
    """The workspace's customers, newest first."""

    permission_classes = [needs("customers:read")]
    serializer_class = CustomerSerializer
    pagination_class = NewestFirstPagination
    filters = frozenset({"search", "external_id"})

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "search",
                str,
                description="Part of the name or e-mail address, or the customer's exact id in the merchant's system.",
            ),
            OpenApiParameter("external_id", str, description="The customer's id in the merchant's system."),
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Customer]:
        customers = Customer.objects.all()
        params = self.request.query_params
        search, external_id = (without_nul(params.get(name, "")) for name in ("search", "external_id"))
        if search:
            by_name = Q(name__icontains=search) | Q(email__icontains=search) | Q(external_id=search)
            customers = customers.filter(by_name)
        if external_id:
            customers = customers.filter(external_id=external_id)
        return customers


class CustomerDetail(ScopedAPIView):
    permission_classes = [needs("customers:read")]

    @extend_schema(responses=CustomerSerializer)
    def get(self, request: Request, customer_id: UUID) -> Response:
        """Show one customer."""
        customer = Customer.objects.filter(pk=customer_id).first()
        if customer is None:
            raise NotFound()
        return Response(CustomerSerializer(customer).data)


class Me(ScopedAPIView):
    permission_classes = [AnyCaller]

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Show who the credential identifies."""
        return Response(MeSerializer(_described(caller_of(request))).data)


def _actor_of(request: Request) -> str:
    """Return the name that records use for the caller of a view for the team."""
    return cast(Staff, request.auth).actor


def caller_of(request: Request) -> Caller:
    """Return the caller of a view whose permission requires one."""
    return cast(Caller, request.auth)


def _described(caller: Caller) -> dict[str, Any]:
    workspace = Workspace.objects.get(pk=caller.workspace_id).slug
    if isinstance(caller, CustomerCaller):
        customer = Customer.objects.get(pk=caller.customer_id)
        return {
            "kind": "customer",
            "id": customer.pk,
            "name": str(customer),
            "workspace": workspace,
            "is_verified": caller.is_verified,
        }
    return {
        "kind": "staff",
        "id": caller.user_id,
        "name": caller.name,
        "workspace": workspace,
        "role": caller.role,
        "scopes": sorted(caller.scopes),
    }


urls = [
    path("channels", ChannelList.as_view()),
    path("channels/<uuid:channel_id>", ChannelDetail.as_view()),
    path("customers", CustomerList.as_view()),
    path("customers/<uuid:customer_id>", CustomerDetail.as_view()),
    path("me", Me.as_view()),
    path("workspace", WorkspaceDetail.as_view()),
]
