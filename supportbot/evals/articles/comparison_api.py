"""REST views of the comparisons of customers' questions before and after publications."""

from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kb.selectors import article_with_id
from supportbot.accounts.principals import Staff
from supportbot.accounts.rest.permissions import needs
from supportbot.accounts.rest.views import ScopedAPIView
from supportbot.evals.articles.answer_comparison import Outcome
from supportbot.evals.articles.batch_comparison import comparison_with_id
from supportbot.evals.articles.draft_checks import compared_in
from supportbot.evals.articles.publication_comparison import awaited, newest_comparison, outcomes_in
from supportbot.evals.models import DraftCheck

QUESTIONS: Final = "conversations:read"
STATES: Final = ("waiting", "running", "done", "cancelled", "none")


class ComparedQuestionSerializer(serializers.Serializer[Any]):
    """A customer's question, without personal data, and both answers; "" for none."""

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
    """A sentence of a new text, and the one in another live article that contradicts or repeats it."""

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
    left_out = serializers.IntegerField(help_text="Changed articles beyond 500, which were not compared.")
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
class Told:
    """A comparison as the caller may see it; None if there is none, or not yet."""

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
        """Show the comparison named in an article check."""
        return _answer(request, comparison_with_id(comparison_id), is_awaited=False)


def _answer(request: Request, comparison: DraftCheck | None, *, is_awaited: bool) -> Response:
    told = Told(comparison, is_awaited, cast(Staff, request.auth).may(QUESTIONS))
    return Response(ComparisonSerializer(told.facts()).data)


urls = [
    path("articles/<uuid:article_id>/comparison", ArticleComparison.as_view(), name="article-comparison"),
    path("article-comparisons/<uuid:comparison_id>", Comparison.as_view()),
]
