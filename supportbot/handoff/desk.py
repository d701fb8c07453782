"""What the desk shows: the queue in rows, a conversation in lines, waiting times in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Left

from supportbot.accounts.models import User
from supportbot.chat.models import Audience, Conversation, Message, Source
from supportbot.handoff.models import HELD, OPEN, Reason, State, Ticket
from supportbot.handoff.queue import is_late
from supportbot.handoff.selectors import tickets_in

MOST_ROWS: Final = 200
MOST_LINES: Final = 200
REASONS: Final = {
    Reason.CUSTOMER_ASKED: "Asked for a person",
    Reason.NO_ANSWER: "Not in our articles",
    Reason.ACTION: "An action needs a person",
    Reason.GUARDRAIL: "Stopped by a safety rule",
    Reason.MODEL_DOWN: "The assistant was not available",
    Reason.OTHER: "Another reason",
}
SPEAKERS: Final = {Source.ASSISTANT: "Assistant", Source.SYSTEM: "Notice"}


@dataclass(frozen=True, slots=True)
class Row:
    """One ticket in a list: who, what, why, and how long it has been so."""

    ticket: Ticket
    who: str
    what: str
    reason: str
    since: str
    is_late: bool


@dataclass(frozen=True, slots=True)
class Queue:
    waiting: tuple[Row, ...]
    mine: tuple[Row, ...]
    colleagues: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing said, as plain text."""

    source: str
    speaker: str
    text: str
    sources: tuple[str, ...]
    is_note: bool
    said_at: datetime


def queue_for(person: User, now: datetime) -> Queue:
    """Return the workspace's open tickets, those first that must be answered first."""
    tickets = list(_open_tickets()[:MOST_ROWS])
    return Queue(
        waiting=_rows((one for one in tickets if one.state == State.WAITING), now),
        mine=_rows((one for one in tickets if is_held_by(one, person)), now),
        colleagues=_rows((one for one in tickets if one.state in HELD and one.assignee_id != person.pk), now),
    )


def _open_tickets() -> QuerySet[Ticket]:
    """Return them in the order of `queue.in_order`, with what the customer said last."""
    said = Message.objects.filter(conversation=OuterRef("conversation"), source=Source.CUSTOMER).order_by("-seq")
    tickets = tickets_in().filter(state__in=OPEN).annotate(said=Left(Subquery(said.values("text")[:1]), 300))
    return tickets.order_by("-priority", "waiting_since", "id")


def _rows(tickets: Iterable[Ticket], now: datetime) -> tuple[Row, ...]:
    return tuple(_row(ticket, now) for ticket in tickets)


def _row(ticket: Ticket, now: datetime) -> Row:
    is_waiting = ticket.state == State.WAITING
    since = ticket.waiting_since if is_waiting else ticket.claimed_at or ticket.waiting_since
    return Row(
        ticket=ticket,
        who=str(ticket.conversation.customer),
        what=ticket.summary or getattr(ticket, "said", None) or "Nothing written yet",
        reason=reason_in_words(ticket),
        since=how_long(now - since),
        is_late=is_waiting and is_late(since, now),
    )


def is_held_by(ticket: Ticket, person: User) -> bool:
    return ticket.state in HELD and ticket.assignee_id == person.pk


def reason_in_words(ticket: Ticket) -> str:
    return REASONS[Reason(ticket.reason)]


def how_long(time: timedelta) -> str:
    """Return a span in its largest unit, rounded down: `now`, `5 min`, `2 h`, `3 days`."""
    minutes = int(time.total_seconds() // 60)
    if minutes < 1:
        return "now"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h"
    days = minutes // (24 * 60)
    return "1 day" if days == 1 else f"{days} days"


def lines_of(conversation: Conversation) -> list[Line]:
    """Return the newest messages, notes of the team included, oldest first."""
    messages = Message.objects.filter(conversation=conversation).prefetch_related("citations").order_by("-seq")
    who = str(conversation.customer)
    return [_line(message, who) for message in reversed(messages[:MOST_LINES])]


def _line(message: Message, customer: str) -> Line:
    speaker = SPEAKERS.get(Source(message.source)) or message.author_name or customer
    return Line(
        source=message.source,
        speaker=speaker,
        text=message.text,
        sources=tuple(dict.fromkeys(citation.title for citation in message.citations.all())),
        is_note=message.audience == Audience.STAFF,
        said_at=message.created_at,
    )
