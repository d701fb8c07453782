"""Periodic changes to tickets: late and unanswered ones are escalated, abandoned ones expire, snoozed ones wake, and
those of former agents return to the queue.

Each ticket is changed in its own transaction.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.timezone import now

from supportbot.accounts.models import Membership
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.chat.customer_language import customer_language
from supportbot.chat.event_log import lock_conversation, notify_desk
from supportbot.chat.models import Conversation, Message, Source
from supportbot.chat.services import add_system_message
from supportbot.errors import NotFound
from supportbot.handoff.models import HELD, Presence, Priority, State, Ticket
from supportbot.handoff.tickets.notices import (
    TEAM_AWAY,
    TEAM_AWAY_WITH_ADDRESS,
    WAIT_EXPIRED,
    WAIT_TAKES_LONGER,
    WAIT_TAKES_LONGER_WITH_ADDRESS,
)
from supportbot.handoff.tickets.presence import (
    ANSWERING_ROLES,
    ONLINE_FOR,
    can_answer_customers,
    is_online,
    is_team_online,
)
from supportbot.handoff.tickets.queue_rules import EXPIRES_AFTER, LATE_AFTER, SILENT_AFTER, has_expired, is_late
from supportbot.handoff.tickets.services import announce_reply_address, end, lock_ticket, requeue
from supportbot.translation import text_in

BATCH_SIZE: Final = 500


def escalate_late() -> int:
    """Escalate each ticket that has waited too long and notify its customer, once per ticket; return how many were
    escalated.
    """
    return _apply_to_each(Q(state=State.WAITING, escalated_at=None, waiting_since__lte=now() - LATE_AFTER), _escalate)


def expire_abandoned() -> int:
    """End waits of more than a day without an address for replies, and let the assistant answer again; return how many
    ended.
    """
    abandoned = Q(state=State.WAITING, contact_email="", waiting_since__lte=now() - EXPIRES_AFTER)
    return _apply_to_each(abandoned, _expire)


def wake_snoozed() -> int:
    """Wake tickets whose snooze is over or whose customer has written since; return how many woke."""
    with across_workspaces("customers who wrote to a snoozed ticket"):  # the scope applies when a queryset is built
        wrote = Message.objects.filter(
            conversation_id=OuterRef("conversation_id"), source=Source.CUSTOMER, created_at__gt=OuterRef("snoozed_at")
        )
    return _apply_to_each(Q(Q(snoozed_until__lte=now()) | Q(Exists(wrote)), state=State.SNOOZED), _wake)


def escalate_silent() -> int:
    """Handle claimed tickets whose customer has waited too long for an answer; return how many there were.

    If the owner is offline, the ticket goes back to the queue and keeps its age. Otherwise, its priority rises.
    """
    with across_workspaces("customers whom nobody has answered"):
        unanswered = _customer_messages_before(now() - SILENT_AFTER).filter(
            conversation_id=OuterRef("conversation_id"), seq__gt=OuterRef("conversation__answered_seq")
        )
        here = Presence.objects.filter(
            workspace_id=OuterRef("workspace_id"), user_id=OuterRef("assignee_id"),
            seen_at__gt=now() - ONLINE_FOR, is_away=False,
        )  # fmt: skip
    is_to_act = Q(priority=Priority.NORMAL) | ~Q(Exists(here))
    is_silent = Q(Exists(unanswered), state=State.CLAIMED, claimed_at__lte=now() - SILENT_AFTER)
    return _apply_to_each(is_silent & is_to_act, _escalate_silent)


def release_of_former_agents() -> int:
    """Return to the queue the tickets of people who have left the team, changed role or had their account closed;
    return how many there were.

    This includes snoozed tickets and those with replies from their owner, because nobody else would take care of these.
    The console and the commands change only accounts, so this sweep finds such tickets however the role was lost.
    """
    role = Membership.objects.filter(
        workspace_id=OuterRef("workspace_id"), user_id=OuterRef("assignee_id"),
        role__in=ANSWERING_ROLES, user__is_active=True,
    )  # fmt: skip
    return _apply_to_each(Q(~Q(Exists(role)), state__in=HELD), _release)


def _customer_messages_before(moment: datetime) -> QuerySet[Message]:
    return Message.objects.filter(source=Source.CUSTOMER, created_at__lte=moment)


def _apply_to_each(wanted: Q, change: Callable[[Conversation, Ticket], bool]) -> int:
    with across_workspaces("sweep of tickets"):
        rows = Ticket.objects.filter(wanted).order_by("id")
        found = list(rows.values_list("id", "conversation_id", "workspace_id")[:BATCH_SIZE])
    return sum(_apply_to_one(change, *one) for one in found)


def _apply_to_one(
    change: Callable[[Conversation, Ticket], bool], ticket_id: UUID, conversation_id: UUID, workspace_id: UUID
) -> bool:
    with workspace_scope(workspace_id), transaction.atomic():
        try:
            conversation = lock_conversation(conversation_id)
        except NotFound:  # erased in the meantime, along with its ticket
            return False
        return change(conversation, lock_ticket(ticket_id))


# Each of these functions checks again under the lock, because an agent may have claimed the ticket in the meantime.


def _escalate(conversation: Conversation, ticket: Ticket) -> bool:
    is_due = ticket.state == State.WAITING and ticket.escalated_at is None and is_late(ticket.waiting_since, now())
    if is_due:
        ticket.priority = max(ticket.priority, Priority.HIGH)
        ticket.escalated_at = now()
        ticket.save(update_fields=["priority", "escalated_at"])
        _notify_of_delay(conversation, ticket)
    return is_due


def _notify_of_delay(conversation: Conversation, ticket: Ticket) -> None:
    """Tell the customer about the delay or, if the team is away, that it is away.

    Say nothing if an earlier notice has already told them.
    """
    if is_team_online():
        announce_reply_address(conversation, ticket, known=WAIT_TAKES_LONGER_WITH_ADDRESS, unknown=WAIT_TAKES_LONGER)
        return
    notices = Message.objects.filter(conversation=conversation, source=Source.SYSTEM, created_at__gte=ticket.created_at)
    if not notices.exists():
        announce_reply_address(conversation, ticket, known=TEAM_AWAY_WITH_ADDRESS, unknown=TEAM_AWAY)


def _expire(conversation: Conversation, ticket: Ticket) -> bool:
    has_address = bool(ticket.contact_email)
    is_due = ticket.state == State.WAITING and has_expired(ticket.waiting_since, now(), has_address=has_address)
    if is_due:
        add_system_message(conversation, text_in(customer_language(conversation), WAIT_EXPIRED))
        end(conversation, ticket, State.EXPIRED)
    return is_due


def _escalate_silent(conversation: Conversation, ticket: Ticket) -> bool:
    unanswered = _customer_messages_before(now() - SILENT_AFTER).filter(
        conversation=conversation, seq__gt=conversation.answered_seq
    )
    if ticket.state != State.CLAIMED or not unanswered.exists():
        return False
    before, ticket.priority = ticket.priority, max(ticket.priority, Priority.HIGH)
    ticket.save(update_fields=["priority"])
    if ticket.assignee_id is None or not is_online(ticket.assignee_id):  # None: the account was deleted
        requeue(conversation, ticket)
        return True
    notify_desk(conversation)
    return ticket.priority != before


def _release(conversation: Conversation, ticket: Ticket) -> bool:
    agent = ticket.assignee
    is_due = ticket.state in HELD and not (agent and agent.is_active and can_answer_customers(agent))
    if is_due:
        requeue(conversation, ticket)
    return is_due


def _wake(conversation: Conversation, ticket: Ticket) -> bool:
    if ticket.state != State.SNOOZED or not _is_snooze_over(ticket):
        return False
    ticket.state, ticket.snoozed_at, ticket.snoozed_until = State.CLAIMED, None, None
    ticket.save(update_fields=["state", "snoozed_at", "snoozed_until"])
    notify_desk(conversation)
    return True


def _is_snooze_over(ticket: Ticket) -> bool:
    assert ticket.snoozed_at is not None and ticket.snoozed_until is not None  # both are set while it is snoozed
    wrote = Message.objects.filter(
        conversation=ticket.conversation_id, source=Source.CUSTOMER, created_at__gt=ticket.snoozed_at
    )
    return ticket.snoozed_until <= now() or wrote.exists()
