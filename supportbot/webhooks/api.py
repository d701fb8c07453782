"""REST views for webhooks: endpoints, their deliveries, and resending."""

from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from supportbot.accounts.principals import Staff
from supportbot.accounts.rest.permissions import needs
from supportbot.accounts.rest.throttles import CallerThrottle
from supportbot.accounts.rest.views import ScopedAPIView
from supportbot.pagination import NewestFirstPagination
from supportbot.query_parameters import one_of
from supportbot.serializer_fields import EmptyInput
from supportbot.webhooks import services
from supportbot.webhooks.event_types import KINDS, TEST
from supportbot.webhooks.models import WebhookDelivery, WebhookEndpoint
from supportbot.webhooks.selectors import deliveries_of, delivery_of, endpoint_with_id, listed_endpoints
from supportbot.webhooks.serializers import (
    DeliverySerializer,
    NewWebhookSerializer,
    ReplayedSerializer,
    ReplayInput,
    RotateInput,
    WebhookChangeInput,
    WebhookInput,
    WebhookSerializer,
)


class WebhookView(ScopedAPIView):
    """Reading needs the scope `webhooks:read`; everything else needs `webhooks:write`."""

    def get_permissions(self) -> list[BasePermission]:
        return [needs("webhooks:read" if self.request.method in ("GET", "HEAD", "OPTIONS") else "webhooks:write")()]

    @property
    def actor(self) -> str:
        return cast(Staff, self.request.auth).actor


class WebhookList(WebhookView, ListAPIView[WebhookEndpoint]):
    """The workspace's webhooks."""

    serializer_class = WebhookSerializer
    pagination_class = NewestFirstPagination

    def get_queryset(self) -> QuerySet[WebhookEndpoint]:
        return listed_endpoints()

    @extend_schema(request=WebhookInput, responses={201: NewWebhookSerializer})
    def post(self, request: Request) -> Response:
        """Create a webhook. The secret that signs its deliveries is returned only in this response."""
        new = services.create(**_validated(WebhookInput, request), actor=self.actor)
        return _with_secret(new, status=201)


class WebhookDetail(WebhookView):
    @extend_schema(responses=WebhookSerializer)
    def get(self, request: Request, webhook_id: UUID) -> Response:
        """Return one webhook."""
        return Response(WebhookSerializer(endpoint_with_id(webhook_id)).data)

    @extend_schema(request=WebhookChangeInput, responses=WebhookSerializer)
    def patch(self, request: Request, webhook_id: UUID) -> Response:
        """Change the given fields."""
        data = _validated(WebhookChangeInput, request, partial=True)
        return Response(WebhookSerializer(services.update(webhook_id, actor=self.actor, **data)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, webhook_id: UUID) -> Response:
        """Delete a webhook, its secret and its deliveries."""
        services.remove(webhook_id, actor=self.actor)
        return Response(status=204)


class Rotate(WebhookView):
    @extend_schema(request=RotateInput, responses=NewWebhookSerializer)
    def post(self, request: Request, webhook_id: UUID) -> Response:
        """Create a new secret, which is returned only in this response."""
        return _with_secret(services.rotate(webhook_id, actor=self.actor, **_validated(RotateInput, request)))


class ProbeThrottle(CallerThrottle):
    """Limits tests, because each may occupy a thread of the web process until its deadline."""

    scope = "webhook-test"


class Test(WebhookView):
    throttle_classes = [ProbeThrottle]

    @extend_schema(request=EmptyInput, responses=DeliverySerializer)
    def post(self, request: Request, webhook_id: UUID) -> Response:
        """Send a `webhook.test` event now, without retries, and return the result."""
        _validated(EmptyInput, request)
        return Response(DeliverySerializer(services.send_test(webhook_id, actor=self.actor)).data)


class Replay(WebhookView):
    @extend_schema(request=ReplayInput, responses=ReplayedSerializer)
    def post(self, request: Request, webhook_id: UUID) -> Response:
        """Resend all abandoned deliveries created since the given time."""
        data = _validated(ReplayInput, request)
        return Response({"count": services.replay_failed(webhook_id, actor=self.actor, **data)})


class DeliveryList(WebhookView, ListAPIView[WebhookDelivery]):
    """The deliveries of a webhook. They are kept for thirty days."""

    serializer_class = DeliverySerializer
    pagination_class = NewestFirstPagination
    filters = frozenset({"state", "kind"})

    @extend_schema(
        parameters=[
            OpenApiParameter("state", str, enum=WebhookDelivery.State.values),
            OpenApiParameter("kind", str, enum=[*KINDS, TEST]),
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[WebhookDelivery]:
        rows, params = deliveries_of(endpoint_with_id(self.kwargs["webhook_id"])), self.request.query_params
        if "state" in params:
            rows = rows.filter(state=one_of("state", params["state"], WebhookDelivery.State.values))
        if "kind" in params:
            rows = rows.filter(kind=one_of("kind", params["kind"], [*KINDS, TEST]))
        return rows


class DeliveryReplay(WebhookView):
    @extend_schema(request=EmptyInput, responses=DeliverySerializer)
    def post(self, request: Request, webhook_id: UUID, delivery_id: UUID) -> Response:
        """Resend one delivery with the same id, whatever its state."""
        _validated(EmptyInput, request)
        found = delivery_of(endpoint_with_id(webhook_id), delivery_id)
        return Response(DeliverySerializer(services.replay(found.pk, actor=self.actor)).data)


def _validated(form: Any, request: Request, *, partial: bool = False) -> dict[str, Any]:
    data = form(data=request.data, partial=partial)
    data.is_valid(raise_exception=True)
    validated: dict[str, Any] = data.validated_data
    return validated


def _with_secret(new: services.New, *, status: int = 200) -> Response:
    return Response({**WebhookSerializer(new.endpoint).data, "secret": new.secret}, status=status)


urls = [
    path("webhooks", WebhookList.as_view()),
    path("webhooks/<uuid:webhook_id>", WebhookDetail.as_view()),
    path("webhooks/<uuid:webhook_id>/rotate", Rotate.as_view()),
    path("webhooks/<uuid:webhook_id>/test", Test.as_view()),
    path("webhooks/<uuid:webhook_id>/replay", Replay.as_view()),
    path("webhooks/<uuid:webhook_id>/deliveries", DeliveryList.as_view()),
    path("webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/replay", DeliveryReplay.as_view()),
]
