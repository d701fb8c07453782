"""What a customer's message means to the people, before the assistant hears of it."""

from supportbot.chat.models import Conversation, ConversationEvent, Message
from supportbot.chat.services import add_system_message
from supportbot.handoff.models import State, Ticket
from supportbot.handoff.tickets.contact_addresses import addresses_left_in, usable
from supportbot.handoff.tickets.notices import NO_ADDRESS, ONE_ADDRESS, worded
from supportbot.handoff.tickets.reopening import bring_person_back
from supportbot.handoff.tickets.selectors import open_ticket_of
from supportbot.handoff.tickets.services import leave_address


def on_customer_message(conversation: Conversation, seq: int) -> None:
    """Note the address of a customer who waits; bring back the person who has just left one who does not."""
    if conversation.mode == Conversation.Mode.WAITING:
        _note_address(conversation, seq)
    elif conversation.mode == Conversation.Mode.ASSISTANT:
        bring_person_back(conversation, seq)


def _note_address(conversation: Conversation, seq: int) -> None:
    """Leave the address of the message at `seq` with the ticket that waits; the conversation is locked.

    The same address again changes nothing, another one replaces it. What only looks like one, and which of several is
    meant, is asked.
    """
    ticket = open_ticket_of(conversation.pk)
    if ticket is None or not _was_asked(ticket):
        return
    text = Message.objects.values_list("text", flat=True).get(conversation=conversation, seq=seq)
    found = addresses_left_in(text)
    if not found:
        return
    fitting = usable(found)
    if len(fitting) == 1:
        leave_address(ticket.pk, email=fitting[0])
    elif fitting or not ticket.contact_email:
        add_system_message(conversation, worded(ONE_ADDRESS if fitting else NO_ADDRESS, conversation.locale))


def _was_asked(ticket: Ticket) -> bool:
    """Say whether the customer was asked, whoever has come or gone since."""
    if ticket.state != State.WAITING:
        return False
    asked = {"event": "handoff.requested", "payload__ticket": str(ticket.pk), "payload__away": True}
    return ticket.escalated_at is not None or bool(
        ConversationEvent.objects.filter(conversation_id=ticket.conversation_id, **asked).exists()
    )
