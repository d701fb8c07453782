"""REST view of the outcomes of conversations, for spreadsheets and other programs."""

from datetime import date, datetime, time
from typing import Any, cast
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.urls import path
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from supportbot.accounts.models import Workspace
from supportbot.accounts.principals import Staff
from supportbot.accounts.rest.permissions import needs
from supportbot.accounts.rest.views import ScopedAPIView
from supportbot.chat.models import Conversation
from supportbot.errors import InvalidInput
from supportbot.insights.conversation_export import row_of
from supportbot.insights.outcome_rules import Ending
from supportbot.insights.outcomes import outcomes
from supportbot.pagination import NewestFirstPagination
from supportbot.query_parameters import id_of

_WHEN = "A day in the workspace's time zone, or a moment with its offset."


class OutcomeSerializer(serializers.Serializer[Any]):
    """A conversation with its outcome. docs/console.md explains the endings."""

    conversation = serializers.UUIDField()
    customer = serializers.UUIDField()
    began_at = serializers.DateTimeField()
    day = serializers.DateField(help_text="In the workspace's time zone, like `hour`.")
    hour = serializers.IntegerField(min_value=0, max_value=23)
    channel = serializers.UUIDField(allow_null=True)
    channel_name = serializers.CharField()
    language = serializers.CharField(help_text="The language of the first question, such as `de`.")
    ending = serializers.ChoiceField(choices=[ending.value for ending in Ending])
    came_back = serializers.BooleanField(help_text="The customer asked in another conversation within 7 days.")
    reopened = serializers.BooleanField(
        help_text="The customer asked again after the chat was resolved, or a day later."
    )
    first_response_seconds = serializers.FloatField(
        allow_null=True, help_text="From the first question to the first word of an answer."
    )
    resolution_seconds = serializers.FloatField(
        allow_null=True, help_text="From the first question to the last answer, if the conversation ended well."
    )
    waits_seconds = serializers.ListField(
        child=serializers.FloatField(), help_text="From each request for a person until the first agent joined."
    )
    agent = serializers.UUIDField(allow_null=True, help_text="The team member who wrote last.")
    agent_name = serializers.CharField()
    assistant_scores = serializers.ListField(child=serializers.IntegerField(min_value=1, max_value=5))
    person_scores = serializers.ListField(child=serializers.IntegerField(min_value=1, max_value=5))
    costs = serializers.DictField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="The cost of model calls, by currency; null without the scope `costs:read`.",
    )


class OutcomeList(ScopedAPIView, ListAPIView[Conversation]):
    """The outcomes of conversations, one per row, newest first."""

    permission_classes = [needs("conversations:read")]
    serializer_class = OutcomeSerializer
    pagination_class = NewestFirstPagination
    filters = frozenset({"since", "until", "channel"})

    @extend_schema(
        operation_id="outcomes_list",
        parameters=[
            OpenApiParameter("since", str, description=f"Only conversations that began at this time or later. {_WHEN}"),
            OpenApiParameter(
                "until",
                str,
                description=f"Only conversations that began before this time; outcomes are as of this time. {_WHEN}",
            ),
            OpenApiParameter("channel", str, description="Only conversations in this channel (UUID)."),
        ],
        responses=OutcomeSerializer(many=True),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the outcomes of conversations in which the customer asked something. A page may have fewer rows than its
        limit.
        """
        caller = cast(Staff, request.auth)
        zone = ZoneInfo(Workspace.objects.get(pk=caller.workspace_id).timezone)
        with timezone.override(zone):
            page = cast("list[Conversation]", self.paginate_queryset(self.get_queryset()))
            shown = Conversation.objects.filter(pk__in=[one.pk for one in page]).order_by("-pk")
            found = outcomes(shown, self._moment("until") or timezone.now())
            rows = [row_of(one, sees_cost=caller.may("costs:read")) for one in found]
        return self.get_paginated_response(OutcomeSerializer(rows, many=True).data)

    def get_queryset(self) -> QuerySet[Conversation]:
        if getattr(self, "swagger_fake_view", False):
            return Conversation.objects.none()
        rows = Conversation.objects.all()
        since, until = self._moment("since"), self._moment("until")
        if since is not None:
            rows = rows.filter(created_at__gte=since)
        if until is not None:
            rows = rows.filter(created_at__lt=until)
        if "channel" in self.request.query_params:
            rows = rows.filter(channel_id=id_of("channel", self.request.query_params["channel"]))
        return rows

    def _moment(self, name: str) -> datetime | None:
        text = self.request.query_params.get(name)
        return None if text is None else _moment_of(name, text)


def _moment_of(name: str, text: str) -> datetime:
    """Return the moment that a text names; a day means its midnight in the active time zone. Raises InvalidInput for
    any other text.
    """
    try:
        found: date | datetime | None = parse_date(text) or parse_datetime(text)
    except ValueError:
        found = None
    if isinstance(found, datetime) and found.tzinfo is not None:
        return found
    if found is None or isinstance(found, datetime):
        raise InvalidInput(fields={name: ["Give a day such as 2026-11-28, or a moment with its offset from UTC."]})
    return datetime.combine(found, time.min, tzinfo=timezone.get_current_timezone())


urls = [path("outcomes", OutcomeList.as_view())]
