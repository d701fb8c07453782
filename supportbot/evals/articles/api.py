"""REST views of publications: the cases that were broken by publishing without the gates, and the comparisons of the
answers to customers' questions before and after.
"""

from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from django.db.models import Exists, Q, QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from kb.selectors import article_with_id
from supportbot.accounts.principals import Staff
from supportbot.accounts.rest.permissions import needs
from supportbot.accounts.rest.views import ScopedAPIView
from supportbot.evals.articles.answer_comparison import Outcome
from supportbot.evals.articles.batch_comparison import comparison_with_id
from supportbot.evals.articles.broken_cases import checks
from supportbot.evals.articles.draft_checks import compared_in
from supportbot.evals.articles.publication_comparison import awaited, newest_comparison, outcomes_in
from supportbot.evals.articles.published_checks import checked_articles
from supportbot.evals.models import ArticleCheck, ChangedArticle, DraftCheck
from supportbot.pagination import NewestFirstPagination
from supportbot.query_parameters import id_of

QUESTIONS: Final = "conversations:read"
STATES: Final = ("waiting", "running", "done", "cancelled", "none")


class BrokenCaseSerializer(serializers.Serializer[Any]):
    """A case that passes with the former text and fails with the new one."""

    case = serializers.CharField(help_text="The suite and the case, such as `demo: window`.")
    question = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()
    reasons = serializers.ListField(child=serializers.CharField())


class ArticleCheckSerializer(serializers.ModelSerializer[ArticleCheck]):
    failures = BrokenCaseSerializer(many=True)
    fixed = serializers.ListField(
        source="mended",
        child=serializers.CharField(),
        read_only=True,
        help_text="Cases that an earlier check reported and that now pass again.",
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
            "fixed",
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
        """List the checks. A check begins when nothing has changed for 15 seconds. Without gates, it runs no cases.
        `comparison` is the id of the comparison of the answers to customers' questions; null if nothing is compared.
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


class ComparedQuestionSerializer(serializers.Serializer[Any]):
    """A customer's question, without personal data, and both answers; "" means no answer."""

    question = serializers.CharField()
    outcome = serializers.CharField(help_text="`worse`, `changed`, `better` or `same`.")
    before = serializers.CharField()
    after = serializers.CharField()


class OutcomeCountsSerializer(serializers.Serializer[Any]):
    """The number of questions for each outcome."""

    worse = serializers.IntegerField()
    changed = serializers.IntegerField()
    better = serializers.IntegerField()
    same = serializers.IntegerField()


class ConflictSerializer(serializers.Serializer[Any]):
    """A sentence of a new text, and the sentence in another live article that contradicts or repeats it."""

    ours = serializers.CharField()
    theirs = serializers.CharField()
    article = serializers.UUIDField()
    other = serializers.UUIDField()


class ComparisonSerializer(serializers.Serializer[Any]):
    """How a publication affects customers' questions. Everything is empty or null until it is known."""

    id = serializers.UUIDField(allow_null=True)
    state = serializers.ChoiceField(
        choices=STATES, help_text="`none`: nothing was compared, or it was deleted after seven days."
    )
    articles = serializers.ListField(child=serializers.UUIDField())
    left_out = serializers.IntegerField(
        help_text="The number of changed articles that were not compared because they exceed 500."
    )
    played = serializers.IntegerField(help_text="The number of questions asked so far.")
    total = serializers.IntegerField(allow_null=True, help_text="The total number of questions, at most 36.")
    outcomes = OutcomeCountsSerializer()
    questions = ComparedQuestionSerializer(
        many=True, allow_null=True, help_text="Worst first; null without the scope `conversations:read`."
    )
    contradictions = ConflictSerializer(many=True, allow_null=True)
    duplicates = ConflictSerializer(many=True, allow_null=True)
    problem = serializers.CharField()
    created_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


@dataclass(frozen=True, slots=True)
class ComparisonResponse:
    """A comparison, as far as the caller may see it; null if there is none yet."""

    comparison: DraftCheck | None
    is_awaited: bool
    reads_questions: bool

    def facts(self) -> dict[str, Any]:
        one = self.comparison
        found = (one.found or {}) if one else {}
        counts = outcomes_in(one) if one else {}
        return {
            "id": one.pk if one else None,
            "state": one.state if one else "waiting" if self.is_awaited else "none",
            "articles": list(one.articles or [one.article_id]) if one else [],
            "left_out": one.left_out if one else 0,
            "played": len(one.rows) if one else 0,
            "total": len(one.items) if one and one.items is not None else None,
            "outcomes": {str(outcome): counts.get(outcome, 0) for outcome in Outcome},
            "questions": compared_in(one) if one and self.reads_questions else None,
            "contradictions": found.get("contradictions"),
            "duplicates": found.get("duplicates"),
            "problem": one.problem if one else "",
            "created_at": one.created_at if one else None,
            "finished_at": one.finished_at if one else None,
        }


class ArticleComparison(ScopedAPIView):
    permission_classes = [needs("kb:read")]

    @extend_schema(operation_id="article_comparison", responses=ComparisonSerializer)
    def get(self, request: Request, article_id: UUID) -> Response:
        """Show how the newest publication of an article affects customers' questions. Poll it until `state` is `done`.
        At first, it is `waiting`, because a comparison begins when nothing has changed for 15 seconds. Articles that
        were published together are compared together.
        """
        article = article_with_id(article_id)
        is_awaited = awaited([article_id])
        found = None if is_awaited else newest_comparison(article)
        return _answer(request, found, is_awaited=is_awaited)


class Comparison(ScopedAPIView):
    permission_classes = [needs("kb:read")]

    @extend_schema(operation_id="article_comparison_retrieve", responses=ComparisonSerializer)
    def get(self, request: Request, comparison_id: UUID) -> Response:
        """Show the comparison of an article check."""
        return _answer(request, comparison_with_id(comparison_id), is_awaited=False)


def _answer(request: Request, comparison: DraftCheck | None, *, is_awaited: bool) -> Response:
    response = ComparisonResponse(comparison, is_awaited, cast(Staff, request.auth).may(QUESTIONS))
    return Response(ComparisonSerializer(response.facts()).data)


urls = [
    path("article-checks", ArticleCheckList.as_view()),
    path("articles/<uuid:article_id>/comparison", ArticleComparison.as_view(), name="article-comparison"),
    path("article-comparisons/<uuid:comparison_id>", Comparison.as_view()),
]
