"""Reads tickets and the queue."""

from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from supportbot.chat.models import Conversation, Message, Source
from supportbot.handoff.models import OPEN, State, Ticket
from supportbot.handoff.tickets.contact_addresses import deliverable
from supportbot.handoff.tickets.queue_rules import WaitingTicket, position_of
from supportbot.language.email_addresses import volunteered_addresses_in

PAGE_SIZE: Final = 50


def ticket_queryset(state: str = "") -> QuerySet[Ticket]:
    """Return the workspace's tickets, or only those in one state, with the related rows that lists show."""
    tickets = Ticket.objects.select_related("assignee", "conversation__customer")
    return tickets.filter(state=state) if state else tickets


def waiting_queue() -> list[WaitingTicket]:
    """Return the workspace's waiting tickets in no particular order."""
    waiting = Ticket.objects.filter(state=State.WAITING).values_list("id", "priority", "waiting_since")
    return [WaitingTicket(*row) for row in waiting]


def next_ticket_ids() -> list[UUID]:
    """Return the ids of the next tickets to serve, in `queue_rules.serving_order`, at most one page of them."""
    waiting = Ticket.objects.filter(state=State.WAITING).order_by("-priority", "waiting_since", "id")
    return list(waiting.values_list("id", flat=True)[:PAGE_SIZE])


def queue_position(ticket: Ticket) -> int | None:
    """Return a ticket's position in the queue, where 1 is next; None if it is not waiting."""
    return position_of(ticket.pk, waiting_queue()) if ticket.state == State.WAITING else None


def last_volunteered_address(conversation: Conversation) -> str:
    """Return the address volunteered in the customer's last message of this episode; "" if there is not exactly one."""
    messages = Message.objects.filter(
        conversation=conversation, source=Source.CUSTOMER, seq__gt=conversation.episode_start_seq
    )
    newest = messages.order_by("-seq").values_list("text", flat=True).first() or ""
    addresses = deliverable(volunteered_addresses_in(newest))
    return addresses[0] if len(addresses) == 1 else ""


def last_contact_email(conversation: Conversation) -> str:
    """Return the address of the conversation's newest ticket that has one; "" if none has."""
    tickets = Ticket.objects.filter(conversation=conversation).exclude(contact_email="").order_by("-id")
    return tickets.values_list("contact_email", flat=True).first() or ""


def open_ticket_for(conversation_id: UUID) -> Ticket | None:
    found: Ticket | None = Ticket.objects.filter(conversation_id=conversation_id, state__in=OPEN).first()
    return found
