"""The overview page: outcomes of conversations, unanswered questions, money moved, and what needs attention.

Each part is shown only to people whose role allows it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from django.contrib import admin
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext

from actions.cards import title_of
from actions.ledger import DayUse, used_by_day_limits
from actions.models import ActionRequest
from actions.money import Money, format_money
from actions.states import State as RequestState
from kb.models import Article, State
from supportbot.accounts.principals import Staff
from supportbot.console.articles.comparisons import notices
from supportbot.console.conversations.overview_figures import Figure, quality
from supportbot.console.conversations.reporting_period import asked_span
from supportbot.console.improve.listing import row_of
from supportbot.console.permissions import may
from supportbot.console.request_context import staff, workspace_here
from supportbot.console.setup_checklist import checklist
from supportbot.handoff.desk.queue_rows import count_pending_approvals, count_waiting_tickets
from supportbot.insights.improve.clusters import alike_in_letters
from supportbot.insights.improve.findings import Kind, findings
from supportbot.llm.release_routes import BUILTIN
from supportbot.llm.selectors import DailyCost, currency_of_costs, daily_costs
from supportbot.team_formats import active_language, cost, number

MAX_QUESTIONS: Final = 5
NEARLY: Final = Decimal("0.8")


def overview_page(request: HttpRequest) -> HttpResponse:
    person = staff(request)
    shown = overview(person, asked_span(request))
    steps = checklist(person, workspace_here(request))
    texts = {"title": admin.site.index_title, "checklist": steps, "notices": notices(request)}
    return render(request, "console/overview.html", {**admin.site.each_context(request), **texts, **shown})


def overview(person: Staff, days: int) -> dict[str, Any]:
    """Return the overview's template context for this person and the last `days` days."""
    found = alike_in_letters(findings(Kind.UNANSWERED)) if may(person, "kb:read") else []
    asked = [row_of(one) for one in found]
    context: dict[str, Any] = {
        "now": _now(person),
        "asked": asked[:MAX_QUESTIONS],
        "asked_in_all": sum(row.times for row in asked),
        "may_write": may(person, "kb:write"),
    }
    if may(person, "conversations:read"):
        context |= quality(days, sees_cost=may(person, "costs:read"))
    if may(person, "actions:read"):
        context["limits"] = [_limit(use) for use in used_by_day_limits(now())]
    return context


def _limit(use: DayUse) -> dict[str, Any]:
    return {
        "title": title_of(use.action, active_language()),
        "taken": format_money(Money(use.taken, use.currency), active_language()),
        "limit": format_money(Money(use.limit, use.currency), active_language()),
        "value": f"{use.taken:f}",
        "max": f"{use.limit:f}",
        "is_near": use.taken >= use.limit * NEARLY,
    }


def _now(person: Staff) -> list[Figure]:
    wanted = []
    if may(person, "conversations:read"):
        wanted.append(
            Figure(
                gettext("Waiting for a person"),
                number(count_waiting_tickets()),
                gettext("at the desk"),
                reverse("desk"),
            )
        )
    if may(person, "actions:read"):
        wanted.append(_requests())
    if may(person, "kb:read"):
        wanted.append(_articles())
    if may(person, "costs:read"):
        wanted.append(_cost())
    return wanted


def _articles() -> Figure:
    live = Article.objects.filter(state=State.LIVE)
    behind = live.exclude(indexed_revision=F("live_revision__number")) | live.filter(indexed_revision=None)
    drafts = Article.objects.filter(Q(state=State.DRAFT) | Q(state=State.LIVE) & ~Q(live_revision=F("latest_revision")))
    waiting, unfinished = behind.count(), drafts.count()
    open_drafts = ngettext("{number} draft", "{number} drafts", unfinished).format(number=number(unfinished))
    search = gettext("{number} being indexed").format(number=number(waiting)) if waiting else gettext("all searchable")
    note = gettext("{drafts}; {search}").format(drafts=open_drafts, search=search)
    return Figure(gettext("Articles live"), number(live.count()), note, reverse("admin:kb_article_changelist"))


def _requests() -> Figure:
    waiting = count_pending_approvals()
    unknown = ActionRequest.objects.filter(state=RequestState.UNKNOWN).exclude(reason_code="in_progress").count()
    note = gettext("for approval; {number} with an unknown outcome").format(number=number(unknown))
    listed = f"{reverse('admin:actions_actionrequest_changelist')}?state={RequestState.AWAITING_APPROVAL}"
    return Figure(gettext("Requests waiting"), number(waiting), note, listed if waiting else listed.partition("?")[0])


def _cost() -> Figure:
    today = datetime.now(UTC).date()
    rows = daily_costs(days=2, today=today)
    of_today = [row for row in rows if row.day == today]
    calls = sum(row.calls for row in of_today if row.provider != BUILTIN)  # the built-in answerer is not a model
    counted = ngettext("{number} model call", "{number} model calls", calls).format(number=number(calls))
    currency = next((row.currency for row in rows if row.currency), "") or currency_of_costs()
    yesterday = _spent([row for row in rows if row.day != today], currency)
    note = gettext("{calls} since midnight UTC; yesterday {amount}").format(calls=counted, amount=yesterday)
    return Figure(gettext("Spent today"), _spent(of_today, currency), note, reverse("admin:llm_llmcall_changelist"))


def _spent(rows: Sequence[DailyCost], currency: str) -> str:
    return cost(sum((row.cost for row in rows), Decimal(0)), currency)
