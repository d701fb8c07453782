"""The queue as the desk lists it, most urgent first.

Only one page is read at a time, because thousands of tickets may be open.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, F, Min, Q, QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest
from django.utils.timezone import now
from django.utils.translation import gettext

from actions.models import ActionRequest
from actions.states import State as ActionState
from supportbot.accounts.models import User
from supportbot.bulk_reads import wide_reads
from supportbot.chat.conversation_search import first_with
from supportbot.chat.customer_language import detected_language
from supportbot.chat.models import Conversation, Message, Source
from supportbot.handoff.desk.labels import avatar_hue, duration_label, first_name, initials
from supportbot.handoff.desk.ticket_reasons import REASON_ICONS, reason_label
from supportbot.handoff.models import HELD, OPEN, TICKET_WORDS, Priority, Reason, State, Ticket
from supportbot.handoff.tickets.queue_rules import LATE_AFTER, NEARLY_LATE_AFTER, is_late, is_nearly_late
from supportbot.handoff.tickets.selectors import ticket_queryset
from supportbot.language.detection import base_language
from supportbot.team_formats import language_name
from supportbot.word_search import MAX_CHARACTERS, HasWord, words_of

ROWS_PER_PAGE: Final = 50
MAX_SEARCH_PAGES: Final = 20  # a search reads the ids of all pages up to the requested one
GROUPS: Final = {
    "open": ("mine", "waiting", "aside", "colleagues"),
    "mine": ("mine", "aside"),
    "waiting": ("waiting",),
}
SHOWN: Final = (*GROUPS, "all")
MAX_PREVIEW_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class Row:
    """One ticket in a list. `group` is the heading above it, and `rank` its sort key, smallest first."""

    ticket: str
    conversation: str
    group: str  # mine, waiting, colleagues, aside or ended
    rank: list[float]
    who: str
    initials: str
    hue: int
    what: str
    reason: str
    icon: str
    language: str
    priority: str
    since: str
    since_at: str
    level: str  # "", soon or late
    holder: str
    is_new: bool  # the customer has written a message that is unanswered
    ending: str  # how it ended, such as Resolved; "" while it is open

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Group:
    """Rows under one heading. `more` is the number of rows not shown."""

    name: str
    title: str
    rows: tuple[Row, ...]
    more: int


@dataclass(frozen=True, slots=True)
class LastMessage:
    """A customer's last message and, if they are waiting for an answer, when their wait began."""

    text: str
    unanswered_since: datetime | None


def queue_counts(person: User) -> dict[str, int]:
    """Return the numbers of this agent's tickets, of waiting tickets, of all open tickets, and of actions that need
    approval.
    """
    held = Q(assignee=person, state__in=HELD)
    counts: dict[str, int] = Ticket.objects.filter(state__in=OPEN).aggregate(
        mine=Count("id", filter=held),
        waiting=Count("id", filter=Q(state=State.WAITING)),
        open=Count("id"),
    )
    return {**counts, "approvals": count_pending_approvals()}


def count_waiting_tickets() -> int:
    return ticket_queryset().filter(state=State.WAITING).count()


def count_pending_approvals() -> int:
    return ActionRequest.objects.filter(state=ActionState.AWAITING_APPROVAL).count()


def groups_for(person: User, now: datetime, *, shown: str = "open", page: int = 1) -> list[Group]:
    """Return the workspace's tickets in the groups that this agent's desk shows; `page` counts from 1."""
    if shown == "all":
        newest = _paged(ticket_queryset().order_by("-created_at", "-id"), page)
        return [_group("all", gettext("All, newest first"), newest, person, now)]
    wanted = [one for one in _open_groups(person) if one[0] in GROUPS[shown]]
    groups = [_group(name, title, _paged(found, page), person, now) for name, title, found in wanted]
    return [group for group in groups if group.rows or group.name == "waiting"]


def _open_groups(person: User) -> list[tuple[str, str, QuerySet[Ticket]]]:
    # The same order as `queue.serving_order`.
    ordered = ticket_queryset().order_by("-priority", "waiting_since", "id")
    mine = ordered.filter(assignee=person)
    return [
        ("mine", gettext("Assigned to you"), mine.filter(state=State.CLAIMED)),
        ("waiting", gettext("Waiting"), ordered.filter(state=State.WAITING)),
        ("aside", gettext("Snoozed by you"), mine.filter(state=State.SNOOZED)),
        ("colleagues", gettext("Assigned to colleagues"), ordered.filter(state__in=HELD).exclude(assignee=person)),
    ]


def search_rows(query: str, person: User, now: datetime, *, page: int = 1) -> Group:
    """Return the tickets whose conversation, summary or contact contains all words, newest first. Ended tickets are
    included.

    A page number above `MAX_SEARCH_PAGES` returns the last page.
    """
    page = min(page, MAX_SEARCH_PAGES)
    query = query.replace("\x00", "").strip()[:MAX_CHARACTERS]
    title = gettext("Results for “{query}”").format(query=query)
    found = _found(query, page)
    return _group("found", title, found if page < MAX_SEARCH_PAGES else found[:ROWS_PER_PAGE], person, now)


def _found(query: str, page: int) -> list[Ticket]:
    words = words_of(query)
    if not words:
        return []
    newest, listed = ("-created_at", "-id"), page * ROWS_PER_PAGE + 1
    by_talk = first_with(query, Ticket.objects.order_by(*newest), conversation="conversation", limit=listed)
    by_ticket = Ticket.objects.filter(*(HasWord(TICKET_WORDS, word) for word in words)).order_by(*newest)
    with wide_reads():
        found = {*by_talk, *by_ticket.values_list("pk", flat=True)[:listed]}
        return _paged(ticket_queryset().filter(pk__in=found).order_by(*newest), page)


def rows_for(conversation_ids: Iterable[UUID], person: User, now: datetime) -> list[Row]:
    """Return the row of each conversation's newest ticket."""
    newest = ticket_queryset().filter(conversation__in=list(conversation_ids)).order_by("conversation_id", "-id")
    return _rows(list(newest.distinct("conversation_id")), person, now)


def _paged(tickets: QuerySet[Ticket], page: int) -> list[Ticket]:
    start = (page - 1) * ROWS_PER_PAGE
    return list(tickets[start : start + ROWS_PER_PAGE + 1])  # one extra shows whether there are more


def _group(name: str, title: str, tickets: list[Ticket], person: User, now: datetime) -> Group:
    more = max(0, len(tickets) - ROWS_PER_PAGE)
    return Group(name, title, tuple(_rows(tickets[:ROWS_PER_PAGE], person, now)), more)


def _rows(tickets: list[Ticket], person: User, now: datetime) -> list[Row]:
    messages = _last_messages([ticket.conversation for ticket in tickets])
    return [build_row(ticket, messages.get(ticket.conversation_id), person, now) for ticket in tickets]


def _last_messages(conversations: list[Conversation]) -> dict[UUID, LastMessage]:
    """Return each customer's last message. Uses two queries."""
    if not conversations:
        return {}
    messages = Message.objects.filter(conversation__in=[one.pk for one in conversations], source=Source.CUSTOMER)
    newest = messages.order_by("conversation_id", "-seq").distinct("conversation_id")
    unanswered = messages.filter(seq__gt=F("conversation__answered_seq")).values("conversation_id").order_by()
    unanswered_since = dict(unanswered.annotate(first=Min("created_at")).values_list("conversation_id", "first"))
    rows = newest.values_list("conversation_id", Left("text", MAX_PREVIEW_CHARACTERS))
    return {one: LastMessage(text, unanswered_since.get(one)) for one, text in rows}


def build_row(ticket: Ticket, last: LastMessage | None, person: User, now: datetime) -> Row:
    customer, group = ticket.conversation.customer, group_of(ticket, person)
    is_new = last is not None and last.unanswered_since is not None
    since = _since(ticket, last)
    return Row(
        ticket=str(ticket.pk),
        conversation=str(ticket.conversation_id),
        group=group,
        rank=[0 if group != "mine" or is_new else 1, -ticket.priority, ticket.waiting_since.timestamp()],
        who=str(customer),
        initials=initials(customer.name),
        hue=avatar_hue(customer.pk),
        what=_topic(ticket, last),
        reason=reason_label(ticket),
        icon=REASON_ICONS[Reason(ticket.reason)],
        language=language_name(base_language(detected_language(last.text if last else "", ticket.language))),
        priority=str(Priority(ticket.priority).label) if ticket.priority else "",
        since=duration_label(now - since),
        since_at=since.isoformat(),
        level=_level(ticket, since, now, is_new=is_new),
        holder=first_name(ticket.assignee) if ticket.assignee and group == "colleagues" else "",
        is_new=is_new and ticket.is_open,
        ending="" if ticket.is_open else str(State(ticket.state).label),
    )


def group_of(ticket: Ticket, person: User) -> str:
    if not ticket.is_open:
        return "ended"
    if ticket.state == State.WAITING:
        return "waiting"
    if ticket.assignee_id != person.pk:
        return "colleagues"
    return "aside" if ticket.state == State.SNOOZED else "mine"


def _topic(ticket: Ticket, last: LastMessage | None) -> str:
    """Return the first line of the ticket's summary or, once an agent owns the ticket, of the last message."""
    newest = last.text if last else ""
    text = (newest or ticket.summary) if ticket.state in HELD else (ticket.summary or newest)
    return text.strip().partition("\n")[0] or gettext("No messages yet")


def _since(ticket: Ticket, last: LastMessage | None) -> datetime:
    """Return the start of the period shown for a ticket: the beginning of the wait, the first unanswered message or,
    for an ended ticket, its end.
    """
    if ticket.state == State.WAITING:
        return ticket.waiting_since
    if ticket.ended_at is not None:
        return ticket.ended_at
    claimed = ticket.claimed_at or ticket.waiting_since
    return max(last.unanswered_since, claimed) if last and last.unanswered_since else claimed


def _level(ticket: Ticket, since: datetime, now: datetime, *, is_new: bool) -> str:
    is_customer_waiting = ticket.state == State.WAITING or (ticket.state == State.CLAIMED and is_new)
    if not is_customer_waiting:
        return ""
    return "late" if is_late(since, now) else "soon" if is_nearly_late(since, now) else ""


def queue_context(request: HttpRequest, person: User) -> dict[str, object]:
    """Return the template context of the queue column: the tickets of a list or a search."""
    query, shown = request.GET.get("q", "").strip(), request.GET.get("show", "")
    shown = shown if shown in SHOWN else "open"
    page = request.GET.get("page", "")
    number = int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 5 and int(page) else 1
    if query:
        groups = [search_rows(query, person, now(), page=number)]
    else:
        groups = groups_for(person, now(), shown=shown, page=number)
    return {
        "groups": groups,
        "shown": "found" if query else shown,
        "words": query,
        "page": number,
        "soon_seconds": int(NEARLY_LATE_AFTER.total_seconds()),
        "late_seconds": int(LATE_AFTER.total_seconds()),
    }
