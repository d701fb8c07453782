"""REST views of evaluations: suites, runs and their results."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from actions.registry import all_actions
from supportbot.accounts.principals import Staff
from supportbot.accounts.rest.permissions import needs
from supportbot.accounts.rest.views import ScopedAPIView
from supportbot.evals import services
from supportbot.evals.grading import human_labels
from supportbot.evals.models import Result, Run, Suite
from supportbot.evals.runs.release_under_test import release_numbered
from supportbot.evals.selectors import judged_keys, last_run_on, run_with_id, runs, suite_named
from supportbot.evals.serializers import ResultSerializer, RunDetailSerializer, RunInput, RunSerializer, SuiteSerializer
from supportbot.pagination import NewestFirstPagination
from supportbot.serializer_fields import EmptyInput


class EvaluationView(ScopedAPIView):
    """Reading needs the scope `evals:read`; everything else needs `evals:write`."""

    def get_permissions(self) -> list[BasePermission]:
        return [needs("evals:read" if self.request.method in ("GET", "HEAD", "OPTIONS") else "evals:write")()]


class SuiteList(EvaluationView, ListAPIView[Suite]):
    """The workspace's suites."""

    serializer_class = SuiteSerializer
    pagination_class = NewestFirstPagination

    def get_queryset(self) -> QuerySet[Suite]:
        if getattr(self, "swagger_fake_view", False):
            return Suite.objects.none()
        rows: QuerySet[Suite] = Suite.objects.annotate(count=Count("cases"))
        return rows


class RunList(EvaluationView, ListAPIView[Run]):
    """The workspace's runs."""

    serializer_class = RunSerializer
    pagination_class = NewestFirstPagination
    filters = frozenset({"suite"})

    @extend_schema(parameters=[OpenApiParameter("suite", str, description="Only runs of the suite with this name.")])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the workspace's runs. If the key acts as a person, some verdicts of a model may be hidden from this
        person until they have labelled the results or asked to see the verdicts. The `report` and `judge` of a run are
        null as long as the verdicts on it or on its baseline are hidden. Labels in hidden runs are not counted in
        `judge`.
        """
        response = super().get(request, *args, **kwargs)
        _hide(response.data["results"], _person_id(request))
        return response

    def get_serializer_context(self) -> Mapping[str, Any]:
        if getattr(self, "swagger_fake_view", False):
            return super().get_serializer_context()
        return {**super().get_serializer_context(), "person_id": _person_id(self.request)}

    def get_queryset(self) -> QuerySet[Run]:
        if getattr(self, "swagger_fake_view", False):
            return Run.objects.none()
        name = self.request.query_params.get("suite")
        return runs() if name is None else runs().filter(suite=suite_named(name))

    @extend_schema(request=RunInput, responses={202: RunSerializer})
    def post(self, request: Request) -> Response:
        """Start a run. A worker carries it out; it has a report once its state is `done`."""
        serializer = RunInput(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted = serializer.validated_data
        suite = suite_named(wanted["suite"])
        release = release_numbered(str(wanted["release"])) if "release" in wanted else None
        run = services.start_run(suite, repeat=wanted["repeat"], release=release, baseline=_baseline(suite, wanted))
        return Response(_run_facts(run, request), status=202)


def _person_id(request: Request) -> UUID | None:
    """Return the person behind a key; a service's key has none."""
    caller = request.auth
    return caller.user_id if isinstance(caller, Staff) else None


def _baseline(suite: Suite, wanted: dict[str, Any]) -> Run | services.Baseline | None:
    if "against" not in wanted:
        return services.Baseline.LIVE
    number = wanted["against"]
    return None if number is None else last_run_on(suite, release_numbered(str(number)))


class RunDetail(EvaluationView):
    @extend_schema(responses=RunDetailSerializer)
    def get(self, request: Request, run_id: UUID) -> Response:
        """Show one run. If the key acts as a person, `report`, `judge` and `comparison` are null as long as a model's
        verdicts on the run or on its baseline are hidden from this person. They are hidden until the person has
        labelled the results or asked to see the verdicts.
        """
        return Response(_run_facts(run_with_id(run_id), request, RunDetailSerializer))


def _run_facts(run: Run, request: Request, serializer: type[RunSerializer] = RunSerializer) -> dict[str, Any]:
    """Return a run as JSON. Fields that would reveal verdicts hidden from the person behind the key are null."""
    person_id = _person_id(request)
    facts = dict(serializer(run, context={"person_id": person_id}).data)
    _hide([facts], person_id)
    return facts


def _hide(rows: Sequence[dict[str, Any]], person_id: UUID | None) -> None:
    """Set to null every field that would reveal verdicts hidden from this person."""
    if person_id is None:
        return
    ids = {UUID(str(one)) for row in rows for one in (row["id"], row["baseline"]) if one}
    hidden = set(map(str, human_labels.hidden_runs(ids, person_id)))
    for row in rows:
        if not hidden.isdisjoint((str(row["id"]), str(row["baseline"]))):
            row.update({name: None for name in ("report", "judge", "comparison") if name in row})


class RunVerdicts(EvaluationView):
    @extend_schema(request=EmptyInput, responses=RunDetailSerializer)
    def post(self, request: Request, run_id: UUID) -> Response:
        """Show a model's verdicts on a run to the person behind the key, who can then no longer label its results."""
        EmptyInput(data=request.data).is_valid(raise_exception=True)
        person_id = _person_id(request)
        if person_id is not None:
            human_labels.show_verdicts(run_id, person_id)
        return Response(_run_facts(run_with_id(run_id), request, RunDetailSerializer))


class RunCancel(EvaluationView):
    @extend_schema(request=EmptyInput, responses=RunSerializer)
    def post(self, request: Request, run_id: UUID) -> Response:
        """Cancel a run; its results so far are kept. As in the list, hidden verdicts are left out."""
        EmptyInput(data=request.data).is_valid(raise_exception=True)
        services.cancel_run(run_id)
        return Response(_run_facts(run_with_id(run_id), request))


class RunResume(EvaluationView):
    @extend_schema(request=EmptyInput, responses={202: RunSerializer})
    def post(self, request: Request, run_id: UUID) -> Response:
        """Continue an interrupted run. As in the list, hidden verdicts are left out."""
        EmptyInput(data=request.data).is_valid(raise_exception=True)
        services.resume_run(run_id)
        return Response(_run_facts(run_with_id(run_id), request), status=202)


class ResultList(EvaluationView, ListAPIView[Result]):
    """The results of a run."""

    serializer_class = ResultSerializer
    pagination_class = NewestFirstPagination

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the results of a run. If the key acts as a person, the outcome of a case that a model judges (`passed`,
        `reasons`, `grades`, `judged_good` and the verdict in `played`) is null as long as the verdicts are hidden from
        this person. They are hidden until the person has labelled the results or asked to see the verdicts.
        """
        return super().get(request, *args, **kwargs)

    def get_serializer_context(self) -> Mapping[str, Any]:
        if getattr(self, "swagger_fake_view", False):
            return super().get_serializer_context()
        run, person_id = run_with_id(self.kwargs["run_id"]), _person_id(self.request)
        hidden = person_id is not None and bool(human_labels.hidden_runs([run.pk], person_id))
        keys = judged_keys(run) if hidden else ()
        return {**super().get_serializer_context(), "hidden": keys, "actions": all_actions()}

    def get_queryset(self) -> QuerySet[Result]:
        if getattr(self, "swagger_fake_view", False):
            return Result.objects.none()
        rows: QuerySet[Result] = Result.objects.filter(run=run_with_id(self.kwargs["run_id"]))
        return rows


urls = [
    path("evaluations/suites", SuiteList.as_view(), name="evaluation-suites"),
    path("evaluations/runs", RunList.as_view(), name="evaluation-runs"),
    path("evaluations/runs/<uuid:run_id>", RunDetail.as_view(), name="evaluation-run"),
    path("evaluations/runs/<uuid:run_id>/cancel", RunCancel.as_view(), name="evaluation-run-cancel"),
    path("evaluations/runs/<uuid:run_id>/resume", RunResume.as_view(), name="evaluation-run-resume"),
    path("evaluations/runs/<uuid:run_id>/verdicts", RunVerdicts.as_view(), name="evaluation-run-verdicts"),
    path("evaluations/runs/<uuid:run_id>/results", ResultList.as_view(), name="evaluation-results"),
]
