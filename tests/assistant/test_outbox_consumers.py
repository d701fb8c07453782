"""Events of action requests in their conversation: each state once, in order, with words made from the row."""

from collections.abc import Callable
from typing import Any

import pytest

from actions.models import ActionRequest
from actions.principals import Principal
from actions.requests.unknown_outcomes import reconcile
from actions.services import approve, confirm, decline, propose, reject
from actions.states import State
from actions.testing import FakeShop, make_due, run_queued
from supportbot.accounts.models import Customer, User
from supportbot.assistant.outbox_consumers import on_action_changed, record_action_events
from supportbot.chat.models import Conversation, Message, Turn
from supportbot.chat.services import add_customer_message
from supportbot.chat.signals import EventView
from supportbot.chat.turns import claim_turn
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services as handoff
from supportbot.handoff.tickets.presence import record_presence
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.models import Announcement
from tests.actions.conftest import limit, signed_in_as

pytestmark = pytest.mark.django_db
Log = Callable[[], list[EventView]]
REFUND = {"order_id": "A-1001", "reason": "Arrived damaged"}


@pytest.fixture
def principal(alice: Customer) -> Principal:
    return signed_in_as(alice)


@pytest.fixture
def card(shop: FakeShop, principal: Principal, conversation: Conversation) -> ActionRequest:
    return propose(principal, "refund_order", REFUND, proposal_key="turn:1:1", conversation_id=conversation.pk)


def told(log: Log) -> list[str]:
    deliver_due()
    return [event.event for event in log()]


def last(log: Log, name: str) -> dict[str, Any]:
    return [event.payload for event in log() if event.event == name][-1]


def test_each_state_is_recorded_once(card: ActionRequest, principal: Principal, log: Log) -> None:
    assert told(log) == ["action.proposed"]
    confirm(card.pk, principal=principal, digest=card.digest)
    run_queued()
    assert told(log) == ["action.proposed", "action.queued", "action.succeeded", "assistant.final"]
    for announcement in Announcement.objects.all():
        on_action_changed(announcement)
    record_action_events(card.pk)
    assert len(told(log)) == 4
    [turn] = Turn.objects.all()
    assert (turn.kind, turn.state) == ("explain", "done")
    assert Message.objects.get(pk=turn.message_id).text == last(log, "assistant.final")["text"]


@pytest.mark.long
def test_steps_during_an_outage_are_recorded_later(card: ActionRequest, principal: Principal, log: Log) -> None:
    """All steps are recorded afterwards, in order, each with its own facts."""
    confirm(card.pk, principal=principal, digest=card.digest)
    run_queued()
    assert told(log) == ["action.proposed", "action.queued", "action.succeeded", "assistant.final"]
    assert "receipt" not in last(log, "action.queued")


@pytest.mark.long
def test_a_retry_is_recorded_once(card: ActionRequest, principal: Principal, shop: FakeShop, log: Log) -> None:
    shop.faults = ["refuse_connection"]
    confirm(card.pk, principal=principal, digest=card.digest)
    run_queued()
    make_due()
    run_queued()
    assert told(log) == ["action.proposed", "action.queued", "action.succeeded", "assistant.final"]
    assert len(shop.refunds) == 1


def test_an_unknown_outcome_is_explained_and_goes_to_an_agent(
    card: ActionRequest, principal: Principal, shop: FakeShop, log: Log, bob: User
) -> None:
    record_presence(bob)
    told(log)
    shop.faults, shop.can_be_found = ["commit_then_silence"], False
    confirm(card.pk, principal=principal, digest=card.digest)
    for _ in range(5):
        make_due()
        run_queued()
    card.refresh_from_db()
    assert card.state == State.UNKNOWN
    assert told(log)[1:5] == ["action.queued", "action.unknown", "assistant.final", "handoff.requested"]
    assert last(log, "action.unknown")["reason"]["code"] == "outcome_unknown"
    assert last(log, "assistant.final")["text"].startswith("Not certain yet: ")
    assert Ticket.objects.get().reason == "action"

    shop.can_be_found = True
    reconcile(card.pk)
    assert told(log)[-3:] == ["action.succeeded", "handoff.ended", "assistant.final"]
    assert "reason" not in last(log, "action.succeeded")
    assert "We refunded" in last(log, "assistant.final")["text"]
    assert len(shop.refunds) == 1 and Ticket.objects.get().state == "returned"


def write(ticket: Ticket, bob: User) -> None:
    add_customer_message(ticket.conversation_id, text="Can somebody help me with something else?", client_id="c2")


def press_the_button(ticket: Ticket, bob: User) -> None:
    assert handoff.request(ticket.conversation_id, reason="customer_asked", by="customer").pk == ticket.pk


def let_the_assistant_call(ticket: Ticket, bob: User) -> None:
    assert handoff.request(ticket.conversation_id, reason="customer_asked", by="assistant").pk == ticket.pk


def leave_an_address(ticket: Ticket, bob: User) -> None:
    handoff.set_contact_email(ticket.pk, email="alice@example.com")


def claim_and_release(ticket: Ticket, bob: User) -> None:
    handoff.claim(ticket.pk, agent=bob)
    handoff.release(ticket.pk, agent=bob)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("need", [write, press_the_button, let_the_assistant_call, leave_an_address, claim_and_release])
def test_a_ticket_that_somebody_needs_stays_open_once_the_outcome_is_known(
    need: Callable[[Ticket, User], None], card: ActionRequest, principal: Principal, shop: FakeShop, log: Log, bob: User
) -> None:
    record_presence(bob)  # otherwise, she is promised a mail
    shop.faults, shop.can_be_found = ["commit_then_silence"], False
    confirm(card.pk, principal=principal, digest=card.digest)
    for _ in range(5):
        make_due()
        run_queued()
    told(log)
    need(Ticket.objects.get(), bob)
    shop.can_be_found = True
    reconcile(card.pk)
    assert told(log)[-2:] == ["action.succeeded", "message"]
    ticket = Ticket.objects.get()
    assert (ticket.state, ticket.conversation.mode, ticket.reason) == ("waiting", "waiting", "action")


@pytest.mark.long
def test_a_ticket_whose_customer_was_promised_a_mail_stays_open(
    card: ActionRequest, principal: Principal, shop: FakeShop, log: Log, alice: Customer
) -> None:
    alice.email = "alice@example.com"
    alice.save(update_fields=["email"])
    shop.faults, shop.can_be_found = ["commit_then_silence"], False
    confirm(card.pk, principal=principal, digest=card.digest)
    for _ in range(5):
        make_due()
        run_queued()
    told(log)
    assert "alice@example.com" in last(log, "message")["text"]
    shop.can_be_found = True
    reconcile(card.pk)
    assert told(log)[-2:] == ["action.succeeded", "message"]
    assert Ticket.objects.get().state == "waiting"


def test_a_failure_is_explained(card: ActionRequest, principal: Principal, shop: FakeShop, log: Log) -> None:
    confirm(card.pk, principal=principal, digest=card.digest)
    shop.change_order("A-1001", refunded=shop.orders["A-1001"].total)
    run_queued()
    assert told(log)[-2:] == ["action.failed", "assistant.final"]
    text = last(log, "assistant.final")["text"]
    assert text.startswith("Not done: Refund €49.90 for order A-1001. ")
    assert last(log, "action.failed")["reason"]["text"] in text
    assert shop.refunds == [] and not Ticket.objects.exists()


def test_declining_needs_no_explanation(card: ActionRequest, principal: Principal, log: Log) -> None:
    decline(card.pk, principal=principal)
    assert told(log) == ["action.proposed", "action.cancelled"]
    assert last(log, "action.cancelled")["reason"]["code"] == "declined"


@pytest.mark.one_in(2)
@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_persons_decision_is_recorded(
    shop: FakeShop, principal: Principal, conversation: Conversation, lead: User, log: Log, decision: str
) -> None:
    limit("refund_order", approval_above=20)
    card = propose(principal, "refund_order", REFUND, proposal_key="turn:1:2", conversation_id=conversation.pk)
    confirm(card.pk, principal=principal, digest=card.digest)
    assert told(log) == ["action.proposed", "action.awaiting_approval"]
    assert last(log, "action.proposed")["needs_approval"] is True
    if decision == "approve":
        approve(card.pk, approver=lead, digest=card.digest)
        assert told(log)[2:] == ["action.queued"]
    else:
        reject(card.pk, approver=lead)
        assert told(log)[2:] == ["action.rejected", "assistant.final"]
        assert "reviewed the request and declined it" in last(log, "assistant.final")["text"]
        assert last(log, "assistant.final")["offers_human"] is True
    assert shop.refunds == []


@pytest.mark.long
def test_an_outcome_is_reported_in_german(
    shop: FakeShop, alice: Customer, conversation: Conversation, log: Log
) -> None:
    german = signed_in_as(alice, locale="de")
    card = propose(german, "refund_order", REFUND, proposal_key="turn:1:1", conversation_id=conversation.pk)
    confirm(card.pk, principal=german, digest=card.digest)
    run_queued()
    told(log)
    assert last(log, "assistant.final")["text"].startswith("Wir haben 49,90\u00a0€ für Bestellung A-1001 erstattet.")


@pytest.mark.long
def test_the_system_reports_an_outcome_while_a_person_has_the_conversation(
    card: ActionRequest, principal: Principal, conversation: Conversation, bob: User, log: Log
) -> None:
    """After a takeover, no final answer is logged; the system reports the outcome instead."""
    told(log)
    handoff.claim(handoff.request(conversation.pk, reason="customer_asked", by="customer").pk, agent=bob)
    confirm(card.pk, principal=principal, digest=card.digest)
    run_queued()
    assert told(log)[-2:] == ["action.succeeded", "message"]
    assert (last(log, "message")["source"], Turn.objects.count()) == ("system", 0)


def test_a_waiting_question_is_still_answered(
    card: ActionRequest, principal: Principal, conversation: Conversation, log: Log
) -> None:
    confirm(card.pk, principal=principal, digest=card.digest)
    receipt = add_customer_message(conversation.pk, text="And how long does it take?", client_id="c1")
    run_queued()
    told(log)
    claim = claim_turn("test-runner")
    assert claim is not None and Turn.objects.get(pk=claim.turn_id).kind == "reply"
    assert claim.from_seq < receipt.seq <= claim.through_seq


def test_nothing_is_recorded_in_an_erased_conversation(
    card: ActionRequest, principal: Principal, conversation: Conversation
) -> None:
    conversation.delete()
    confirm(card.pk, principal=principal, digest=card.digest)
    run_queued()
    deliver_due()
    assert not Announcement.objects.filter(delivered_at=None).exists()
    card.refresh_from_db()
    assert card.state == State.SUCCEEDED


def test_text_that_colleagues_write_after_an_erasure_is_deleted(
    shop: FakeShop, principal: Principal, conversation: Conversation, lead: User
) -> None:
    limit("refund_order", approval_above=20)
    card = propose(principal, "refund_order", REFUND, proposal_key="turn:1:2", conversation_id=conversation.pk)
    confirm(card.pk, principal=principal, digest=card.digest)
    conversation.delete()
    deliver_due()
    reject(card.pk, approver=lead, words="You have had three refunds.", note="Tries it every week")
    deliver_due()
    card.refresh_from_db()
    assert (card.state, card.reason_code, card.reason_facts) == (State.REJECTED, "rejected", {})
