"""Serializers of the evaluations API. They parse and render; the services check and save."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from supportbot.evals.grading.judge_agreement import Agreement, agreements_in
from supportbot.evals.grading.run_reports import report_from
from supportbot.evals.models import Result, Run, Suite
from supportbot.evals.result_texts import comparison_facts, reasons
from supportbot.evals.selectors import compared_with_baseline
from supportbot.evals.suite_formats.own_format import MAX_REPEAT
from supportbot.serializer_fields import ClosedSerializerMixin, WholeNumberField, example


class SuiteSerializer(serializers.ModelSerializer[Suite]):
    """A suite; `cases` is the number of its cases."""

    cases = serializers.IntegerField(source="count", read_only=True)

    class Meta:
        model = Suite
        fields = ["id", "name", "title", "about", "cases", "created_at", "updated_at"]


@example(suite="demo", repeat=3)
class RunInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    suite = serializers.RegexField(r"^[a-z0-9][a-z0-9_-]{0,59}$", help_text="The name of a suite.")
    repeat = WholeNumberField(
        min_value=1, max_value=MAX_REPEAT, default=1, help_text="How many times each case is run."
    )
    release = WholeNumberField(
        min_value=1,
        max_value=999_999_999,
        required=False,
        help_text="The release that answers; by default the live one.",
    )
    against = WholeNumberField(
        min_value=1,
        max_value=999_999_999,
        required=False,
        allow_null=True,
        help_text="Compare with the last run of this release, by default the live one. null: no comparison.",
    )


class _RunListSerializer(serializers.ListSerializer[Any]):
    """A page of runs. The agreement of their judges with people is looked up for all runs at once."""

    def to_representation(self, data: Any) -> list[Any]:
        runs = list(data)
        self.child.agreements = agreements_in(runs, self.context.get("person_id"))  # type: ignore[union-attr]  # a RunSerializer
        return super().to_representation(runs)


class RunSerializer(serializers.ModelSerializer[Run]):
    """`report` is set once a run is done: shares with intervals, failed cases, regressions and cost."""

    suite = serializers.CharField(source="suite_name", read_only=True)
    release = serializers.IntegerField(source="release_number", read_only=True, allow_null=True)
    baseline = serializers.UUIDField(source="baseline_id", read_only=True, allow_null=True)
    judge = serializers.SerializerMethodField(
        help_text="How the judging model's verdicts agree with people's labels; null if nothing was judged."
    )

    agreements: Mapping[UUID, Agreement] | None = None  # for all runs on a page; for a single run, they are looked up

    class Meta:
        model = Run
        list_serializer_class = _RunListSerializer
        fields = [
            "id", "suite", "state", "problem", "release", "baseline", "repeat", "total", "done", "report", "judge",
            "created_at", "finished_at",
        ]  # fmt: skip

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
    def get_judge(self, run: Run) -> dict[str, Any] | None:
        known = self.agreements
        if known is None:  # labels in runs that are hidden from the person in the context do not count
            known = agreements_in([run], self.context.get("person_id"))
        agreement = known.get(run.pk)
        return agreement.as_json() if agreement else None


class RunDetailSerializer(RunSerializer):
    comparison = serializers.SerializerMethodField(
        help_text=(
            "How the run differs from its baseline, and whether chance explains the difference (`p`); null without a "
            "baseline and until the run is done."
        )
    )

    class Meta(RunSerializer.Meta):
        fields = [*RunSerializer.Meta.fields, "comparison"]

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
    def get_comparison(self, run: Run) -> dict[str, Any] | None:
        return comparison_facts(compared_with_baseline(run), report_from(run.report) if run.report else None)


class ResultSerializer(serializers.ModelSerializer[Result]):
    """One try of a case. `played` contains the conversation, its passages, calls and cost."""

    case = serializers.CharField(source="key", read_only=True)
    passed = serializers.BooleanField(
        read_only=True,
        allow_null=True,
        help_text="Null while a model's verdict is hidden from the person the key acts for.",
    )
    grades = serializers.ListField(child=serializers.DictField(), read_only=True, allow_null=True)
    reasons = serializers.SerializerMethodField(help_text="The reasons for failing, one sentence per expectation.")

    class Meta:
        model = Result
        fields = [
            "id", "case", "number", "passed", "is_must", "is_deterministic", "reasons", "grades", "judged_good",
            "took_ms", "played", "created_at",
        ]  # fmt: skip

    def to_representation(self, result: Result) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(result)
        if result.key in self.context.get("hidden", ()):
            shown.update(dict.fromkeys(("passed", "reasons", "grades", "judged_good"), None))
            shown["played"] = {**shown["played"], "judgement": None}
        return shown

    @extend_schema_field({"type": ["array", "null"], "items": {"type": "string"}})
    def get_reasons(self, result: Result) -> list[str]:
        return reasons(result.grades, self.context["actions"])
