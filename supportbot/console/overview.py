"""The first page: what wants somebody, in the order in which it does, for those whose role may see it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils.timezone import get_current_timezone, localtime, now

from actions.models import ActionRequest
from actions.states import State as RequestState
from kb.models import Article, State
from supportbot.accounts.callers import Staff
from supportbot.chat.models import Audience, Conversation, Message, Source
from supportbot.console.charts import legend_of, stacked
from supportbot.console.rights import may
from supportbot.console.unanswered import questions
from supportbot.handoff.models import State as TicketState
from supportbot.handoff.selectors import tickets_in
from supportbot.llm.selectors import daily_costs

DAYS: Final = 14
MOST_QUESTIONS: Final = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with what it means and where to go on."""

    label: str
    value: str
    note: str
    href: str


def overview(person: Staff) -> dict[str, Any]:
    """Return what the first page shows to this person."""
    figures: list[Figure] = []
    told: dict[str, Any] = {}
    if may(person, "conversations:read"):
        figures += _conversations()
        told = _ends()
    if may(person, "kb:read"):
        figures.append(_articles())
    if may(person, "actions:read"):
        figures.append(_requests())
    if may(person, "costs:read"):
        figures.append(_cost())
    asked = questions() if may(person, "kb:read") else []
    return {
        "figures": figures,
        "asked": asked[:MOST_QUESTIONS],
        "asked_in_all": len(asked),
        "may_write": may(person, "kb:write"),
        **told,
    }


def _ends() -> dict[str, Any]:
    """Return the answers of each day by how they ended, as a chart and as its table."""
    today = localtime().date()
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    since = datetime.combine(days[0], time.min, tzinfo=get_current_timezone())  # the workspace's days
    rows = _spoken().filter(created_at__gte=since).annotate(day=TruncDate("created_at")).order_by()
    ends = {
        "Answered": rows.filter(source=Source.ASSISTANT, is_abstention=False),
        "By a person": rows.filter(source=Source.AGENT),
        "Did not know": rows.filter(source=Source.ASSISTANT, is_abstention=True),
    }
    series = {name: _by_day(found) for name, found in ends.items()}
    return {
        "chart": stacked(days, series),
        "legend": legend_of(series),
        "kinds": list(series),
        "table": [(day, [values.get(day, 0) for values in series.values()]) for day in reversed(days)],
        "days": DAYS,
    }


def _by_day(rows: QuerySet[Any]) -> dict[date, Decimal]:
    return {row["day"]: Decimal(row["number"]) for row in rows.values("day").annotate(number=Count("pk"))}


def _spoken() -> QuerySet[Message]:
    return Message.objects.filter(audience=Audience.EVERYONE)


def _conversations() -> list[Figure]:
    since = now() - timedelta(days=DAYS)
    answers = _spoken().filter(source=Source.ASSISTANT, created_at__gte=since)
    answered, unknown = answers.count(), answers.filter(is_abstention=True).count()
    share = f"{round(100 * unknown / answered)} % of answers were “I do not know”" if answered else "none yet"
    waiting = tickets_in().filter(state=TicketState.WAITING).count()
    begun = Conversation.objects.filter(created_at__gte=since).count()
    return [
        Figure("Waiting for a person", str(waiting), "at the desk, now", reverse("desk")),
        Figure("Conversations", f"{begun:,}", f"{DAYS} days; {share}", reverse("admin:chat_conversation_changelist")),
    ]


def _articles() -> Figure:
    live = Article.objects.filter(state=State.LIVE)
    behind = live.exclude(indexed_revision=F("live_revision__number")) | live.filter(indexed_revision=None)
    drafts = Article.objects.filter(Q(state=State.DRAFT) | Q(state=State.LIVE) & ~Q(live_revision=F("latest_revision")))
    waiting, unfinished = behind.count(), drafts.count()
    search = f"{waiting} getting ready for search" if waiting else "all searchable"
    note = f"{unfinished} draft{'' if unfinished == 1 else 's'}; {search}"
    return Figure("Articles live", f"{live.count():,}", note, reverse("admin:kb_article_changelist"))


def _requests() -> Figure:
    rows = ActionRequest.objects
    waiting = rows.filter(state=RequestState.AWAITING_APPROVAL).count()
    unknown = rows.filter(state=RequestState.UNKNOWN).count()
    note = f"for an approval; {unknown} with an outcome not known yet"
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
