"""Model calls: cost per day and purpose as a chart and a table, and the details of each call."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from supportbot.chat.models import Conversation
from supportbot.console.base import ScopedAdmin
from supportbot.console.charts import legend_of, stacked
from supportbot.console.filters import InWords
from supportbot.console.words import tag, when
from supportbot.llm.budget import ALL, daily_allowance
from supportbot.llm.models import Budget, LLMBody, LLMCall
from supportbot.llm.selectors import DailyCost, daily_costs, model_in_words

SPANS: Final = (7, 14, 30)
KINDS: Final = {"done": "ok", "refused": "bad", "unclear": "warn", "stopped": ""}
PURPOSES: Final = {
    "answer": "Answers",
    "summarise": "Summaries",
    "rewrite": "Rewriting",
    "verify": "Second looks",
    "judge": "Judging",
    "embed": "Embedding",
}


class OutcomeFilter(InWords):
    title = parameter_name = "outcome"
    words = {str(value): str(value).capitalize() for value in LLMCall.Outcome}


class PurposeFilter(InWords):
    title = parameter_name = "purpose"
    words = PURPOSES


@admin.register(LLMCall)
class LLMCallAdmin(ScopedAdmin):
    one, many = "model call", "Model calls"
    none_yet = "Every answer of the assistant is recorded here, including those of the built-in answerer."
    view_right = "costs:read"
    change_form_template = "console/call.html"
    change_list_template = "console/calls.html"
    # The outcome comes early because narrow pages cut off the last columns.
    list_display = ["began", "purpose_words", "who", "end", "tokens", "money", "first", "whole", "prompt_version"]
    list_filter = [OutcomeFilter, PurposeFilter, "provider"]
    search_fields = ["model", "conversation_id"]
    ordering = ["-id"]
    fields = ["model"]  # the page has its own template

    @admin.display(description="Time", ordering="started_at")
    def began(self, call: LLMCall) -> str:
        return when(call.started_at)

    @admin.display(description="Purpose", ordering="purpose")
    def purpose_words(self, call: LLMCall) -> str:
        return PURPOSES.get(call.purpose, call.purpose)

    @admin.display(description="Model", ordering="model")
    def who(self, call: LLMCall) -> str:
        return model_in_words(call.provider, call.model)

    @admin.display(description="Tokens in, out")
    def tokens(self, call: LLMCall) -> str:
        return f"{call.input_tokens}, {call.output_tokens}{' (estimated)' if call.is_estimated else ''}"

    @admin.display(description="Cost", ordering="cost")
    def money(self, call: LLMCall) -> str:
        return "no price" if call.cost is None else f"{call.cost.normalize():f} {call.currency}".strip()

    @admin.display(description="First token", ordering="time_to_first_token_ms")
    def first(self, call: LLMCall) -> str:
        return "–" if call.time_to_first_token_ms is None else f"{call.time_to_first_token_ms} ms"

    @admin.display(description="Whole", ordering="duration_ms")
    def whole(self, call: LLMCall) -> str:
        return f"{call.duration_ms} ms"

    @admin.display(description="Outcome", ordering="outcome")
    def end(self, call: LLMCall) -> Any:
        words = call.outcome.capitalize() + (f": {call.reason}" if call.reason else "")
        return tag(KINDS.get(call.outcome, ""), words)

    def page_context(self, request: HttpRequest, row: LLMCall) -> dict[str, Any]:
        return {"told": self._told(row), "body": LLMBody.objects.filter(call=row).first()}

    def _told(self, call: LLMCall) -> dict[str, Any]:
        talk = call.conversation_id  # the record outlives an erased chat
        is_there = talk is not None and Conversation.objects.filter(pk=talk).exists()
        return {
            "purpose": self.purpose_words(call),
            "model": self.who(call),
            "outcome": self.end(call),
            "conversation": talk if is_there else None,
            "facts": {
                "Prompt": call.prompt_version or "none",
                "Tokens in": f"{call.input_tokens:,}" + (f", {call.cached_tokens:,} cached" * bool(call.cached_tokens)),
                "Tokens out": f"{call.output_tokens:,}" + " (estimated)" * call.is_estimated,
                "Cost": self.money(call),
                "First token": self.first(call),
                "Whole": self.whole(call),
            },
        }

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        days = request.GET.get("days", "")
        asked = request.GET.copy()
        asked.pop("days", None)  # our own parameter, not a field of a call
        request.GET = asked  # type: ignore[assignment]  # immutable for the type checker only
        span = int(days) if days in {str(one) for one in SPANS} else SPANS[1]
        told = {**costs(span), "span": span, "spans": SPANS}
        answer: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **told})
        return answer


def costs(span: int) -> dict[str, Any]:
    """Return the chart, its legend and its table; without prices, of the number of calls."""
    today = datetime.now(UTC).date()
    rows = daily_costs(days=span, today=today)
    days = [today - timedelta(days=back) for back in reversed(range(span))]
    is_money = any(row.cost for row in rows)
    series = _series(rows, is_money=is_money)
    return {
        "chart": stacked(days, series),
        "legend": legend_of(series),
        "is_money": is_money,
        "currency": next((row.currency for row in rows if row.currency), ""),
        "daily": [(row, _purpose(row), model_in_words(row.provider, row.model)) for row in rows],
        "unpriced": sum(row.unpriced for row in rows),
        "budget": _budget(today),
    }


def _series(rows: Sequence[DailyCost], *, is_money: bool) -> dict[str, dict[date, Decimal]]:
    series: dict[str, dict[date, Decimal]] = {}
    for row in rows:
        values = series.setdefault(_purpose(row), defaultdict(Decimal))
        values[row.day] += row.cost if is_money else Decimal(row.calls)
    return dict(sorted(series.items()))


def _purpose(row: DailyCost) -> str:
    return PURPOSES.get(row.purpose, row.purpose)


def _budget(today: date) -> dict[str, Any] | None:
    allowance = daily_allowance()
    if allowance is None:
        return None
    row = Budget.objects.filter(day=today, purpose=ALL).first()
    return {
        "spent": row.spent if row else Decimal(0),
        "held": row.reserved if row else Decimal(0),
        "amount": allowance,
        "currency": row.currency if row else "",
    }
