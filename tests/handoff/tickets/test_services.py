"""Taking over, passing on and returning conversations, through the services."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils.timezone import now

from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.team_members import add_member
from supportbot.chat.answers import Answer
from supportbot.chat.errors import LeaseLost, NotOwner
from supportbot.chat.models import Conversation, Turn
from supportbot.chat.selectors import events_after
from supportbot.chat.services import add_agent_message, add_customer_message, start_conversation
from supportbot.chat.turns import claim_turn, extend_lease, finish_turn
from supportbot.errors import InvalidInput, NotAllowed, NotFound
from supportbot.handoff.errors import AlreadyClaimed, NotTicketOwner, QueueEmpty, TicketEnded
from supportbot.handoff.models import Priority, State, Ticket
from supportbot.handoff.tickets import services
from supportbot.handoff.tickets.periodic_changes import expire_abandoned
from supportbot.handoff.tickets.presence import record_presence, set_away
from supportbot.handoff.tickets.queue_rules import EXPIRES_AFTER
from tests.handoff.records import event_names, message_texts, ticket_row

pytestmark = pytest.mark.django_db


def test_a_claim_gives_the_conversation_to_its_agent(ticket: Ticket, conversation: Conversation, bob: User) -> None:
    claimed = services.claim(ticket.pk, agent=bob)
    conversation.refresh_from_db()
    assert (claimed.state, claimed.assignee, conversation.mode, conversation.agent) == ("claimed", bob, "person", bob)
    event = events_after(conversation.pk, 0)[-1]
    assert (event.event, event.payload) == ("handoff.joined", {"ticket": str(ticket.pk), "agent": "Bob"})
    assert add_agent_message(conversation.pk, text="Hello", author=bob, client_id="1").is_new


def test_claiming_your_own_ticket_again_changes_nothing(ticket: Ticket, conversation: Conversation, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    before, stored = event_names(conversation), ticket_row(ticket)
    services.claim(ticket.pk, agent=bob)
    assert (event_names(conversation), ticket_row(ticket)) == (before, stored)


def test_the_second_claimer_learns_who_was_first(
    ticket: Ticket, conversation: Conversation, bob: User, noor: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    before, stored = event_names(conversation), ticket_row(ticket)
    with pytest.raises(AlreadyClaimed, match="Bob has already claimed"):
        services.claim(ticket.pk, agent=noor)
    assert (event_names(conversation), ticket_row(ticket)) == (before, stored)
    with pytest.raises(NotOwner):
        add_agent_message(conversation.pk, text="Me too", author=noor, client_id="1")


def test_an_editor_and_a_stranger_cannot_claim(ticket: Ticket, mallory: User) -> None:
    with pytest.raises(NotAllowed):
        services.claim(ticket.pk, agent=mallory)
    assert ticket_row(ticket)["state"] == "waiting"


def test_a_missing_ticket_is_not_found(workspace: Workspace, bob: User) -> None:
    with pytest.raises(NotFound):
        services.claim(uuid4(), agent=bob)


def test_the_assistant_says_nothing_more_after_a_takeover(conversation: Conversation, bob: User) -> None:
    add_customer_message(conversation.pk, text="Where is my parcel?", client_id="1")
    turn = claim_turn("runner-1")
    assert turn is not None
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    services.claim(ticket.pk, agent=bob)
    with pytest.raises(LeaseLost):
        extend_lease(turn, text="Your parcel", index=1)
    with pytest.raises(LeaseLost):
        finish_turn(turn, Answer("Your parcel is here.", (), by="builtin"))
    assert claim_turn("runner-2") is None
    assert event_names(conversation)[-1] == "handoff.joined"
    assert Turn.objects.get().state == "superseded"


def test_returning_passes_the_note_to_the_assistant_only(ticket: Ticket, conversation: Conversation, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    services.return_to_assistant(ticket.pk, agent=bob, note="Pole is on its way, order WF-1.")
    conversation.refresh_from_db()
    assert (conversation.mode, conversation.agent, conversation.handoff_note) == (
        "assistant",
        None,
        "Pole is on its way, order WF-1.",
    )
    event = events_after(conversation.pk, 0)[-1]
    assert (event.event, event.payload) == ("handoff.ended", {"ticket": str(ticket.pk), "outcome": "returned"})
    assert conversation.episode_start_seq == event.seq
    assert "WF-1" not in str([event.payload for event in events_after(conversation.pk, 0)])
    add_customer_message(conversation.pk, text="Thanks. And boots?", client_id="2")
    assert Turn.objects.filter(state="pending").count() == 1


@pytest.mark.parametrize("step", [services.resolve, services.return_to_assistant])
def test_the_assistant_is_silent_after_a_person_until_the_customer_writes(
    step: Callable[..., Ticket], ticket: Ticket, conversation: Conversation, bob: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    add_agent_message(conversation.pk, text="Did we solve it?", author=bob, client_id="a1")
    last_word = add_customer_message(conversation.pk, text="Great, I will send the parcel back tomorrow", client_id="1")
    step(ticket.pk, agent=bob)
    assert not Turn.objects.exists() and claim_turn("runner-1") is None
    assert event_names(conversation)[-1] == "handoff.ended"
    set_away(bob, is_away=True)
    asked = add_customer_message(conversation.pk, text="How long is delivery?", client_id="2")
    claim = claim_turn("runner-1")
    assert claim is not None
    assert last_word.seq <= claim.from_seq < asked.seq <= claim.through_seq


def test_an_expired_wait_does_not_start_an_answer(ticket: Ticket, conversation: Conversation) -> None:
    add_customer_message(conversation.pk, text="Hello?", client_id="1")
    Ticket.objects.update(waiting_since=now() - EXPIRES_AFTER)
    assert expire_abandoned() == 1
    assert not Turn.objects.exists()


def test_a_resolved_ticket_stays_resolved_and_a_new_request_opens_another(
    ticket: Ticket, conversation: Conversation, bob: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    services.resolve(ticket.pk, agent=bob)
    before, stored = event_names(conversation), ticket_row(ticket)
    assert events_after(conversation.pk, 0)[-1].payload["outcome"] == "resolved"
    for step in (services.resolve, services.release, services.claim, services.return_to_assistant):
        with pytest.raises(TicketEnded):
            step(ticket.pk, agent=bob)
    assert (event_names(conversation), ticket_row(ticket)) == (before, stored)
    assert services.request(conversation.pk, reason="customer_asked", by="customer").pk != ticket.pk


@pytest.mark.parametrize("step", [services.resolve, services.release, services.return_to_assistant])
def test_only_the_owner_or_a_lead_may_change_a_ticket(
    step: object, ticket: Ticket, conversation: Conversation, bob: User, noor: User, lead: User
) -> None:
    assert callable(step)
    with pytest.raises(NotTicketOwner, match="Claim it first"):
        step(ticket.pk, agent=bob)
    services.claim(ticket.pk, agent=bob)
    before, stored = event_names(conversation), ticket_row(ticket)
    with pytest.raises(NotTicketOwner, match="assigned to Bob"):
        step(ticket.pk, agent=noor)
    assert (event_names(conversation), ticket_row(ticket)) == (before, stored)
    step(ticket.pk, agent=lead)
    assert ticket_row(ticket)["state"] != "claimed"


def test_a_released_ticket_keeps_its_age_in_the_queue(
    ticket: Ticket, conversation: Conversation, bob: User, noor: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    services.release(ticket.pk, agent=bob)
    stored = Ticket.objects.get(pk=ticket.pk)
    conversation.refresh_from_db()
    assert (stored.state, stored.assignee, stored.waiting_since) == ("waiting", None, ticket.waiting_since)
    assert (conversation.mode, conversation.agent) == ("waiting", None)
    assert event_names(conversation)[-1] == "handoff.requested"
    with pytest.raises(NotOwner):
        add_agent_message(conversation.pk, text="Still me", author=bob, client_id="1")
    services.claim(ticket.pk, agent=noor)


def test_a_transfer_moves_the_conversation_to_the_colleague(
    ticket: Ticket, conversation: Conversation, bob: User, noor: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    services.transfer(ticket.pk, agent=bob, to=noor)
    conversation.refresh_from_db()
    assert (ticket_row(ticket)["assignee_id"], conversation.agent, conversation.mode) == (noor.pk, noor, "person")
    assert events_after(conversation.pk, 0)[-1].payload["agent"] == "Noor Aziz"


def test_a_transfer_to_a_stranger_is_refused(
    ticket: Ticket, conversation: Conversation, bob: User, mallory: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    before, stored = event_names(conversation), ticket_row(ticket)
    with pytest.raises(InvalidInput) as refusal:
        services.transfer(ticket.pk, agent=bob, to=mallory)
    assert list(refusal.value.fields) == ["to"]
    assert (event_names(conversation), ticket_row(ticket)) == (before, stored)


def test_snoozing_needs_a_future_time(ticket: Ticket, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    with pytest.raises(InvalidInput):
        services.snooze(ticket.pk, agent=bob, until=now() - timedelta(seconds=1))
    assert ticket_row(ticket)["state"] == "claimed"
    tomorrow = now() + timedelta(days=1)
    services.snooze(ticket.pk, agent=bob, until=tomorrow)
    stored = ticket_row(ticket)
    assert (stored["state"], stored["snoozed_until"], stored["assignee_id"]) == (State.SNOOZED, tomorrow, bob.pk)


def test_an_address_is_stored_once(ticket: Ticket, conversation: Conversation) -> None:
    services.set_contact_email(ticket.pk, email="alice@example.com")
    before = event_names(conversation)
    assert message_texts(conversation)[-1] == "Thank you. We will reply to alice@example.com."
    services.set_contact_email(ticket.pk, email="alice@example.com")
    assert (event_names(conversation), ticket_row(ticket)["contact_email"]) == (before, "alice@example.com")


@pytest.mark.parametrize("email", ["", "alice", "a@b\nBcc: c@example.com", "x" * 300 + "@example.com"])
def test_an_invalid_address_is_refused(email: str, ticket: Ticket, conversation: Conversation) -> None:
    before = event_names(conversation)
    with pytest.raises(InvalidInput) as refusal:
        services.set_contact_email(ticket.pk, email=email)
    assert list(refusal.value.fields) == ["email"]
    assert (event_names(conversation), ticket_row(ticket)["contact_email"]) == (before, "")


def test_an_urgent_ticket_is_served_first(alice: Customer, ticket: Ticket, bob: User) -> None:
    record_presence(bob)
    Ticket.objects.filter(pk=ticket.pk).update(priority=Priority.NORMAL)
    Ticket.objects.create(
        conversation=start_conversation(alice.pk), reason="action", requested_by="rule", priority=Priority.URGENT
    )
    third = start_conversation(alice.pk)
    services.request(third.pk, reason="customer_asked", by="customer")
    assert events_after(third.pk, 0)[-1].payload["place"] == 3


def test_the_next_one_is_the_most_urgent_then_the_oldest(bob: User, alice: Customer) -> None:
    tickets = []
    for number in range(3):
        tickets.append(services.request(start_conversation(alice.pk).pk, reason="other", by="rule"))
        Ticket.objects.filter(pk=tickets[-1].pk).update(waiting_since=now() - timedelta(minutes=number))
    Ticket.objects.filter(pk=tickets[0].pk).update(priority=2)
    taken = [services.claim_next(agent=bob).pk for _ in range(3)]
    assert taken == [tickets[0].pk, tickets[2].pk, tickets[1].pk]
    with pytest.raises(QueueEmpty):
        services.claim_next(agent=bob)


def test_a_waiting_ticket_is_assigned_to_a_colleague(ticket: Ticket, bob: User, noor: User) -> None:
    assert services.assign(ticket.pk, agent=bob, to=noor).assignee == noor
    with pytest.raises(NotTicketOwner):
        services.assign(ticket.pk, agent=bob, to=bob)
    assert services.assign(ticket.pk, agent=noor, to=bob).assignee == bob


def test_assigning_requires_a_role_that_answers_customers(workspace: Workspace, ticket: Ticket, bob: User) -> None:
    hanna = User.objects.create_user("hanna")
    add_member(workspace, hanna, Membership.Role.EDITOR)
    with pytest.raises(InvalidInput):
        services.assign(ticket.pk, agent=bob, to=hanna)
    with pytest.raises(NotAllowed):
        services.assign(ticket.pk, agent=hanna, to=bob)
    assert Ticket.objects.get().state == "waiting"


def test_an_erased_chat_does_not_stop_claiming_the_next(
    ticket: Ticket, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "next_ticket_ids", lambda: [uuid4(), ticket.pk])
    assert services.claim_next(agent=bob) == ticket


def test_reopening_an_ended_ticket_creates_a_new_one(ticket: Ticket, bob: User, noor: User) -> None:
    services.claim(ticket.pk, agent=bob)
    services.resolve(ticket.pk, agent=bob)
    again = services.reopen(ticket.pk, agent=noor)
    assert (again.pk != ticket.pk, again.state, again.assignee, again.summary) == (
        True, "claimed", noor, ticket.summary,
    )  # fmt: skip
    with pytest.raises(AlreadyClaimed):
        services.reopen(ticket.pk, agent=bob)
    assert Ticket.objects.count() == 2


def test_reopening_keeps_the_address_and_sends_no_away_notice(
    ticket: Ticket, conversation: Conversation, bob: User
) -> None:
    services.set_contact_email(ticket.pk, email="alice@example.com")
    services.claim(ticket.pk, agent=bob)
    services.resolve(ticket.pk, agent=bob)
    set_away(bob, is_away=True)
    before = len(event_names(conversation))
    assert services.reopen(ticket.pk, agent=bob).contact_email == "alice@example.com"
    assert event_names(conversation)[before:] == ["handoff.joined"]
