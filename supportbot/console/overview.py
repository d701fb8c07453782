"""The overview page: how conversations went, unanswered questions, money moved, and what needs attention now.

Each part is shown to those whose role may see it.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import F, Q
from django.urls import reverse
from django.utils.timezone import now

from actions.ledger import DayUse, used_by_day_limits
from actions.models import ActionRequest
from actions.money import Money, format_money
from actions.registry import all_actions
from actions.states import State as RequestState
from kb.models import Article, State
from supportbot.accounts.principals import Staff
from supportbot.console.quality import Figure, quality
from supportbot.console.rights import may
from supportbot.console.unanswered import questions
from supportbot.handoff.desk.rows import count_pending_approvals, count_waiting_tickets
from supportbot.llm.selectors import daily_costs

MOST_QUESTIONS: Final = 5
NEARLY: Final = Decimal("0.8")


def overview(person: Staff, days: int) -> dict[str, Any]:
    """Return what the overview shows this person for the last `days` days."""
    asked = questions() if may(person, "kb:read") else []
    context: dict[str, Any] = {
        "now": _now(person),
        "asked": asked[:MOST_QUESTIONS],
        "asked_in_all": len(asked),
        "may_write": may(person, "kb:write"),
    }
    if may(person, "conversations:read"):
        context |= quality(days)
    if may(person, "actions:read"):
        context["limits"] = [_limit(use) for use in used_by_day_limits(now())]
    return context


def _limit(use: DayUse) -> dict[str, Any]:
    action = all_actions().get(use.action)
    return {
        "title": action.title["en"] if action else use.action,
        "taken": format_money(Money(use.taken, use.currency), "en"),
        "limit": format_money(Money(use.limit, use.currency), "en"),
        "value": f"{use.taken:f}",
        "max": f"{use.limit:f}",
        "is_near": use.taken >= use.limit * NEARLY,
    }


def _now(person: Staff) -> list[Figure]:
    wanted = []
    if may(person, "conversations:read"):
        wanted.append(Figure("Waiting for a person", str(count_waiting_tickets()), "at the desk", reverse("desk")))
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
    search = f"{waiting} being indexed" if waiting else "all searchable"
    note = f"{unfinished} draft{'' if unfinished == 1 else 's'}; {search}"
    return Figure("Articles live", f"{live.count():,}", note, reverse("admin:kb_article_changelist"))


def _requests() -> Figure:
    waiting = count_pending_approvals()
    unknown = ActionRequest.objects.filter(state=RequestState.UNKNOWN).count()
    note = f"for approval; {unknown} with an unknown outcome"
    listed = f"{reverse('admin:actions_actionrequest_changelist')}?state={RequestState.AWAITING_APPROVAL}"
    return Figure("Requests waiting", str(waiting), note, listed if waiting else listed.partition("?")[0])


def _cost() -> Figure:
    today = datetime.now(UTC).date()
    rows = daily_costs(days=1, today=today)
    spent = sum((row.cost for row in rows), Decimal(0))
    currency = next((row.currency for row in rows if row.currency), "")
    calls = sum(row.calls for row in rows)
    amount = f"{spent.quantize(Decimal('0.01'))} {currency}".strip()
    note = f"{calls} model call{'' if calls == 1 else 's'}"
    return Figure("Spent today", amount, note, reverse("admin:llm_llmcall_changelist"))
