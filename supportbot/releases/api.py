"""REST views of releases: the list, drafts, evaluation, publication and restoration."""

from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from supportbot.accounts.principals import Staff
from supportbot.accounts.rest.permissions import needs
from supportbot.accounts.rest.views import ScopedAPIView
from supportbot.pagination import NewestFirstPagination
from supportbot.releases import evaluation, services
from supportbot.releases.models import Release
from supportbot.releases.selectors import live_release, release_with_id, releases
from supportbot.releases.serializers import DraftInput, PublishInput, ReleaseSerializer, RestoreInput
from supportbot.serializer_fields import EmptyInput


class ReleaseView(ScopedAPIView):
    """Reading needs the scope `releases:read`; everything else needs `releases:write`."""

    def get_permissions(self) -> list[BasePermission]:
        return [needs("releases:read" if self.request.method in ("GET", "HEAD", "OPTIONS") else "releases:write")()]

    @property
    def person(self) -> Staff:
        return cast(Staff, self.request.auth)


class ReleaseList(ReleaseView, ListAPIView[Release]):
    """The workspace's releases."""

    serializer_class = ReleaseSerializer
    pagination_class = NewestFirstPagination

    def get_queryset(self) -> QuerySet[Release]:
        live_release()
        return releases()

    @extend_schema(request=DraftInput, responses={201: ReleaseSerializer})
    def post(self, request: Request) -> Response:
        """Create a draft."""
        draft = services.create_draft(person=self.person, **_validated(DraftInput, request))
        return Response(ReleaseSerializer(draft).data, status=201)


class ReleaseDetail(ReleaseView):
    @extend_schema(responses=ReleaseSerializer)
    def get(self, request: Request, release_id: UUID) -> Response:
        """Show one release."""
        return Response(ReleaseSerializer(release_with_id(release_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, release_id: UUID) -> Response:
        """Delete a draft."""
        services.discard(release_id)
        return Response(status=204)


class Publish(ReleaseView):
    @extend_schema(request=PublishInput, responses=ReleaseSerializer)
    def post(self, request: Request, release_id: UUID) -> Response:
        """Make a draft live. `instead_of` is the number of the live release it was compared with."""
        validated = _validated(PublishInput, request)
        return Response(ReleaseSerializer(services.publish(release_id, person=self.person, **validated)).data)


class Restore(ReleaseView):
    @extend_schema(request=RestoreInput, responses=ReleaseSerializer)
    def post(self, request: Request, release_id: UUID) -> Response:
        """Restore an older release as a new one, which goes live at once. The gates run again afterwards. If the older
        release has not passed them, `override` must give the reason.
        """
        validated = _validated(RestoreInput, request)
        return Response(ReleaseSerializer(services.restore(release_id, person=self.person, **validated)).data)


class Evaluate(ReleaseView):
    @extend_schema(request=EmptyInput, responses={202: ReleaseSerializer})
    def post(self, request: Request, release_id: UUID) -> Response:
        """Have the gates evaluate a draft. Its state is `evaluated` once they are done; if they could not judge it,
        `evaluation_problem` says why.
        """
        _validated(EmptyInput, request)
        return Response(ReleaseSerializer(evaluation.request_evaluation(release_id)).data, status=202)


def _validated(form: Any, request: Request) -> dict[str, Any]:
    data = form(data=request.data)
    data.is_valid(raise_exception=True)
    validated: dict[str, Any] = data.validated_data
    return validated


urls = [
    path("releases", ReleaseList.as_view(), name="releases"),
    path("releases/<uuid:release_id>", ReleaseDetail.as_view(), name="release"),
    path("releases/<uuid:release_id>/publish", Publish.as_view(), name="release-publish"),
    path("releases/<uuid:release_id>/restore", Restore.as_view(), name="release-restore"),
    path("releases/<uuid:release_id>/evaluate", Evaluate.as_view(), name="release-evaluate"),
]
