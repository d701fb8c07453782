"""Every accepted request ends and its customer is notified: even a day later, after a reconnect, in an ended chat."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db.models import F

from actions.models import ActionRequest, Attempt, LedgerEntry
from actions.principals import Principal
from actions.requests.execution import MAX_ATTEMPTS
from actions.requests.sweeps import expire_waiting, sweep
from actions.services import approve, confirm, propose
from actions.states import State
from actions.testing import FakeShop, make_due, run_queued
from supportbot.accounts.models import Customer, User
from supportbot.chat.models import Conversation, Message
from supportbot.chat.selectors import events_after
from supportbot.chat.services import start_conversation
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services as handoff
from supportbot.outbox.delivery import MAX_ATTEMPTS as MOST_DELIVERIES
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.models import Announcement
from supportbot.outbox.services import parked, retry_parked
from supportbot.widget.services import end_conversation
from tests.actions.conftest import REFUND, limit

pytestmark = pytest.mark.django_db
A_DAY = timedelta(hours=25)


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actions.requests.sweeps.publish", lambda workspace_id, request_id: None)


@pytest.fixture
def conversation(shop: FakeShop, alice: Customer) -> Conversation:
    return start_conversation(alice.pk)


def card_for(principal: Principal, conversation: Conversation, **wish: str) -> ActionRequest:
    return propose(
        principal, "refund_order", {**REFUND, **wish}, proposal_key="turn:1:1", conversation_id=conversation.pk
    )


def confirmed(principal: Principal, conversation: Conversation, **wish: str) -> ActionRequest:
    card = card_for(principal, conversation, **wish)
    return confirm(card.pk, principal=principal, digest=card.digest)


def let_pass(time: timedelta, shop: FakeShop) -> None:
    """Move all stored times back, as if this much time had passed without a worker."""
    for column in ("due_at", "lease_until", "expires_at", "changed_at"):
        ActionRequest.objects.exclude(**{column: None}).update(**{column: F(column) - time})
    Attempt.objects.exclude(sent_at=None).update(sent_at=F("sent_at") - time)
    for order in shop.orders.values():
        if order.delivered_at is not None:
            shop.change_order(order.id, delivered_at=order.delivered_at - time)


def work() -> None:
    """Run everything that is now due for workers and periodic tasks."""
    for _ in range(MAX_ATTEMPTS):
        sweep()
        run_queued()
        make_due(by=timedelta(seconds=30))
    expire_waiting()


def read(conversation: Conversation, after: int = 0) -> list[str]:
    """Return the action events that a customer sees on return, and the last message about them."""
    deliver_due()
    events = events_after(conversation.pk, after)
    return [event.event for event in events if event.event.startswith(("action.", "assistant.final"))]


def last_message(conversation: Conversation) -> str:
    return Message.objects.filter(conversation=conversation).latest("seq").text


def test_a_worker_outage_of_a_day_loses_nothing(
    shop: FakeShop, principal: Principal, conversation: Conversation
) -> None:
    request = confirmed(principal, conversation)
    assert read(conversation) == ["action.proposed", "action.queued"]
    seen = conversation.last_seq + len(read(conversation))
    let_pass(A_DAY, shop)
    work()
    request.refresh_from_db()
    assert request.state == State.SUCCEEDED and len(shop.refunds) == 1
    assert read(conversation, after=seen) == ["action.succeeded", "assistant.final"]
    assert "RF-1" in last_message(conversation)


def test_changes_of_a_day_are_found_before_the_call(
    shop: FakeShop, principal: Principal, conversation: Conversation
) -> None:
    """The window of 60 days closes while no worker is running: nothing is refunded, and the customer learns why."""
    shop.add_order("A-1009", "cus_alice", delivered_days_ago=59.5)
    request = confirmed(principal, conversation, order_id="A-1009")
    let_pass(A_DAY, shop)
    work()
    request.refresh_from_db()
    assert (request.state, request.reason_code) == (State.FAILED, "outside_window")
    assert read(conversation)[-2:] == ["action.failed", "assistant.final"]
    assert "more than 60 days ago" in last_message(conversation)
    assert LedgerEntry.objects.get().status == LedgerEntry.Status.RELEASED


@pytest.mark.long
def test_undecided_cards_and_approvals_end_with_an_offer(
    shop: FakeShop, principal: Principal, conversation: Conversation
) -> None:
    limit("refund_order", approval_above=Decimal(1))
    waiting = confirmed(principal, conversation, amount="20.00")
    card = propose(
        principal, "refund_order", {**REFUND, "amount": "2.00"}, proposal_key="turn:2:1",
        conversation_id=conversation.pk,
    )  # fmt: skip
    let_pass(timedelta(minutes=16), shop)
    work()
    card.refresh_from_db()
    waiting.refresh_from_db()
    assert (card.state, card.reason_code) == (State.EXPIRED, "not_confirmed")
    assert waiting.state == State.AWAITING_APPROVAL
    read(conversation)
    assert "ask me again for a new card" in last_message(conversation)
    let_pass(A_DAY, shop)
    work()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason_code) == (State.EXPIRED, "not_approved")
    assert read(conversation).count("action.expired") == 2
    assert "Nobody decided in time" in last_message(conversation)
    assert shop.refunds == [] and LedgerEntry.objects.get().status == LedgerEntry.Status.RELEASED


@pytest.mark.long
def test_an_outcome_that_is_known_only_the_next_day_is_reported(
    shop: FakeShop, principal: Principal, conversation: Conversation
) -> None:
    shop.faults, shop.can_be_found = ["commit_then_silence"], False
    request = confirmed(principal, conversation)
    work()
    assert "action.unknown" in read(conversation)
    assert Ticket.objects.get().conversation_id == conversation.pk
    for _ in range(30):  # checks become rarer, but do not stop
        let_pass(timedelta(hours=1), shop)
        sweep()
    request.refresh_from_db()
    assert request.state == State.UNKNOWN and request.due_at is not None
    shop.can_be_found = True
    let_pass(timedelta(hours=1), shop)
    sweep()
    request.refresh_from_db()
    assert request.state == State.SUCCEEDED and len(shop.refunds) == 1
    assert "action.succeeded" in read(conversation)
    assert "We refunded" in last_message(conversation)


def test_an_ended_chat_is_still_notified(shop: FakeShop, principal: Principal, conversation: Conversation) -> None:
    confirmed(principal, conversation)
    end_conversation(conversation.pk)
    work()
    assert read(conversation)[-2:] == ["action.succeeded", "assistant.final"]
    assert not Announcement.objects.filter(delivered_at=None).exists()


@pytest.mark.long
def test_an_unknown_outcome_in_an_ended_chat_hands_over_to_a_person(
    shop: FakeShop, principal: Principal, conversation: Conversation
) -> None:
    shop.faults, shop.can_be_found = ["silence"], False
    confirmed(principal, conversation)
    end_conversation(conversation.pk)
    work()
    assert "action.unknown" in read(conversation)
    assert Ticket.objects.get().conversation_id == conversation.pk
    assert not Announcement.objects.filter(delivered_at=None).exists()


@pytest.mark.long
def test_a_chat_with_an_agent_gets_a_system_line(
    shop: FakeShop, principal: Principal, conversation: Conversation, approver: User
) -> None:
    confirmed(principal, conversation)
    ticket = handoff.request(conversation.pk, reason="customer_asked", by="customer")
    handoff.claim(ticket.pk, agent=approver)
    work()
    assert read(conversation)[-1] == "action.succeeded"
    assert "We refunded" in last_message(conversation)


def test_an_erased_customer_is_paid_nothing_and_nothing_breaks(
    shop: FakeShop, principal: Principal, conversation: Conversation
) -> None:
    request = confirmed(principal, conversation)
    Customer.objects.filter(pk=principal.customer_id).update(external_id=None)
    work()
    request.refresh_from_db()
    assert (request.state, request.reason_code) == (State.FAILED, "order_not_found")
    assert shop.refunds == []


@pytest.mark.long
def test_a_notice_that_kept_failing_is_sent_later(
    shop: FakeShop, principal: Principal, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = confirmed(principal, conversation)
    with monkeypatch.context() as broken:

        def stumble(request_id: UUID) -> None:
            raise RuntimeError("a bug")

        broken.setattr("supportbot.assistant.outbox_consumers.record_action_events", stumble)
        work()
        for _ in range(5 * MOST_DELIVERIES):
            Announcement.objects.filter(delivered_at=None).update(due_at="2000-01-01T00:00:00Z")
            deliver_due()
    assert parked().count() == Announcement.objects.filter(object_id=request.pk).count()
    assert read(conversation) == []
    retry_parked()
    assert read(conversation) == ["action.proposed", "action.queued", "action.succeeded", "assistant.final"]


def test_yesterdays_approval_runs_under_todays_rules(
    shop: FakeShop, principal: Principal, conversation: Conversation, approver: User
) -> None:
    limit("refund_order", approval_above=Decimal(1))
    waiting = confirmed(principal, conversation)
    approve(waiting.pk, approver=approver, digest=waiting.digest)
    let_pass(A_DAY, shop)
    limit("refund_order", max_per_order=Decimal(5))
    work()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason_code) == (State.FAILED, "limit_order")
    assert read(conversation)[-2:] == ["action.failed", "assistant.final"]
    assert shop.refunds == []
