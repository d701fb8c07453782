"""A customer ends their conversation, or only their wait for a person.

After the end nothing more is written in it, by them or by the assistant.

In the log it is a `message` of the system's that carries `ends`. The answer being written is stopped before it, and a
person's ticket ends as settled. What was confirmed goes on, and its outcome is still told: money does not stop
because a chat has.
"""

from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from supportbot.chat.ended import words_of_the_end
from supportbot.chat.log import is_open, lock_conversation, touch
from supportbot.chat.services import add_system_message
from supportbot.chat.turns import mark_answered, stop_now
from supportbot.handoff.models import State
from supportbot.handoff.tickets import services as handoff
from supportbot.handoff.tickets.selectors import open_ticket_for


@transaction.atomic
def end_conversation(conversation_id: UUID) -> None:
    """End a conversation; one that has ended stays as it is. Raises NotFound."""
    conversation = lock_conversation(conversation_id)
    if not is_open(conversation):
        return
    stop_now(conversation)
    conversation.refresh_from_db()
    mark_answered(conversation, conversation.last_seq)  # nobody owes an answer any more
    ticket = open_ticket_for(conversation_id)
    if ticket is not None:
        handoff.end(conversation, handoff.lock_ticket(ticket.pk), State.RESOLVED, by="customer")
    add_system_message(conversation, words_of_the_end(conversation.locale), ends=True)
    touch(conversation, ended_at=now())


@transaction.atomic
def stop_waiting(conversation_id: UUID) -> None:
    """Take the wish for a person back: the assistant answers again. Where nobody waits, or somebody has come, nothing
    happens."""
    conversation = lock_conversation(conversation_id)
    ticket = open_ticket_for(conversation_id)
    if ticket is not None and handoff.lock_ticket(ticket.pk).state == State.WAITING:
        handoff.end(conversation, ticket, State.RETURNED, by="customer")
