"""Model calls: the cost per day and purpose as a chart and a table, and the details of each call."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from supportbot.chat.models import Conversation
from supportbot.console.base import ScopedAdmin
from supportbot.console.charts import legend_of, stacked
from supportbot.console.display import amounts, moment_in_words, tag
from supportbot.console.filters import LabelledFilter
from supportbot.llm.budget import ALL, EVALUATION, daily_allowance
from supportbot.llm.errors import Reason
from supportbot.llm.models import Budget, LLMBody, LLMCall
from supportbot.llm.release_routes import BUILTIN
from supportbot.llm.selectors import DailyCost, daily_costs, model_in_words, provider_in_words
from supportbot.team_formats import cost, labelled, number

SPANS: Final = (7, 14, 30)
NEWEST_CALLS: Final = 5_000
KINDS: Final = {"done": "ok", "refused": "bad", "unclear": "warn", "stopped": "", "skipped": "warn"}
OUTCOMES: Final = {
    "done": gettext_noop("Done"),
    "refused": gettext_noop("Refused"),
    "unclear": gettext_noop("Unclear"),
    "stopped": gettext_noop("Stopped"),
    "skipped": gettext_noop("Skipped"),
}
# Short, since they appear in a column of the list.
REASONS: Final = {
    Reason.UNREACHABLE: gettext_noop("server unreachable"),
    Reason.CUT: gettext_noop("connection lost"),
    Reason.STALLED: gettext_noop("server stopped responding"),
    Reason.DEADLINE: gettext_noop("took too long"),
    Reason.GARBAGE: gettext_noop("unreadable response"),
    Reason.TOO_LARGE: gettext_noop("response too large"),
    Reason.TOO_LONG: gettext_noop("request too long"),
    Reason.RATE_LIMITED: gettext_noop("too many requests"),
    Reason.QUOTA: gettext_noop("no credit left"),
    Reason.SERVER_ERROR: gettext_noop("server error"),
    Reason.REJECTED: gettext_noop("request rejected"),
    Reason.NOT_AUTHORISED: gettext_noop("key not accepted"),
    Reason.NOT_FOUND: gettext_noop("unknown model or address"),
    Reason.CIRCUIT_OPEN: gettext_noop("paused after failures"),
    Reason.BUDGET: gettext_noop("too little budget left"),
}
PURPOSES: Final = {
    "answer": gettext_noop("Answers"),
    "summarise": gettext_noop("Summaries"),
    "rewrite": gettext_noop("Rewriting"),
    "translate": gettext_noop("Translation"),
    "draft": gettext_noop("Drafts for agents"),
    "verify": gettext_noop("Second looks"),
    "judge": gettext_noop("Judging"),
    "embed": gettext_noop("Embedding"),
    "evaluation": gettext_noop("Evaluations"),
    "test": gettext_noop("Test"),
}


class OutcomeFilter(LabelledFilter):
    title = _("outcome")
    parameter_name = "outcome"
    words = OUTCOMES


class PurposeFilter(LabelledFilter):
    title = _("purpose")
    parameter_name = "purpose"
    words = PURPOSES


class ProviderFilter(SimpleListFilter):
    """Filters by the providers of the newest calls. Django's own filter would read all calls to find its choices."""

    title = _("provider")
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        newest = LLMCall.objects.order_by("-id").values_list("provider", flat=True)[:NEWEST_CALLS]
        chosen = {request.GET[self.parameter_name]} if request.GET.get(self.parameter_name) else set()
        names = {name: provider_in_words(name) for name in {*newest, *chosen}}
        names |= {BUILTIN: capfirst(names[BUILTIN])} if BUILTIN in names else {}
        return sorted(names.items(), key=lambda named: named[1].lower())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(provider=self.value()) if self.value() else queryset


@admin.register(LLMCall)
class LLMCallAdmin(ScopedAdmin):
    many = _("Model calls")
    none_yet = _("Every answer from the assistant is recorded here, including those from the built-in answerer.")
    view_right = "costs:read"
    change_form_template = "console/call.html"
    change_list_template = "console/calls.html"
    # The outcome comes early because narrow pages cut off the last columns.
    list_display = ["began", "purpose_words", "who", "end", "tokens", "money", "first", "whole"]
    list_filter = [OutcomeFilter, PurposeFilter, ProviderFilter]
    search_fields = ["model"]  # `get_search_results` also searches by a conversation's id
    ordering = ["-id"]
    fields = ["model"]  # the page has its own template

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by part of a model's name, or find a conversation's calls by its id, which uses an index."""
        try:
            conversation = UUID(search_term.strip())
        except ValueError:
            found: tuple[QuerySet[Any], bool] = super().get_search_results(request, queryset, search_term)
            return found
        return queryset.filter(conversation_id=conversation), False

    @admin.display(description=_("Time"), ordering="started_at")
    def began(self, call: LLMCall) -> str:
        return moment_in_words(call.started_at)

    @admin.display(description=_("Purpose"), ordering="purpose")
    def purpose_words(self, call: LLMCall) -> str:
        return purpose_label(call.purpose)

    @admin.display(description=_("Model"), ordering="model")
    def who(self, call: LLMCall) -> str:
        return model_in_words(call.provider, call.model)

    @admin.display(description=_("Tokens (in / out)"))
    def tokens(self, call: LLMCall) -> str:
        counted = f"{number(call.input_tokens)} / {number(call.output_tokens)}"
        return gettext("{tokens} (estimated)").format(tokens=counted) if call.is_estimated else counted

    @admin.display(description=_("Cost"), ordering="cost")
    def money(self, call: LLMCall) -> str:
        return gettext("no price") if call.cost is None else amounts({call.currency: call.cost})

    @admin.display(description=_("First token"), ordering="time_to_first_token_ms")
    def first(self, call: LLMCall) -> str:
        return "–" if call.time_to_first_token_ms is None else f"{call.time_to_first_token_ms} ms"

    @admin.display(description=_("Total"), ordering="duration_ms")
    def whole(self, call: LLMCall) -> str:
        return f"{call.duration_ms} ms"

    @admin.display(description=_("Outcome"), ordering="outcome")
    def end(self, call: LLMCall) -> Any:
        outcome = gettext(OUTCOMES[call.outcome])
        words = labelled(outcome, reason_label(call.reason)) if call.reason else outcome
        return tag(KINDS.get(call.outcome, ""), words)

    def page_context(self, request: HttpRequest, row: LLMCall) -> dict[str, Any]:
        return {"told": self._details(row), "body": LLMBody.objects.filter(call=row).first()}

    def _details(self, call: LLMCall) -> dict[str, Any]:
        conversation_id = call.conversation_id  # the record remains after the chat is erased
        is_there = conversation_id is not None and Conversation.objects.filter(pk=conversation_id).exists()
        return {
            "purpose": self.purpose_words(call),
            "model": self.who(call),
            "outcome": self.end(call),
            "conversation": conversation_id if is_there else None,
            "facts": {
                gettext("Prompt version"): prompt_number(call) or gettext("none"),
                gettext("Tokens in"): _tokens_in(call),
                gettext("Tokens out"): _tokens_out(call),
                gettext("Cost"): self.money(call),
                gettext("First token"): self.first(call),
                gettext("Total"): self.whole(call),
            },
        }

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        days = request.GET.get("days", "")
        params = request.GET.copy()
        params.pop("days", None)  # not a field of a call
        request.GET = params  # type: ignore[assignment]  # immutable for the type checker only
        span = int(days) if days in {str(one) for one in SPANS} else SPANS[1]
        context = {**costs(span), "span": span, "spans": SPANS}
        answer: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **context})
        return answer


def _tokens_in(call: LLMCall) -> str:
    read = number(call.input_tokens)
    if not call.cached_tokens:
        return read
    return gettext("{tokens} ({cached} cached)").format(tokens=read, cached=number(call.cached_tokens))


def _tokens_out(call: LLMCall) -> str:
    written = number(call.output_tokens)
    return gettext("{tokens} (estimated)").format(tokens=written) if call.is_estimated else written


def purpose_label(purpose: str) -> str:
    """Return the console's name for the purpose of a call."""
    return gettext(PURPOSES[purpose]) if purpose in PURPOSES else purpose


def prompt_number(call: LLMCall) -> str:
    """Return the number of a call's prompt, such as 4 for `answer-4`; "" if it has none.

    The purpose is shown next to it.
    """
    return call.prompt_version.rpartition("-")[2]


def reason_label(reason: str) -> str:
    """Return the console's text for the reason why a call failed, or the reason itself if there is no text."""
    return gettext(REASONS[Reason(reason)]) if reason in REASONS else reason


def costs(span: int) -> dict[str, Any]:
    """Return the chart of costs with its legend and table. If there are no prices, they show the number of calls."""
    today = datetime.now(UTC).date()
    rows = daily_costs(days=span, today=today)
    days = [today - timedelta(days=back) for back in reversed(range(span))]
    is_money, currency = any(row.cost for row in rows), next((row.currency for row in rows if row.currency), "")
    series = _series(rows, is_money=is_money)
    return {
        "chart": stacked(days, series),
        "legend": [
            (n, name, cost(total, currency) if is_money else number(total)) for n, name, total in legend_of(series)
        ],
        "is_money": is_money,
        "currency": currency,
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
    return purpose_label(row.purpose)


def _budget(today: date) -> dict[str, Any] | None:
    allowance = daily_allowance()
    if allowance is None:
        return None
    row = Budget.objects.filter(day=today, purpose=ALL).first()
    spent = row.spent if row else Decimal(0)
    return {
        "spent": spent,
        "held": row.reserved if row else Decimal(0),
        "amount": allowance,
        "currency": row.currency if row else "",
        "is_used_up": spent >= allowance or _was_newest_skipped(today),
    }


def _was_newest_skipped(today: date) -> bool:
    """Return whether today's newest call to a model did not fit into the budget. If the budget has been raised, this is
    noticed only after the next call.
    """
    others = (EVALUATION, "verify", "embed")  # the first two have their own budgets, and vectors cost much less
    calls = LLMCall.objects.filter(started_at__gte=datetime.combine(today, time.min, UTC))
    newest = calls.exclude(provider=BUILTIN).exclude(purpose__in=others).order_by("-started_at").first()
    return newest is not None and newest.outcome == LLMCall.Outcome.SKIPPED
