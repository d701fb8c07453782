"""Asking for a person, taking over and giving back, through the services."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils.timezone import now

from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.services import add_member
from supportbot.chat.answers import Answer
from supportbot.chat.errors import LeaseLost, NotYours
from supportbot.chat.models import Conversation, Turn
from supportbot.chat.selectors import events_after
from supportbot.chat.services import add_agent_message, add_customer_message, start_conversation
from supportbot.chat.turns import claim_turn, extend_lease, finish_turn
from supportbot.errors import InvalidInput, NotAllowed, NotFound
from supportbot.handoff import services
from supportbot.handoff.errors import AlreadyClaimed, NobodyWaits, NotYourTicket, TicketEnded
from supportbot.handoff.models import Presence, Priority, State, Ticket
from supportbot.handoff.presence import note_presence, say_away
from supportbot.handoff.queue import REOPENS_WITHIN

pytestmark = pytest.mark.django_db


def said(conversation: Conversation) -> list[str]:
    return [event.event for event in events_after(conversation.pk, 0, is_staff=True)]


def texts(conversation: Conversation) -> list[str]:
    return [event.payload.get("text", "") for event in events_after(conversation.pk, 0)]


def facts(ticket: Ticket) -> dict[str, object]:
    return Ticket.objects.filter(pk=ticket.pk).values().get()


def test_a_wish_for_a_person_is_seen_and_stops_the_assistant(conversation: Conversation, bob: User) -> None:
    note_presence(bob)
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer", summary="Broken pole")
    conversation.refresh_from_db()
    event = events_after(conversation.pk, 0)[-1]
    assert (event.event, event.payload) == (
        "handoff.requested",
        {"ticket": str(ticket.pk), "reason": "customer_asked", "place": 1},
    )
    assert (conversation.mode, ticket.state, ticket.summary, ticket.language) == (
        "waiting",
        "waiting",
        "Broken pole",
        "en",
    )
    add_customer_message(conversation.pk, text="Hello?", client_id="1")
    assert not Turn.objects.exists()


def test_a_second_wish_returns_the_open_ticket_and_says_nothing(ticket: Ticket, conversation: Conversation) -> None:
    before = said(conversation)
    again = services.request(conversation.pk, reason="no_answer", by="assistant")
    assert again.pk == ticket.pk
    assert said(conversation) == before
    assert Ticket.objects.count() == 1


def test_an_unknown_reason_is_refused_and_nothing_moves(conversation: Conversation) -> None:
    before = said(conversation)
    with pytest.raises(InvalidInput) as refusal:
        services.request(conversation.pk, reason="because", by="customer")
    assert list(refusal.value.fields) == ["reason"]
    assert (said(conversation), Ticket.objects.count()) == (before, 0)


def test_a_summary_that_cannot_be_stored_never_costs_the_wish(conversation: Conversation) -> None:
    ticket = services.request(conversation.pk, reason="other", by="assistant", summary="a\0b\ud800c" + "x" * 5000)
    assert facts(ticket)["summary"] == "abc" + "x" * 997


def test_nobody_there_is_said_in_the_customers_language(alice: Customer, bob: User) -> None:
    german = start_conversation(alice.pk, locale="de-AT")
    services.request(german.pk, reason="customer_asked", by="customer")
    assert texts(german)[-1].startswith("Gerade ist niemand")
    note_presence(bob)
    english = start_conversation(alice.pk)
    services.request(english.pk, reason="customer_asked", by="customer")
    assert said(english)[-1] == "handoff.requested"


def test_whom_the_shop_has_named_an_address_of_is_not_asked_for_one(alice: Customer) -> None:
    Customer.objects.filter(pk=alice.pk).update(email="alice@example.com")
    german = start_conversation(alice.pk, locale="de")
    ticket = services.request(german.pk, reason="customer_asked", by="customer")
    assert texts(german)[-1].startswith("Gerade ist niemand aus unserem Team da. Wir antworten an alice@example.com.")
    assert facts(ticket)["contact_email"] == "alice@example.com"
    add_customer_message(german.pk, text="Lieber an a.other@example.com", client_id="1")
    assert texts(german)[-1] == "Danke. Wir antworten an a.other@example.com."
    assert facts(ticket)["contact_email"] == "a.other@example.com"


def test_a_ticket_is_in_the_language_the_customer_writes(alice: Customer) -> None:
    for text, locale, spoken in (
        ("Mein Paket ist nicht da, wann kommt es?", "en-GB", "de"),
        ("Mein Paket ist nicht da, wann kommt es?", "de-AT", "de-AT"),
        ("WF-20431", "fr", "fr"),
        ("On me dit que le colis est en route", "fr", "fr"),
        ("Hur är läget? Var är min beställning?", "sv", "sv"),
    ):
        conversation = start_conversation(alice.pk, locale=locale)
        add_customer_message(conversation.pk, text=text, client_id="1")
        ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
        assert facts(ticket)["language"] == spoken


def test_an_editor_at_work_or_an_agent_gone_home_is_nobody(
    workspace: Workspace, conversation: Conversation, bob: User
) -> None:
    hanna = User.objects.create_user("hanna")
    add_member(workspace, hanna, Membership.Role.EDITOR)
    note_presence(hanna)
    note_presence(bob)
    Presence.objects.filter(user=bob).update(seen_at=now() - timedelta(minutes=3))
    services.request(conversation.pk, reason="customer_asked", by="customer")
    assert "Nobody of our team is here" in texts(conversation)[-1]


def test_a_claim_gives_the_conversation_to_its_agent(ticket: Ticket, conversation: Conversation, bob: User) -> None:
    claimed = services.claim(ticket.pk, agent=bob)
    conversation.refresh_from_db()
    assert (claimed.state, claimed.assignee, conversation.mode, conversation.agent) == ("claimed", bob, "person", bob)
    event = events_after(conversation.pk, 0)[-1]
    assert (event.event, event.payload) == ("handoff.joined", {"ticket": str(ticket.pk), "agent": "Bob"})
    assert add_agent_message(conversation.pk, text="Hello", author=bob, client_id="1").is_new


def test_claiming_ones_own_again_changes_nothing(ticket: Ticket, conversation: Conversation, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    before, stored = said(conversation), facts(ticket)
    services.claim(ticket.pk, agent=bob)
    assert (said(conversation), facts(ticket)) == (before, stored)


def test_the_second_claimer_learns_who_was_first(
    ticket: Ticket, conversation: Conversation, bob: User, noor: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    before, stored = said(conversation), facts(ticket)
    with pytest.raises(AlreadyClaimed, match="Bob has already claimed"):
        services.claim(ticket.pk, agent=noor)
    assert (said(conversation), facts(ticket)) == (before, stored)
    with pytest.raises(NotYours):
        add_agent_message(conversation.pk, text="Me too", author=noor, client_id="1")


def test_an_editor_and_a_stranger_cannot_claim(ticket: Ticket, mallory: User) -> None:
    with pytest.raises(NotAllowed):
        services.claim(ticket.pk, agent=mallory)
    assert facts(ticket)["state"] == "waiting"


def test_a_missing_ticket_is_not_found(workspace: Workspace, bob: User) -> None:
    with pytest.raises(NotFound):
        services.claim(uuid4(), agent=bob)


def test_nothing_of_the_assistant_follows_a_takeover(conversation: Conversation, bob: User) -> None:
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
    assert said(conversation)[-1] == "handoff.joined"
    assert Turn.objects.get().state == "superseded"


def test_giving_back_tells_the_assistant_and_only_it(ticket: Ticket, conversation: Conversation, bob: User) -> None:
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


def test_a_resolved_ticket_stays_so_and_the_next_wish_opens_another(
    ticket: Ticket, conversation: Conversation, bob: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    services.resolve(ticket.pk, agent=bob)
    before, stored = said(conversation), facts(ticket)
    assert events_after(conversation.pk, 0)[-1].payload["outcome"] == "resolved"
    for step in (services.resolve, services.release, services.claim, services.return_to_assistant):
        with pytest.raises(TicketEnded):
            step(ticket.pk, agent=bob)
    assert (said(conversation), facts(ticket)) == (before, stored)
    assert services.request(conversation.pk, reason="customer_asked", by="customer").pk != ticket.pk


def test_a_customer_who_writes_on_at_once_gets_their_person_back(
    ticket: Ticket, conversation: Conversation, bob: User
) -> None:
    claimed = services.claim(ticket.pk, agent=bob)
    services.resolve(ticket.pk, agent=bob)
    add_customer_message(conversation.pk, text="Wait, and the laces?", client_id="1")
    conversation.refresh_from_db()
    again = Ticket.objects.get()
    assert (again.state, again.assignee, again.ended_at) == ("claimed", bob, None)
    assert again.claimed_at == claimed.claimed_at  # else the queue would reckon with a wait that nobody had
    assert (conversation.mode, conversation.agent, Turn.objects.count()) == ("person", bob, 0)
    assert [event.event for event in events_after(conversation.pk, 0)[-3:]] == [
        "handoff.ended", "message", "handoff.joined",
    ]  # fmt: skip
    add_agent_message(conversation.pk, text="Of course", author=bob, client_id="2")


def later(ticket: Ticket, bob: User) -> None:
    Ticket.objects.filter(pk=ticket.pk).update(ended_at=now() - REOPENS_WITHIN)


def away(ticket: Ticket, bob: User) -> None:
    say_away(bob, is_away=True)


def given_back(ticket: Ticket, bob: User) -> None:
    Ticket.objects.filter(pk=ticket.pk).update(state="returned")


def asked_already(ticket: Ticket, bob: User) -> None:
    away(ticket, bob)
    add_customer_message(ticket.conversation_id, text="Hello", client_id="0")
    say_away(bob, is_away=False)


def locked_out(ticket: Ticket, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)


def of_another_role(ticket: Ticket, bob: User) -> None:
    bob.memberships.update(role=Membership.Role.EDITOR)


@pytest.mark.parametrize("happens", [later, away, given_back, asked_already, locked_out, of_another_role])
def test_else_the_assistant_answers_what_comes_after_the_end(
    happens: Callable[[Ticket, User], None], ticket: Ticket, conversation: Conversation, bob: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    services.resolve(ticket.pk, agent=bob)
    happens(ticket, bob)
    before = facts(ticket)
    add_customer_message(conversation.pk, text="And boots?", client_id="1")
    conversation.refresh_from_db()
    assert (facts(ticket), conversation.mode, Turn.objects.filter(state="pending").count()) == (before, "assistant", 1)


def test_thanks_that_nobody_answered_do_not_keep_the_person_away(
    ticket: Ticket, conversation: Conversation, bob: User
) -> None:
    note_presence(bob)
    services.claim(ticket.pk, agent=bob)
    add_customer_message(conversation.pk, text="Thank you!", client_id="1")
    services.resolve(ticket.pk, agent=bob)
    add_customer_message(conversation.pk, text="One more thing", client_id="2")
    conversation.refresh_from_db()
    assert (facts(ticket)["state"], conversation.mode, conversation.agent) == ("claimed", "person", bob)


@pytest.mark.parametrize("step", [services.resolve, services.release, services.return_to_assistant])
def test_only_its_person_or_a_lead_decides_about_a_ticket(
    step: object, ticket: Ticket, conversation: Conversation, bob: User, noor: User, lead: User
) -> None:
    assert callable(step)
    with pytest.raises(NotYourTicket, match="claim it first"):
        step(ticket.pk, agent=bob)
    services.claim(ticket.pk, agent=bob)
    before, stored = said(conversation), facts(ticket)
    with pytest.raises(NotYourTicket, match="in the hands of Bob"):
        step(ticket.pk, agent=noor)
    assert (said(conversation), facts(ticket)) == (before, stored)
    step(ticket.pk, agent=lead)
    assert facts(ticket)["state"] != "claimed"


def test_a_released_ticket_keeps_its_age_in_the_queue(
    ticket: Ticket, conversation: Conversation, bob: User, noor: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    services.release(ticket.pk, agent=bob)
    stored = Ticket.objects.get(pk=ticket.pk)
    conversation.refresh_from_db()
    assert (stored.state, stored.assignee, stored.waiting_since) == ("waiting", None, ticket.waiting_since)
    assert (conversation.mode, conversation.agent) == ("waiting", None)
    assert said(conversation)[-1] == "handoff.requested"
    with pytest.raises(NotYours):
        add_agent_message(conversation.pk, text="Still me", author=bob, client_id="1")
    services.claim(ticket.pk, agent=noor)


def test_a_transfer_moves_the_conversation_to_the_colleague(
    ticket: Ticket, conversation: Conversation, bob: User, noor: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    services.transfer(ticket.pk, agent=bob, to=noor)
    conversation.refresh_from_db()
    assert (facts(ticket)["assignee_id"], conversation.agent, conversation.mode) == (noor.pk, noor, "person")
    assert events_after(conversation.pk, 0)[-1].payload["agent"] == "Noor Aziz"


def test_a_transfer_to_a_stranger_is_refused(
    ticket: Ticket, conversation: Conversation, bob: User, mallory: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    before, stored = said(conversation), facts(ticket)
    with pytest.raises(InvalidInput) as refusal:
        services.transfer(ticket.pk, agent=bob, to=mallory)
    assert list(refusal.value.fields) == ["to"]
    assert (said(conversation), facts(ticket)) == (before, stored)


def test_snoozing_needs_a_moment_to_come(ticket: Ticket, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    with pytest.raises(InvalidInput):
        services.snooze(ticket.pk, agent=bob, until=now() - timedelta(seconds=1))
    assert facts(ticket)["state"] == "claimed"
    tomorrow = now() + timedelta(days=1)
    services.snooze(ticket.pk, agent=bob, until=tomorrow)
    stored = facts(ticket)
    assert (stored["state"], stored["snoozed_until"], stored["assignee_id"]) == (State.SNOOZED, tomorrow, bob.pk)


def test_an_address_is_noted_once(ticket: Ticket, conversation: Conversation) -> None:
    services.leave_address(ticket.pk, email="alice@example.com")
    before = said(conversation)
    assert texts(conversation)[-1] == "Thank you. We will reply to alice@example.com."
    services.leave_address(ticket.pk, email="alice@example.com")
    assert (said(conversation), facts(ticket)["contact_email"]) == (before, "alice@example.com")


@pytest.mark.parametrize("email", ["", "alice", "a@b\nBcc: c@example.com", "x" * 300 + "@example.com"])
def test_what_is_no_address_is_refused(email: str, ticket: Ticket, conversation: Conversation) -> None:
    before = said(conversation)
    with pytest.raises(InvalidInput) as refusal:
        services.leave_address(ticket.pk, email=email)
    assert list(refusal.value.fields) == ["email"]
    assert (said(conversation), facts(ticket)["contact_email"]) == (before, "")


def test_an_urgent_ticket_is_served_first(alice: Customer, ticket: Ticket, bob: User) -> None:
    note_presence(bob)
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
    with pytest.raises(NobodyWaits):
        services.claim_next(agent=bob)


def test_a_waiting_ticket_is_put_into_a_colleagues_hands(ticket: Ticket, bob: User, noor: User) -> None:
    assert services.assign(ticket.pk, agent=bob, to=noor).assignee == noor
    with pytest.raises(NotYourTicket):
        services.assign(ticket.pk, agent=bob, to=bob)
    assert services.assign(ticket.pk, agent=noor, to=bob).assignee == bob


def test_nobody_assigns_to_or_as_somebody_who_answers_no_customers(
    workspace: Workspace, ticket: Ticket, bob: User
) -> None:
    hanna = User.objects.create_user("hanna")
    add_member(workspace, hanna, Membership.Role.EDITOR)
    with pytest.raises(InvalidInput):
        services.assign(ticket.pk, agent=bob, to=hanna)
    with pytest.raises(NotAllowed):
        services.assign(ticket.pk, agent=hanna, to=bob)
    assert Ticket.objects.get().state == "waiting"


def test_an_ended_ticket_is_taken_up_again_by_a_new_one(ticket: Ticket, bob: User, noor: User) -> None:
    services.claim(ticket.pk, agent=bob)
    services.resolve(ticket.pk, agent=bob)
    again = services.take_up(ticket.pk, agent=noor)
    assert (again.pk != ticket.pk, again.state, again.assignee, again.summary) == (
        True, "claimed", noor, ticket.summary,
    )  # fmt: skip
    with pytest.raises(AlreadyClaimed):
        services.take_up(ticket.pk, agent=bob)
    assert Ticket.objects.count() == 2
