"""REST views of shadow replays, which try a release on customers' questions from the last few days."""

from typing import Any, ClassVar, Final
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from supportbot.accounts.rest.permissions import needs
from supportbot.accounts.rest.views import ScopedAPIView
from supportbot.errors import NotFound
from supportbot.evals.models import Replay, ReplayedQuestion
from supportbot.evals.replays import replay_worker
from supportbot.evals.replays.shadow_replay import KINDS, MOST_DAYS, MOST_QUESTIONS
from supportbot.evals.runs.release_under_test import release_numbered
from supportbot.pagination import NewestFirstPagination
from supportbot.query_parameters import one_of
from supportbot.serializer_fields import ClosedSerializerMixin, EmptyInput, WholeNumberField, example

READING: Final = ("evals:read", "releases:read", "conversations:read")  # replays contain customers' questions
DIFFERENT, SAME, UNPLAYED = "different", "same", "unplayed"


@example(release=12, days=7, most=100)
class ReleaseReplayInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    release = WholeNumberField(
        min_value=1, max_value=999_999_999, help_text="The number of a release that is not live."
    )
    days = WholeNumberField(min_value=1, max_value=MOST_DAYS, default=7, help_text="How many days to go back.")
    most = WholeNumberField(
        min_value=1, max_value=MOST_QUESTIONS, default=100, help_text="The maximum number of questions."
    )


class ReleaseReplaySerializer(serializers.ModelSerializer[Replay]):
    """A release tried on customers' questions and compared with the release that was live at the time."""

    release = serializers.IntegerField(source="release_number", read_only=True)
    live = serializers.IntegerField(source="live_number", read_only=True)
    total = serializers.IntegerField(
        read_only=True, help_text="The number of questions; 0 until they are chosen (`chosen_at`)."
    )
    played = serializers.IntegerField(
        read_only=True, help_text="The number of questions that both releases were asked."
    )
    different = serializers.IntegerField(read_only=True, help_text="The number of questions with different answers.")
    unplayed = serializers.IntegerField(
        read_only=True, help_text="The number of questions that one of the releases could not answer."
    )

    class Meta:
        model = Replay
        fields = [
            "id", "release", "live", "days", "most", "state", "problem", "total", "played", "different", "unplayed",
            "created_at", "chosen_at", "finished_at",
        ]  # fmt: skip


class ReplayedQuestionSerializer(serializers.ModelSerializer[ReplayedQuestion]):
    """A question with both answers; `before` is the live release's answer. Each answer includes its passages, calls and
    cost.
    """

    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=KINDS),
        read_only=True,
        allow_null=True,
        help_text="How the answers differ, worst first; null until the question has been asked.",
    )
    times = serializers.IntegerField(read_only=True, help_text="How many times customers asked it.")

    class Meta:
        model = ReplayedQuestion
        fields: ClassVar = ["id", "question", "times", "kinds", "is_unplayed", "before", "after"]
        read_only_fields = fields


class InOrderPagination(NewestFirstPagination):
    """Questions in the order they are asked: newest first."""

    ordering = "id"
    invalid_cursor = "Invalid cursor. Leave it out to start with the first question."


class ReplayView(ScopedAPIView):
    """Reading needs the scopes for all kinds of data in a replay; everything else also needs `evals:write`."""

    def get_permissions(self) -> list[BasePermission]:
        is_reading = self.request.method in ("GET", "HEAD", "OPTIONS")
        return [needs(scope)() for scope in (*READING, *(() if is_reading else ("evals:write",)))]


class ReplayList(ReplayView, ListAPIView[Replay]):
    """The workspace's replays of the last seven days."""

    serializer_class = ReleaseReplaySerializer
    pagination_class = NewestFirstPagination
    filters = frozenset({"release"})

    @extend_schema(
        parameters=[OpenApiParameter("release", int, description="Only replays of the release with this number.")]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Replay]:
        if getattr(self, "swagger_fake_view", False):  # the schema is generated without a request
            return Replay._base_manager.none()
        number = self.request.query_params.get("release")
        rows = _counted()
        return rows if number is None else rows.filter(release_id=release_numbered(number).pk)

    @extend_schema(request=ReleaseReplayInput, responses={202: ReleaseReplaySerializer})
    def post(self, request: Request) -> Response:
        """Start a replay, which a worker runs. If a replay of the release is already under way, return that one
        instead.
        """
        serializer = ReleaseReplayInput(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted = serializer.validated_data
        release = release_numbered(str(wanted["release"]))
        made = replay_worker.begin(release, days=wanted["days"], most=wanted["most"])
        return Response(ReleaseReplaySerializer(_counted_one(made.pk)).data, status=202)


class ReplayDetail(ReplayView):
    @extend_schema(responses=ReleaseReplaySerializer)
    def get(self, request: Request, replay_id: UUID) -> Response:
        """Show one replay."""
        return Response(ReleaseReplaySerializer(_counted_one(replay_id)).data)


class ReplayCancel(ReplayView):
    @extend_schema(request=EmptyInput, responses=ReleaseReplaySerializer)
    def post(self, request: Request, replay_id: UUID) -> Response:
        """Cancel a replay; its answers so far are kept."""
        EmptyInput(data=request.data).is_valid(raise_exception=True)
        _counted_one(replay_id)
        replay_worker.cancel(replay_id)
        return Response(ReleaseReplaySerializer(_counted_one(replay_id)).data)


class ReplayResume(ReplayView):
    @extend_schema(request=EmptyInput, responses={202: ReleaseReplaySerializer})
    def post(self, request: Request, replay_id: UUID) -> Response:
        """Continue a cancelled or interrupted replay."""
        EmptyInput(data=request.data).is_valid(raise_exception=True)
        _counted_one(replay_id)
        replay_worker.resume(replay_id)
        return Response(ReleaseReplaySerializer(_counted_one(replay_id)).data, status=202)


class ReplayedQuestionList(ReplayView, ListAPIView[ReplayedQuestion]):
    """The questions of a replay."""

    serializer_class = ReplayedQuestionSerializer
    pagination_class = InOrderPagination
    filters = frozenset({"show"})

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "show",
                str,
                enum=[DIFFERENT, *KINDS, SAME, UNPLAYED],
                description="`different`, `same` or `unplayed` (one release could not answer), or a kind of "
                "difference: only questions with that result.",
            )
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[ReplayedQuestion]:
        if getattr(self, "swagger_fake_view", False):
            return ReplayedQuestion._base_manager.none()
        rows = ReplayedQuestion.objects.filter(replay=_counted_one(self.kwargs["replay_id"]))
        asked = self.request.query_params.get("show")
        if asked is None:
            return rows
        shown = one_of("show", asked, (DIFFERENT, *KINDS, SAME, UNPLAYED))
        if shown in KINDS:
            return rows.filter(kinds__contains=[shown])
        wanted = {DIFFERENT: Q(kinds__len__gt=0), SAME: Q(kinds=[], is_unplayed=False), UNPLAYED: Q(is_unplayed=True)}
        return rows.filter(wanted[shown])


def _counted() -> QuerySet[Replay]:
    rows: QuerySet[Replay] = Replay.objects.annotate(
        total=Count("questions"),
        played=Count("questions", filter=Q(questions__kinds__isnull=False)),
        different=Count("questions", filter=Q(questions__kinds__len__gt=0)),
        unplayed=Count("questions", filter=Q(questions__is_unplayed=True)),
    )
    return rows


def _counted_one(replay_id: UUID) -> Replay:
    """Return a replay of the workspace. Raises NotFound."""
    found: Replay | None = _counted().filter(pk=replay_id).first()
    if found is None:
        raise NotFound()
    return found


urls = [
    path("evaluations/replays", ReplayList.as_view(), name="evaluation-replays"),
    path("evaluations/replays/<uuid:replay_id>", ReplayDetail.as_view(), name="evaluation-replay"),
    path("evaluations/replays/<uuid:replay_id>/cancel", ReplayCancel.as_view(), name="evaluation-replay-cancel"),
    path("evaluations/replays/<uuid:replay_id>/resume", ReplayResume.as_view(), name="evaluation-replay-resume"),
    path(
        "evaluations/replays/<uuid:replay_id>/questions",
        ReplayedQuestionList.as_view(),
        name="evaluation-replayed-questions",
    ),
]
