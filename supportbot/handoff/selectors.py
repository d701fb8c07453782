"""Reading the queue."""

from uuid import UUID

from django.db.models import QuerySet

from supportbot.handoff.models import OPEN, State, Ticket
from supportbot.handoff.queue import Waiting, place_of


def tickets_in(state: str = "") -> QuerySet[Ticket]:
    """Return the workspace's tickets, of one state if named, with what a list shows of each."""
    tickets = Ticket.objects.select_related("assignee", "conversation__customer")
    return tickets.filter(state=state) if state else tickets


def waiting_queue() -> list[Waiting]:
    """Return the workspace's queue, in no order."""
    rows = Ticket.objects.filter(state=State.WAITING).values_list("id", "priority", "waiting_since")
    return [Waiting(*row) for row in rows]


def place_in_queue(ticket: Ticket) -> int | None:
    """Return how many are served until this one, itself included; None when it does not wait."""
    return place_of(ticket.pk, waiting_queue()) if ticket.state == State.WAITING else None


def open_ticket_of(conversation_id: UUID) -> Ticket | None:
    found: Ticket | None = Ticket.objects.filter(conversation_id=conversation_id, state__in=OPEN).first()
    return found
