"""Handles what a customer's message means for their tickets, before the assistant gets it."""

from typing import Final

from django.utils.timezone import now

from supportbot import sql
from supportbot.chat.customer_language import customer_language
from supportbot.chat.models import Conversation, ConversationEvent, Message, Source
from supportbot.chat.services import add_system_message
from supportbot.handoff.models import State, Ticket
from supportbot.handoff.tickets.contact_addresses import deliverable
from supportbot.handoff.tickets.notices import INVALID_ADDRESS, SEVERAL_ADDRESSES
from supportbot.handoff.tickets.presence import can_answer_customers, is_online
from supportbot.handoff.tickets.queue_rules import is_recently_ended
from supportbot.handoff.tickets.selectors import open_ticket_for
from supportbot.handoff.tickets.services import lock_ticket, reopen_for_owner, set_contact_email
from supportbot.language.email_addresses import own_addresses_in
from supportbot.translation import text_in

# Plain SQL, because this runs for every message of a customer who has had a ticket.
_NEWEST: Final = f"""
SELECT {sql.columns(Ticket, "t")} FROM handoff_ticket t
WHERE t.conversation_id = %s AND t.workspace_id = %s ORDER BY t.id DESC LIMIT 1"""


def on_customer_message(conversation: Conversation, seq: int) -> None:
    """Store an address given by a waiting customer, and reopen a ticket that was resolved just before the message."""
    if conversation.mode == Conversation.Mode.WAITING:
        _store_address(conversation, seq)
    elif conversation.mode == Conversation.Mode.ASSISTANT:
        reopen_if_recent(conversation, seq)


on_customer_message.only_with_tickets = True  # type: ignore[attr-defined]  # see chat.services.OnCustomerMessage


def _store_address(conversation: Conversation, seq: int) -> None:
    """Store the address in the message at `seq` on the waiting ticket; the caller has locked the conversation.

    A different address replaces the stored one. If the address is invalid or there are several, the customer is asked
    again.
    """
    ticket = open_ticket_for(conversation.pk)
    if ticket is None or not _was_asked_for_address(ticket):
        return
    text = Message.objects.values_list("text", flat=True).get(conversation=conversation, seq=seq)
    found = own_addresses_in(text)
    if not found:
        return
    valid = deliverable(found)
    if len(valid) == 1:
        set_contact_email(ticket.pk, email=valid[0])
    elif valid or not ticket.contact_email:
        question = SEVERAL_ADDRESSES if valid else INVALID_ADDRESS
        add_system_message(conversation, text_in(customer_language(conversation), question))


def _was_asked_for_address(ticket: Ticket) -> bool:
    """Return whether the customer was asked for an address. It does not matter if the team has come online since."""
    if ticket.state != State.WAITING:
        return False
    asked = {"event": "handoff.requested", "payload__ticket": str(ticket.pk), "payload__away": True}
    return ticket.escalated_at is not None or bool(
        ConversationEvent.objects.filter(conversation_id=ticket.conversation_id, **asked).exists()
    )


def reopen_if_recent(conversation: Conversation, seq: int) -> None:
    """Reopen a ticket that was resolved minutes ago if its owner is still online; otherwise, the assistant answers.

    Only the first message after the end reopens the ticket. After that, the assistant keeps the conversation.
    """
    if not conversation.episode_start_seq:  # no ticket has ended: each end begins an episode
        return
    ticket = _newest_ticket(conversation)
    if ticket is None or not _may_reopen(ticket) or _has_written_since(conversation, seq, ticket):
        return
    reopen_for_owner(conversation, lock_ticket(ticket.pk))


def _newest_ticket(conversation: Conversation) -> Ticket | None:
    """Return the conversation's newest ticket, whatever its state."""
    found = sql.fetch(_NEWEST, [conversation.pk, conversation.workspace_id])
    return sql.loaded(Ticket, found[0]) if found else None


def _may_reopen(ticket: Ticket) -> bool:
    if ticket.state != State.RESOLVED or ticket.ended_at is None or ticket.assignee is None:
        return False
    owner = ticket.assignee
    return (
        is_recently_ended(ticket.ended_at, now())
        and owner.is_active
        and is_online(owner.pk)
        and can_answer_customers(owner)
    )


def _has_written_since(conversation: Conversation, seq: int, ticket: Ticket) -> bool:
    # Compare times, because an unanswered "thank you" belongs to the new episode but was written before the end.
    earlier = Message.objects.filter(conversation=conversation, source=Source.CUSTOMER, seq__lt=seq)
    return bool(earlier.filter(created_at__gt=ticket.ended_at).exists())
