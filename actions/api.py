"""REST views of actions: the catalogue, the requests, and the decisions on a request.

Only customers can confirm, with their own identity token. Only team members can approve, either signed in or with an
API key that acts as them.
"""

from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from actions import services
from actions.audit import steps_of
from actions.models import ActionPolicy, ActionRequest
from actions.principals import principal_of
from actions.registry import all_actions
from actions.requests.undo import propose_undo
from actions.selectors import policies_in_force, request_for, requests_of
from actions.serializers import (
    ActionRequestDetailSerializer,
    ActionRequestSerializer,
    ActionSerializer,
    DigestInput,
    RejectInput,
    SettleInput,
)
from actions.spec import Action
from actions.states import State
from supportbot.accounts.confirmation_permission import check_may_confirm_here
from supportbot.accounts.models import User
from supportbot.accounts.principals import Caller, CustomerCaller, Staff
from supportbot.accounts.rest.permissions import IsCustomer, needs
from supportbot.accounts.rest.views import ScopedAPIView
from supportbot.errors import NotAllowed
from supportbot.pagination import NewestFirstPagination
from supportbot.query_parameters import id_of, one_of
from supportbot.serializer_fields import EmptyInput
from supportbot.translation import in_locale


class ActionList(ScopedAPIView):
    permission_classes = [needs("actions:read")]
    filters = frozenset({"locale"})

    @extend_schema(
        parameters=[
            OpenApiParameter("locale", str, description="The language of the title and description, such as `de`.")
        ],
        responses=ActionSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Return every action with this workspace's rules. The list is short, so it is not paginated."""
        policies, locale = policies_in_force(), request.query_params.get("locale", "en")
        shown = [_action_entry(action, policies.get(action.name), locale) for action in all_actions().values()]
        return Response(ActionSerializer(shown, many=True).data)


def _action_entry(action: Action, policy: ActionPolicy | None, locale: str) -> dict[str, Any]:
    return {
        "name": action.name,
        "version": action.version,
        "risk": str(action.risk),
        "title": action.title_in(locale),
        "description": in_locale(action.description, locale),
        "arguments": action.labelled_schema(locale),
        "is_enabled": policy is not None and policy.is_enabled,
        "rules": policy.current if policy else None,
    }


class RequestList(ScopedAPIView, ListAPIView[ActionRequest]):
    """Requests, newest first. The team sees all requests of the workspace, customers only their own."""

    permission_classes = [IsCustomer | needs("actions:read")]
    serializer_class = ActionRequestSerializer
    pagination_class = NewestFirstPagination
    filters = frozenset({"state", "customer", "conversation"})

    @extend_schema(
        parameters=[
            OpenApiParameter("state", str, enum=State.values),
            OpenApiParameter("customer", UUID, description="Only requests from this customer."),
            OpenApiParameter("conversation", UUID, description="Only requests from this conversation."),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[ActionRequest]:
        params, requests = self.request.query_params, requests_of(_caller(self.request))
        if "state" in params:
            requests = requests.filter(state=one_of("state", params["state"], State.values))
        for name in ("customer", "conversation"):
            if name in params:
                requests = requests.filter(**{f"{name}_id": id_of(name, params[name])})
        return requests


class RequestDetail(ScopedAPIView):
    permission_classes = [IsCustomer | needs("actions:read")]

    @extend_schema(responses=ActionRequestDetailSerializer)
    def get(self, request: Request, request_id: UUID) -> Response:
        """Return one request with its history of states."""
        found = request_for(_caller(request), request_id)
        return _shown(found)


class Confirm(ScopedAPIView):
    permission_classes = [IsCustomer]

    @extend_schema(request=DigestInput, responses=ActionRequestDetailSerializer)
    def post(self, request: Request, request_id: UUID) -> Response:
        """Confirm your own card, exactly as it was shown."""
        caller = cast(CustomerCaller, request.auth)
        check_may_confirm_here(caller)
        principal = principal_of(caller)
        return _shown(services.confirm(request_id, principal=principal, digest=_digest(request)))


class Approve(ScopedAPIView):
    permission_classes = [needs("actions:approve")]

    @extend_schema(request=DigestInput, responses=ActionRequestDetailSerializer)
    def post(self, request: Request, request_id: UUID) -> Response:
        """Approve a waiting request, exactly as it was shown."""
        return _shown(services.approve(request_id, approver=_staff_user(request), digest=_digest(request)))


class Reject(ScopedAPIView):
    permission_classes = [needs("actions:approve")]

    @extend_schema(request=RejectInput, responses=ActionRequestDetailSerializer)
    def post(self, request: Request, request_id: UUID) -> Response:
        """Reject a waiting request, with a message for the customer or a note for the team."""
        data = RejectInput(data=request.data)
        data.is_valid(raise_exception=True)
        return _shown(services.reject(request_id, approver=_staff_user(request), **data.validated_data))


class Settle(ScopedAPIView):
    permission_classes = [needs("actions:approve")]

    @extend_schema(request=SettleInput, responses=ActionRequestDetailSerializer)
    def post(self, request: Request, request_id: UUID) -> Response:
        """Settle a request with an unknown outcome, once you have found out what happened."""
        data = SettleInput(data=request.data)
        data.is_valid(raise_exception=True)
        return _shown(services.settle_by_hand(request_id, person=_staff_user(request), **data.validated_data))


class Cancel(ScopedAPIView):
    permission_classes = [IsCustomer | needs("actions:approve")]

    @extend_schema(request=EmptyInput, responses=ActionRequestDetailSerializer)
    def post(self, request: Request, request_id: UUID) -> Response:
        """Decline your own card, or withdraw a request that has not been sent yet."""
        EmptyInput(data=request.data).is_valid(raise_exception=True)
        caller = _caller(request)
        if isinstance(caller, CustomerCaller):
            return _shown(services.decline(request_id, principal=principal_of(caller)))
        return _shown(services.cancel(request_id, canceller=_staff_user(request)))


class Undo(ScopedAPIView):
    permission_classes = [IsCustomer]

    @extend_schema(request=EmptyInput, responses=ActionRequestDetailSerializer)
    def post(self, request: Request, request_id: UUID) -> Response:
        """Propose the action that undoes your own request, as a card to confirm. The request's `undo` says whether
        there is such an action.
        """
        EmptyInput(data=request.data).is_valid(raise_exception=True)
        return _shown(propose_undo(principal_of(cast(CustomerCaller, request.auth)), request_id))


def _shown(request: ActionRequest) -> Response:
    found = ActionRequest.objects.select_related("policy_version").get(pk=request.pk)
    found.steps = steps_of(found.pk)  # type: ignore[attr-defined]  # read by the serializer
    return Response(ActionRequestDetailSerializer(found).data)


def _caller(request: Request) -> Caller:
    return cast(Caller, request.auth)


def _staff_user(request: Request) -> User:
    staff = cast(Staff, request.auth)
    if staff.user_id is None:
        raise NotAllowed("This key acts as a service. Only a person can decide: use a key that acts as a person.")
    return User.objects.get(pk=staff.user_id)


def _digest(request: Request) -> str:
    data = DigestInput(data=request.data)
    data.is_valid(raise_exception=True)
    return str(data.validated_data["digest"])


urls = [
    path("actions", ActionList.as_view()),
    path("action-requests", RequestList.as_view()),
    path("action-requests/<uuid:request_id>", RequestDetail.as_view()),
    path("action-requests/<uuid:request_id>/confirm", Confirm.as_view()),
    path("action-requests/<uuid:request_id>/approve", Approve.as_view()),
    path("action-requests/<uuid:request_id>/reject", Reject.as_view()),
    path("action-requests/<uuid:request_id>/settle", Settle.as_view()),
    path("action-requests/<uuid:request_id>/cancel", Cancel.as_view()),
    path("action-requests/<uuid:request_id>/undo", Undo.as_view()),
]
