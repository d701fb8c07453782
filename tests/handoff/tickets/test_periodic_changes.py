"""Changes of tickets over time. Each tick runs twice, and the second run finds nothing to do."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils.timezone import now

from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.event_log import lock_conversation
from supportbot.chat.models import Conversation, Message
from supportbot.chat.selectors import events_after
from supportbot.chat.services import add_agent_message, add_customer_message, start_conversation
from supportbot.handoff.models import Presence, Priority, Ticket
from supportbot.handoff.tasks import sweep_tickets
from supportbot.handoff.tickets import periodic_changes, services
from supportbot.handoff.tickets.periodic_changes import (
    escalate_late,
    escalate_silent,
    expire_abandoned,
    release_of_former_agents,
    wake_snoozed,
)
from supportbot.handoff.tickets.presence import record_presence
from supportbot.handoff.tickets.queue_rules import EXPIRES_AFTER, LATE_AFTER, SILENT_AFTER

pytestmark = pytest.mark.django_db


def has_waited(ticket: Ticket, wait: timedelta) -> None:
    Ticket.objects.filter(pk=ticket.pk).update(waiting_since=now() - wait)


def notices_to(conversation: Conversation) -> list[str]:
    """Return the start of each notice to the customer after the AI disclosure."""
    events = events_after(conversation.pk, 0)
    return [event.payload["text"][:20] for event in events if event.payload.get("source") == "system"][1:]


def test_a_late_ticket_is_escalated_and_its_customer_notified_once(conversation: Conversation, bob: User) -> None:
    record_presence(bob)
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    assert escalate_late() == 0
    has_waited(ticket, LATE_AFTER)
    assert (escalate_late(), escalate_late()) == (1, 0)
    ticket.refresh_from_db()
    assert (ticket.priority, ticket.state) == (Priority.HIGH, "waiting")
    assert notices_to(conversation) == ["This is taking longe"]


def test_the_away_notice_replaces_the_delay_notice(ticket: Ticket, conversation: Conversation) -> None:
    has_waited(ticket, LATE_AFTER)
    assert escalate_late() == 1
    assert notices_to(conversation) == ["Our team is not avai"]


def test_a_team_that_went_offline_is_reported(conversation: Conversation, bob: User) -> None:
    record_presence(bob)
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    assert notices_to(conversation) == []
    Presence.objects.update(seen_at=now() - timedelta(hours=1))
    has_waited(ticket, LATE_AFTER)
    assert escalate_late() == 1
    assert notices_to(conversation) == ["Our team is not avai"]


def test_a_late_customer_with_an_address_learns_where_replies_are_sent(
    alice: Customer, bob: User, conversation: Conversation
) -> None:
    record_presence(bob)
    Customer.objects.filter(pk=alice.pk).update(email="alice@example.com")
    waiting = services.request(conversation.pk, reason="customer_asked", by="customer")
    has_waited(waiting, LATE_AFTER)
    assert escalate_late() == 1
    waiting.refresh_from_db()
    assert waiting.contact_email == "alice@example.com"
    assert "we will also reply to alice@example.com." in events_after(conversation.pk, 0)[-1].payload["text"]


def test_a_claimed_ticket_is_never_late(ticket: Ticket, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    has_waited(ticket, LATE_AFTER)
    assert escalate_late() == 0


def test_a_wait_of_a_day_ends_and_the_assistant_answers_again(ticket: Ticket, conversation: Conversation) -> None:
    has_waited(ticket, EXPIRES_AFTER)
    assert (expire_abandoned(), expire_abandoned()) == (1, 0)
    ticket.refresh_from_db()
    conversation.refresh_from_db()
    assert (ticket.state, conversation.mode) == ("expired", "assistant")
    event = events_after(conversation.pk, 0)[-1]
    assert (event.event, event.payload["outcome"]) == ("handoff.ended", "expired")


def test_a_wait_with_an_address_does_not_expire(ticket: Ticket) -> None:
    services.set_contact_email(ticket.pk, email="alice@example.com")
    has_waited(ticket, EXPIRES_AFTER)
    assert expire_abandoned() == 0


def test_a_snoozed_ticket_wakes_at_its_time(ticket: Ticket, bob: User) -> None:
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


def test_a_ticket_snoozed_again_before_the_lock_stays_snoozed(
    ticket: Ticket, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.claim(ticket.pk, agent=bob)
    services.snooze(ticket.pk, agent=bob, until=now() + timedelta(hours=1))
    Ticket.objects.filter(pk=ticket.pk).update(snoozed_until=now())

    def aside_again(conversation_id: UUID) -> Conversation:
        services.snooze(ticket.pk, agent=bob, until=now() + timedelta(days=1))
        return lock_conversation(conversation_id)

    monkeypatch.setattr(periodic_changes, "lock_conversation", aside_again)
    assert wake_snoozed() == 0
    ticket.refresh_from_db()
    assert ticket.state == "snoozed"


def test_a_chat_erased_before_the_lock_does_not_block_others(
    ticket: Ticket, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = services.request(start_conversation(alice.pk).pk, reason="other", by="rule")
    for late in (ticket, other):
        has_waited(late, LATE_AFTER)

    def erased(conversation_id: UUID) -> Conversation:
        Conversation.objects.filter(pk=ticket.conversation_id).delete()
        return lock_conversation(conversation_id)

    monkeypatch.setattr(periodic_changes, "lock_conversation", erased)
    assert escalate_late() == 1
    other.refresh_from_db()
    assert other.escalated_at is not None


def test_the_sweep_reaches_every_workspace(ticket: Ticket, other_workspace: Workspace) -> None:
    has_waited(ticket, LATE_AFTER)
    with workspace_scope(other_workspace.pk):
        sweep_tickets()
    ticket.refresh_from_db()
    assert ticket.escalated_at is not None


def test_what_a_former_agent_holds_returns_to_the_queue(
    ticket: Ticket, conversation: Conversation, workspace: Workspace, bob: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    add_agent_message(conversation.pk, text="I will ask the warehouse", author=bob, client_id="a1")
    sweep_tickets()
    assert Ticket.objects.get().assignee == bob
    Membership.objects.filter(workspace=workspace, user=bob).delete()
    assert (release_of_former_agents(), release_of_former_agents()) == (1, 0)
    found = Ticket.objects.select_related("conversation").get()
    assert (found.state, found.assignee, found.conversation.mode, found.conversation.agent) == (
        "waiting", None, "waiting", None,
    )  # fmt: skip


def test_what_a_former_agent_snoozed_is_not_forgotten(ticket: Ticket, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    services.snooze(ticket.pk, agent=bob, until=now() + timedelta(days=30))
    Membership.objects.filter(user=bob).update(role=Membership.Role.EDITOR)
    sweep_tickets()
    found = Ticket.objects.get()
    assert (found.state, found.snoozed_until) == ("waiting", None)


def test_the_tickets_of_a_closed_account_return_to_the_queue(ticket: Ticket, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    sweep_tickets()
    assert Ticket.objects.get().state == "waiting"


@pytest.mark.parametrize("is_released", [True, False], ids=["released", "of a former agent"])
def test_a_ticket_held_for_days_does_not_expire_on_its_return_to_the_queue(
    ticket: Ticket, bob: User, is_released: bool
) -> None:
    services.claim(ticket.pk, agent=bob)
    has_waited(ticket, EXPIRES_AFTER - timedelta(minutes=1))
    if is_released:
        services.release(ticket.pk, agent=bob)
    else:
        Membership.objects.filter(user=bob).delete()
    sweep_tickets()
    sweep_tickets()
    found = Ticket.objects.get()
    assert found.state == "waiting"
    assert timedelta(hours=12) <= now() - found.waiting_since < timedelta(hours=13)


def test_a_ticket_that_returns_after_days_is_served_before_those_of_customers_who_came_later(
    ticket: Ticket, alice: Customer, bob: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    has_waited(ticket, timedelta(days=2))
    later = services.request(start_conversation(alice.pk).pk, reason="customer_asked", by="customer")
    has_waited(later, timedelta(hours=11))
    services.release(ticket.pk, agent=bob)
    assert services.claim_next(agent=bob) == ticket


def test_a_ticket_that_returns_is_escalated_and_its_customer_told_only_once(
    ticket: Ticket, conversation: Conversation, bob: User
) -> None:
    has_waited(ticket, LATE_AFTER)
    sweep_tickets()
    told = notices_to(conversation)
    services.claim(ticket.pk, agent=bob)
    has_waited(ticket, timedelta(days=2))
    services.release(ticket.pk, agent=bob)
    sweep_tickets()
    assert told and notices_to(conversation) == told


def test_a_ticket_held_for_hours_keeps_its_age_in_the_queue(ticket: Ticket, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    has_waited(ticket, timedelta(hours=11))
    services.release(ticket.pk, agent=bob)
    assert now() - Ticket.objects.get().waiting_since > timedelta(hours=10)


@pytest.fixture
def silent(ticket: Ticket, conversation: Conversation, bob: User) -> Ticket:
    """A ticket Bob claimed, whose customer has waited too long for an answer."""
    services.claim(ticket.pk, agent=bob)
    add_customer_message(conversation.pk, text="Hello?", client_id="1")
    long_ago = now() - SILENT_AFTER
    Message.objects.filter(conversation=conversation).update(created_at=long_ago)
    Ticket.objects.filter(pk=ticket.pk).update(claimed_at=long_ago)
    return ticket


def test_an_unanswered_ticket_of_an_online_agent_is_escalated_once(silent: Ticket, bob: User) -> None:
    assert (escalate_silent(), escalate_silent()) == (1, 0)
    silent.refresh_from_db()
    assert (silent.priority, silent.state, silent.assignee) == (Priority.HIGH, "claimed", bob)


@pytest.mark.parametrize("change", [{"is_away": True}, {"seen_at": now() - timedelta(minutes=5)}])
def test_an_unanswered_ticket_of_an_offline_agent_returns_to_the_queue(
    silent: Ticket, conversation: Conversation, change: dict[str, object]
) -> None:
    Presence.objects.update(**change)
    assert (escalate_silent(), escalate_silent()) == (1, 0)
    silent.refresh_from_db()
    conversation.refresh_from_db()
    assert (silent.state, silent.assignee, silent.priority) == ("waiting", None, Priority.HIGH)
    assert conversation.mode == "waiting"


def test_an_unanswered_ticket_of_a_deleted_agent_returns_to_the_queue(silent: Ticket, bob: User) -> None:
    bob.delete()
    assert (escalate_silent(), escalate_silent()) == (1, 0)
    silent.refresh_from_db()
    assert (silent.state, silent.assignee) == ("waiting", None)


def test_an_answered_ticket_or_a_fresh_claim_is_not_escalated(silent: Ticket, bob: User) -> None:
    Ticket.objects.update(claimed_at=now())
    assert escalate_silent() == 0
    Ticket.objects.update(claimed_at=now() - SILENT_AFTER)
    add_agent_message(silent.conversation_id, text="Here I am", author=bob, client_id="2")
    assert escalate_silent() == 0
