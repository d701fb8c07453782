"""REST view of article checks: the cases broken by publishing without the gates."""

from typing import Any
from uuid import UUID

from django.db.models import Exists, Q, QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from supportbot.accounts.rest.permissions import needs
from supportbot.accounts.rest.views import ScopedAPIView
from supportbot.evals.articles.broken_cases import checks
from supportbot.evals.articles.published_checks import checked_articles
from supportbot.evals.models import ArticleCheck, ChangedArticle
from supportbot.web import NewestFirstPagination, id_of


class BrokenCaseSerializer(serializers.Serializer[Any]):
    """A case that passes with the former texts and fails with the new ones."""

    case = serializers.CharField(help_text="The suite and the case, such as `demo: window`.")
    question = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()
    reasons = serializers.ListField(child=serializers.CharField())


class ArticleCheckSerializer(serializers.ModelSerializer[ArticleCheck]):
    failures = BrokenCaseSerializer(many=True)
    mended = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text="Cases that an earlier check reported and that pass again.",
    )
    articles = serializers.SerializerMethodField()
    played = serializers.IntegerField(read_only=True, help_text="Cases that were run.")
    untried = serializers.IntegerField(read_only=True, help_text="Cases that were not run in time.")

    class Meta:
        model = ArticleCheck
        fields = [
            "id",
            "state",
            "articles",
            "played",
            "untried",
            "failures",
            "mended",
            "problem",
            "comparison",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields
        extra_kwargs = {"comparison": {"allow_null": True}}

    @extend_schema_field({"type": "array", "items": {"type": "string", "format": "uuid"}})
    def get_articles(self, check: ArticleCheck) -> list[UUID]:
        return checked_articles(check)


class ArticleCheckList(ScopedAPIView, ListAPIView[ArticleCheck]):
    """The checks of articles that were published without the gates, newest first."""

    permission_classes = [needs("kb:read")]
    serializer_class = ArticleCheckSerializer
    pagination_class = NewestFirstPagination
    filters = frozenset({"article"})

    @extend_schema(
        operation_id="article_checks_list",
        parameters=[OpenApiParameter("article", str, description="Only checks of this article (UUID).")],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the checks. A check begins when nothing has changed for 15 seconds; without gates, it runs no cases. Its
        `comparison` is the id of the comparison of customers' questions; null if nothing is compared.
        """
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[ArticleCheck]:
        if getattr(self, "swagger_fake_view", False):  # the schema is generated without a request
            return ArticleCheck._base_manager.none()
        rows = checks()
        if "article" in self.request.query_params:
            article_id = id_of("article", self.request.query_params["article"])
            is_waiting = Q(state="waiting") & Exists(ChangedArticle.objects.filter(article_id=article_id))
            rows = rows.filter(Q(articles__contains=[article_id]) | is_waiting)
        return rows


urls = [path("article-checks", ArticleCheckList.as_view())]
