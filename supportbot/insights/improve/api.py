"""REST views of findings: list the kinds of findings and the groups of a kind, and dismiss a group.

As on the console's pages, customers' texts are shown without personal data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from supportbot.accounts.models import User
from supportbot.accounts.principals import Staff
from supportbot.accounts.rest.permissions import needs
from supportbot.accounts.rest.throttles import CallerThrottle
from supportbot.accounts.rest.views import ScopedAPIView
from supportbot.errors import NotFound
from supportbot.insights.improve import contradictions as contradicting
from supportbot.insights.improve.clusters import Cluster, clusters, group_with
from supportbot.insights.improve.findings import Kind, findings
from supportbot.insights.improve.services import MAX_REASON, dismiss
from supportbot.language.personal_data import without_personal_data
from supportbot.serializer_fields import ClosedSerializerMixin, TextField, example

KINDS = (*(str(kind) for kind in Kind), contradicting.KIND)


class GroupThrottle(CallerThrottle):
    """The same limit as on searches, because grouping embeds the questions."""

    scope = "search"


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of a live article."""

    article: UUID
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """A group of findings about the same question, or two sentences that contradict each other."""

    kind: str
    subject: UUID
    times: int = 1
    question: str = ""
    questions: tuple[str, ...] = ()
    answer: str = ""
    reason: str = ""
    comment: str = ""
    replies: tuple[str, ...] = ()
    last_at: datetime | None = None
    conversations: tuple[UUID, ...] = ()
    statements: tuple[Statement, ...] = ()


class KindSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=KINDS)
    findings = serializers.IntegerField(help_text="The number of findings before grouping.")


class KindsSerializer(serializers.Serializer[Any]):
    results = KindSerializer(many=True)


class StatementSerializer(serializers.Serializer[Any]):
    article = serializers.UUIDField()
    title = serializers.CharField()
    text = serializers.CharField()


class ItemSerializer(serializers.Serializer[Any]):
    """A group. Its texts contain no personal data. A contradiction has only `statements`."""

    kind = serializers.ChoiceField(choices=KINDS)
    subject = serializers.UUIDField(help_text="Identifies the group in URLs.")
    times = serializers.IntegerField(help_text="The number of findings in the group.")
    question = serializers.CharField(help_text="The newest question.")
    questions = serializers.ListField(child=serializers.CharField(), help_text="All wordings, newest first.")
    answer = serializers.CharField(help_text="The assistant's answer to the newest question.")
    reason = serializers.CharField(help_text="The reason given with a rating.")
    comment = serializers.CharField(help_text="The comment that came with a rating.")
    replies = serializers.ListField(child=serializers.CharField(), help_text="Team members' answers.")
    last_at = serializers.DateTimeField(allow_null=True)
    conversations = serializers.ListField(
        child=serializers.UUIDField(), help_text="Empty without the scope `conversations:read`."
    )
    statements = StatementSerializer(many=True, help_text="Two sentences that contradict each other.")


class ItemsSerializer(serializers.Serializer[Any]):
    results = ItemSerializer(many=True)


@example(reason="A colleague's test.")
class DismissSerializer(ClosedSerializerMixin, serializers.Serializer[Any]):
    reason = TextField(max_length=MAX_REASON, help_text="Why nothing needs to be done.")


class FindingsView(ScopedAPIView):
    """Reading needs `kb:read`, and dismissing needs `kb:write`, as in the console."""

    def get_permissions(self) -> list[BasePermission]:
        return [needs("kb:read" if self.request.method in ("GET", "HEAD", "OPTIONS") else "kb:write")()]


class KindList(FindingsView):
    throttle_classes = [GroupThrottle]

    @extend_schema(operation_id="improve_kinds", responses=KindsSerializer)
    def get(self, request: Request) -> Response:
        """List the kinds of findings, each with the number of findings in the last 30 days."""
        rows = [{"kind": str(kind), "findings": len(findings(kind))} for kind in Kind]
        rows.append({"kind": contradicting.KIND, "findings": len(contradicting.contradictions())})
        return Response(KindsSerializer({"results": rows}).data)


class ItemList(FindingsView):
    throttle_classes = [GroupThrottle]

    @extend_schema(operation_id="improve_list", responses=ItemsSerializer)
    def get(self, request: Request, kind: str) -> Response:
        """List the groups of a kind, largest first."""
        reads_conversations = cast(Staff, request.auth).may("conversations:read")
        return Response(ItemsSerializer({"results": _items(kind, reads_conversations=reads_conversations)}).data)


class Dismiss(FindingsView):
    throttle_classes = [GroupThrottle]

    @extend_schema(operation_id="improve_dismiss", request=DismissSerializer, responses={204: None})
    def post(self, request: Request, kind: str, subject: UUID) -> Response:
        """Dismiss a group for a reason; its findings are no longer listed."""
        serializer = DismissSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        person = request.user if isinstance(request.user, User) else None
        dismiss(kind, _subjects(kind, subject), reason=serializer.validated_data["reason"], person=person)
        return Response(status=204)


def _items(kind: str, *, reads_conversations: bool) -> Sequence[Item]:
    if kind == contradicting.KIND:
        return [_contradiction(pair) for pair in contradicting.contradictions()]
    return [_item(one, reads_conversations) for one in clusters(findings(_kind(kind)))]


def _subjects(kind: str, subject: UUID) -> list[UUID]:
    """Return the findings that are dismissed together. Raises NotFound."""
    if kind != contradicting.KIND:
        return [one.subject for one in group_with(_kind(kind), subject).findings]
    if all(pair.subject != subject for pair in contradicting.contradictions()):
        raise NotFound()
    return [subject]


def _kind(kind: str) -> Kind:
    if kind not in list(Kind):
        raise NotFound()
    return Kind(kind)


def _item(one: Cluster, reads_conversations: bool) -> Item:
    newest = one.newest
    conversations = dict.fromkeys(finding.conversation for finding in one.findings) if reads_conversations else ()
    return Item(
        kind=newest.kind,
        subject=newest.subject,
        times=len(one.findings),
        question=without_personal_data(newest.question),
        questions=tuple(map(without_personal_data, one.questions)),
        answer=without_personal_data(newest.answer),
        reason=newest.reason,
        comment=without_personal_data(newest.comment),
        replies=tuple(map(without_personal_data, one.replies)),
        last_at=newest.at,
        conversations=tuple(conversations),
    )


def _contradiction(pair: contradicting.Contradiction) -> Item:
    statements = tuple(Statement(one.article, one.title, one.text) for one in (pair.one, pair.other))
    return Item(contradicting.KIND, pair.subject, statements=statements)


urls = [
    path("improve", KindList.as_view()),
    path("improve/<slug:kind>", ItemList.as_view()),
    path("improve/<slug:kind>/<uuid:subject>/dismiss", Dismiss.as_view()),
]
