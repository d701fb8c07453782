"""The queue as the desk shows it: who, what, why, and how long it has been so; those first who must be answered next.

A page is read, never the whole queue: thousands may be open.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, F, Min, Q, QuerySet
from django.db.models.functions import Left

from actions.models import ActionRequest
from actions.states import State as ActionState
from supportbot.accounts.models import User
from supportbot.chat.models import Conversation, Message, Source
from supportbot.handoff.desk.labels import REASON_ICONS, REASONS, avatar_hue, duration_label, first_name, initials
from supportbot.handoff.models import HELD, OPEN, Priority, Reason, State, Ticket
from supportbot.handoff.tickets.language import detected_language
from supportbot.handoff.tickets.queue import is_late, is_nearly_late
from supportbot.handoff.tickets.selectors import ticket_queryset
from supportbot.language.detection import base_language

ROWS_PER_PAGE: Final = 50
GROUPS: Final = {
    "open": ("mine", "waiting", "aside", "colleagues"),
    "mine": ("mine", "aside"),
    "waiting": ("waiting",),
}
SHOWN: Final = (*GROUPS, "all")
MAX_PREVIEW_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class Row:
    """One ticket in a list. `group` is where it stands there, `rank` its place: smaller ones first."""

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
    is_new: bool  # the customer said something that nobody has answered

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Group:
    """Rows under one heading; `more` are not shown."""

    name: str
    title: str
    rows: tuple[Row, ...]
    more: int


@dataclass(frozen=True, slots=True)
class LastMessage:
    """What a customer said last, and since when they wait for an answer, if they do."""

    text: str
    asks_since: datetime | None


def queue_counts(person: User) -> dict[str, int]:
    """Return how many tickets are with this person, wait, or are open at all, and how many actions need approval."""
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
    """Return the workspace's tickets as this person's desk lists them; `page` counts from 1."""
    if shown == "all":
        newest = _paged(ticket_queryset().order_by("-created_at", "-id"), page)
        return [_group("all", "All, newest first", newest, person, now)]
    asked = [one for one in _open_groups(person) if one[0] in GROUPS[shown]]
    groups = [_group(name, title, _paged(found, page), person, now) for name, title, found in asked]
    return [group for group in groups if group.rows or group.name == "waiting"]


def _open_groups(person: User) -> list[tuple[str, str, QuerySet[Ticket]]]:
    # In the order of `queue.serving_order`.
    ordered = ticket_queryset().order_by("-priority", "waiting_since", "id")
    mine = ordered.filter(assignee=person)
    return [
        ("mine", "With you", mine.filter(state=State.CLAIMED)),
        ("waiting", "Waiting", ordered.filter(state=State.WAITING)),
        ("aside", "Put aside by you", mine.filter(state=State.SNOOZED)),
        ("colleagues", "With colleagues", ordered.filter(state__in=HELD).exclude(assignee=person)),
    ]


def search_rows(words: str, person: User, now: datetime, *, page: int = 1) -> Group:
    """Return tickets, ended ones included, whose customer, summary or contact holds the words; newest first."""
    words = words.replace("\x00", "").strip()[:100]
    customer = "conversation__customer__"
    holds = Q()
    for word in words.split()[:6]:
        holds &= (
            Q(**{f"{customer}name__icontains": word})
            | Q(**{f"{customer}email__icontains": word})
            | Q(**{f"{customer}external_id__iexact": word})
            | Q(summary__icontains=word)
            | Q(contact_email__icontains=word)
        )
    found = ticket_queryset().filter(holds) if words else ticket_queryset().none()
    return _group("found", f"Found for “{words}”", _paged(found.order_by("-created_at", "-id"), page), person, now)


def rows_for(conversation_ids: Iterable[UUID], person: User, now: datetime) -> list[Row]:
    """Return the row of the newest ticket of each conversation."""
    newest = ticket_queryset().filter(conversation__in=list(conversation_ids)).order_by("conversation_id", "-id")
    return _rows(list(newest.distinct("conversation_id")), person, now)


def _paged(tickets: QuerySet[Ticket], page: int) -> list[Ticket]:
    start = (page - 1) * ROWS_PER_PAGE
    return list(tickets[start : start + ROWS_PER_PAGE + 1])  # one more than is shown says that there are more


def _group(name: str, title: str, tickets: list[Ticket], person: User, now: datetime) -> Group:
    more = max(0, len(tickets) - ROWS_PER_PAGE)
    return Group(name, title, tuple(_rows(tickets[:ROWS_PER_PAGE], person, now)), more)


def _rows(tickets: list[Ticket], person: User, now: datetime) -> list[Row]:
    said = _last_messages([ticket.conversation for ticket in tickets])
    return [build_row(ticket, said.get(ticket.conversation_id), person, now) for ticket in tickets]


def _last_messages(conversations: list[Conversation]) -> dict[UUID, LastMessage]:
    """Return what each customer said last, by two queries."""
    if not conversations:
        return {}
    messages = Message.objects.filter(conversation__in=[one.pk for one in conversations], source=Source.CUSTOMER)
    newest = messages.order_by("conversation_id", "-seq").distinct("conversation_id")
    unanswered = messages.filter(seq__gt=F("conversation__answered_seq")).values("conversation_id").order_by()
    asks_since = dict(unanswered.annotate(first=Min("created_at")).values_list("conversation_id", "first"))
    rows = newest.values_list("conversation_id", Left("text", MAX_PREVIEW_CHARACTERS))
    return {one: LastMessage(text, asks_since.get(one)) for one, text in rows}


def build_row(ticket: Ticket, said: LastMessage | None, person: User, now: datetime) -> Row:
    customer, group = ticket.conversation.customer, group_of(ticket, person)
    is_new = said is not None and said.asks_since is not None
    since = _since(ticket, said)
    return Row(
        ticket=str(ticket.pk),
        conversation=str(ticket.conversation_id),
        group=group,
        rank=[0 if group != "mine" or is_new else 1, -ticket.priority, ticket.waiting_since.timestamp()],
        who=str(customer),
        initials=initials(customer.name),
        hue=avatar_hue(customer.pk),
        what=_topic(ticket, said),
        reason=REASONS[Reason(ticket.reason)],
        icon=REASON_ICONS[Reason(ticket.reason)],
        language=base_language(detected_language(said.text if said else "", ticket.language)).upper(),
        priority=Priority(ticket.priority).label if ticket.priority else "",
        since=duration_label(now - since),
        since_at=since.isoformat(),
        level=_level(ticket, since, now, is_new=is_new),
        holder=first_name(ticket.assignee) if ticket.assignee and group == "colleagues" else "",
        is_new=is_new and ticket.is_open,
    )


def group_of(ticket: Ticket, person: User) -> str:
    if not ticket.is_open:
        return "ended"
    if ticket.state == State.WAITING:
        return "waiting"
    if ticket.assignee_id != person.pk:
        return "colleagues"
    return "aside" if ticket.state == State.SNOOZED else "mine"


def _topic(ticket: Ticket, said: LastMessage | None) -> str:
    """Return the first line of what it is about: what the customer said last once somebody talks with them."""
    newest = said.text if said else ""
    words = (newest or ticket.summary) if ticket.state in HELD else (ticket.summary or newest)
    return words.strip().partition("\n")[0] or "Nothing written yet"


def _since(ticket: Ticket, said: LastMessage | None) -> datetime:
    """Return the moment from which this ticket's time counts: the wait, or the first words that nobody has answered."""
    if ticket.state == State.WAITING:
        return ticket.waiting_since
    if ticket.ended_at is not None:
        return ticket.ended_at
    claimed = ticket.claimed_at or ticket.waiting_since
    return max(said.asks_since, claimed) if said and said.asks_since else claimed


def _level(ticket: Ticket, since: datetime, now: datetime, *, is_new: bool) -> str:
    somebody_waits = ticket.state == State.WAITING or (ticket.state == State.CLAIMED and is_new)
    if not somebody_waits:
        return ""
    return "late" if is_late(since, now) else "soon" if is_nearly_late(since, now) else ""
