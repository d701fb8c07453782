"""What a customer's message means to the people, before the assistant hears of it."""

from django.utils.timezone import now

from supportbot.accounts.models import User
from supportbot.chat.models import Conversation, ConversationEvent, Message, Source
from supportbot.chat.services import add_system_message
from supportbot.handoff.models import State, Ticket
from supportbot.handoff.tickets.contact_addresses import deliverable, own_addresses_in
from supportbot.handoff.tickets.notices import INVALID_ADDRESS, SEVERAL_ADDRESSES, localized
from supportbot.handoff.tickets.presence import can_answer_customers, is_online
from supportbot.handoff.tickets.queue import is_recently_ended
from supportbot.handoff.tickets.selectors import open_ticket_for
from supportbot.handoff.tickets.services import lock_ticket, reopen_for_owner, set_contact_email


def on_customer_message(conversation: Conversation, seq: int) -> None:
    """Note the address of a customer who waits; bring back the person who has just left one who does not."""
    if conversation.mode == Conversation.Mode.WAITING:
        _note_address(conversation, seq)
    elif conversation.mode == Conversation.Mode.ASSISTANT:
        reopen_if_recent(conversation, seq)


def _note_address(conversation: Conversation, seq: int) -> None:
    """Leave the address of the message at `seq` with the ticket that waits; the conversation is locked.

    The same address again changes nothing, another one replaces it. What only looks like one, and which of several is
    meant, is asked.
    """
    ticket = open_ticket_for(conversation.pk)
    if ticket is None or not _was_asked(ticket):
        return
    text = Message.objects.values_list("text", flat=True).get(conversation=conversation, seq=seq)
    found = own_addresses_in(text)
    if not found:
        return
    fitting = deliverable(found)
    if len(fitting) == 1:
        set_contact_email(ticket.pk, email=fitting[0])
    elif fitting or not ticket.contact_email:
        add_system_message(
            conversation, localized(SEVERAL_ADDRESSES if fitting else INVALID_ADDRESS, conversation.locale)
        )


def _was_asked(ticket: Ticket) -> bool:
    """Say whether the customer was asked, whoever has come or gone since."""
    if ticket.state != State.WAITING:
        return False
    asked = {"event": "handoff.requested", "payload__ticket": str(ticket.pk), "payload__away": True}
    return ticket.escalated_at is not None or bool(
        ConversationEvent.objects.filter(conversation_id=ticket.conversation_id, **asked).exists()
    )


def reopen_if_recent(conversation: Conversation, seq: int) -> None:
    """Reopen the ticket that was resolved a moment ago, if its person is still there; else the assistant answers.

    Only the first message after it does: once the assistant has been asked, it goes on.
    """
    ticket = Ticket.objects.filter(conversation=conversation).select_related("assignee").order_by("-id").first()
    if ticket is None or not _may_reopen(ticket) or _has_written_since(conversation, seq, ticket):
        return
    reopen_for_owner(conversation, lock_ticket(ticket.pk))


def _may_reopen(ticket: Ticket) -> bool:
    if ticket.state != State.RESOLVED or ticket.ended_at is None or ticket.assignee is None:
        return False
    return is_recently_ended(ticket.ended_at, now()) and _may_hold(ticket.assignee)


def _may_hold(person: User) -> bool:
    return person.is_active and is_online(person.pk) and can_answer_customers(person)


def _has_written_since(conversation: Conversation, seq: int, ticket: Ticket) -> bool:
    # By time: a "thank you" that nobody answered belongs to the new episode, and was said before the end.
    earlier = Message.objects.filter(conversation=conversation, source=Source.CUSTOMER, seq__lt=seq)
    return bool(earlier.filter(created_at__gt=ticket.ended_at).exists())
