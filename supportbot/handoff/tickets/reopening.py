"""A customer who writes right after "resolved" was not done: they get the person back who has just left."""

from django.utils.timezone import now

from supportbot.accounts.models import User
from supportbot.chat.models import Conversation, Message, Source
from supportbot.handoff.models import State, Ticket
from supportbot.handoff.tickets.presence import answers_customers, is_here
from supportbot.handoff.tickets.queue import is_just_ended
from supportbot.handoff.tickets.services import lock_ticket, reopen


def bring_person_back(conversation: Conversation, seq: int) -> None:
    """Reopen the ticket that was resolved a moment ago, if its person is still there; else the assistant answers.

    Only the first message after it does: once the assistant has been asked, it goes on.
    """
    ticket = Ticket.objects.filter(conversation=conversation).select_related("assignee").order_by("-id").first()
    if ticket is None or not _may_reopen(ticket) or _asked_since(conversation, seq, ticket):
        return
    reopen(conversation, lock_ticket(ticket.pk))


def _may_reopen(ticket: Ticket) -> bool:
    if ticket.state != State.RESOLVED or ticket.ended_at is None or ticket.assignee is None:
        return False
    return is_just_ended(ticket.ended_at, now()) and _may_hold(ticket.assignee)


def _may_hold(person: User) -> bool:
    return person.is_active and is_here(person.pk) and answers_customers(person)


def _asked_since(conversation: Conversation, seq: int, ticket: Ticket) -> bool:
    # By time: a "thank you" that nobody answered belongs to the new episode, and was said before the end.
    earlier = Message.objects.filter(conversation=conversation, source=Source.CUSTOMER, seq__lt=seq)
    return bool(earlier.filter(created_at__gt=ticket.ended_at).exists())
