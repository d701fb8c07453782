"""What time does to tickets, each tick twice: the second finds nothing to do."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from supportbot.accounts.models import User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.chat.services import add_customer_message
from supportbot.handoff import services
from supportbot.handoff.models import Priority, Ticket
from supportbot.handoff.queue import EXPIRES_AFTER, LATE_AFTER
from supportbot.handoff.sweep import escalate_late, expire_forgotten, wake_snoozed
from supportbot.handoff.tasks import sweep_tickets

pytestmark = pytest.mark.django_db


def has_waited(ticket: Ticket, wait: timedelta) -> None:
    Ticket.objects.filter(pk=ticket.pk).update(waiting_since=now() - wait)


def test_a_late_ticket_moves_up_and_its_customer_is_told_once(ticket: Ticket, conversation: Conversation) -> None:
    assert escalate_late() == 0
    has_waited(ticket, LATE_AFTER)
    assert (escalate_late(), escalate_late()) == (1, 0)
    ticket.refresh_from_db()
    assert (ticket.priority, ticket.state) == (Priority.HIGH, "waiting")
    texts = [event.payload.get("text", "") for event in events_after(conversation.pk, 0)]
    assert sum(text.startswith("This takes longer than we said.") for text in texts) == 1


def test_a_claimed_ticket_is_never_late(ticket: Ticket, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    has_waited(ticket, LATE_AFTER)
    assert escalate_late() == 0


def test_a_wait_of_a_day_ends_and_the_assistant_answers_again(ticket: Ticket, conversation: Conversation) -> None:
    has_waited(ticket, EXPIRES_AFTER)
    assert (expire_forgotten(), expire_forgotten()) == (1, 0)
    ticket.refresh_from_db()
    conversation.refresh_from_db()
    assert (ticket.state, conversation.mode) == ("expired", "assistant")
    event = events_after(conversation.pk, 0)[-1]
    assert (event.event, event.payload["outcome"]) == ("handoff.ended", "expired")


def test_with_an_address_the_wait_goes_on(ticket: Ticket) -> None:
    services.leave_address(ticket.pk, email="alice@example.com")
    has_waited(ticket, EXPIRES_AFTER)
    assert expire_forgotten() == 0


def test_a_snoozed_ticket_wakes_at_its_moment(ticket: Ticket, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    services.snooze(ticket.pk, agent=bob, until=now() + timedelta(hours=1))
    assert wake_snoozed() == 0
    Ticket.objects.filter(pk=ticket.pk).update(snoozed_until=now())
    assert (wake_snoozed(), wake_snoozed()) == (1, 0)
    ticket.refresh_from_db()
    assert (ticket.state, ticket.assignee, ticket.snoozed_until) == ("claimed", bob, None)


def test_a_snoozed_ticket_wakes_when_its_customer_writes(ticket: Ticket, conversation: Conversation, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    add_customer_message(conversation.pk, text="before", client_id="1")
    services.snooze(ticket.pk, agent=bob, until=now() + timedelta(hours=1))
    assert wake_snoozed() == 0
    add_customer_message(conversation.pk, text="after", client_id="2")
    assert wake_snoozed() == 1


def test_the_tick_reaches_every_workspace(ticket: Ticket, other_workspace: Workspace) -> None:
    has_waited(ticket, LATE_AFTER)
    with workspace_scope(other_workspace.pk):
        sweep_tickets()
    ticket.refresh_from_db()
    assert ticket.escalated_at is not None
