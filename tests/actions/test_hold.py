"""A held request is sent when its time comes; until then, its customer can withdraw it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import now

from actions.cards import state_payload
from actions.models import ActionRequest, LedgerEntry
from actions.policy_store import policy_of, switch
from actions.principals import Principal
from actions.requests.execution import execute
from actions.requests.sweeps import publish_due
from actions.services import approve, confirm, decline, propose
from actions.states import State
from actions.testing import FakeShop, run_queued
from supportbot.accounts.models import Customer, User
from supportbot.chat.models import ConversationEvent
from supportbot.chat.services import start_conversation
from supportbot.chat.transcript import transcript_of
from supportbot.outbox.delivery import deliver_due
from tests.actions.conftest import REFUND, limit
from tests.events import check_event

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(shop: FakeShop, principal: Principal) -> ActionRequest:
    """Alice's confirmed refund, to be sent in ten minutes."""
    limit("refund_order", hold_minutes=10)
    card = propose(principal, "refund_order", REFUND, proposal_key="turn:1:1")
    return confirm(card.pk, principal=principal, digest=card.digest)


def let_pass(request: ActionRequest) -> None:
    ActionRequest.objects.filter(pk=request.pk).update(due_at=now() - timedelta(seconds=1))


def test_a_held_request_is_sent_when_its_time_comes(held: ActionRequest, shop: FakeShop, messages: list[str]) -> None:
    assert held.state == State.QUEUED and held.held_until is not None
    assert timedelta(minutes=9) < held.held_until - now() <= timedelta(minutes=10)
    publish_due()
    execute(held.pk)  # a message that arrives too early does nothing
    held.refresh_from_db()
    assert (messages, held.state, shop.refunds) == ([], State.QUEUED, [])
    let_pass(held)
    publish_due()
    assert messages == [str(held.pk)]
    execute(held.pk)
    held.refresh_from_db()
    assert (held.state, held.held_until, len(shop.refunds)) == (State.SUCCEEDED, None, 1)


def test_the_customer_can_withdraw_a_held_request(held: ActionRequest, principal: Principal, shop: FakeShop) -> None:
    withdrawn = decline(held.pk, principal=principal)
    assert (withdrawn.state, withdrawn.reason_code) == (State.CANCELLED, "withdrawn")
    let_pass(held)
    run_queued()
    assert shop.refunds == [] and LedgerEntry.objects.get().status == LedgerEntry.Status.RELEASED


def test_changes_during_the_hold_count(held: ActionRequest, shop: FakeShop) -> None:
    shop.change_order("A-1001", refunded=Decimal("49.90"))
    let_pass(held)
    run_queued()
    held.refresh_from_db()
    assert (held.state, held.reason_code) == (State.FAILED, "already_refunded")


def test_the_kill_switch_stops_a_held_request(held: ActionRequest, shop: FakeShop) -> None:
    policy = policy_of("refund_order")
    assert policy is not None
    switch(policy, is_enabled=False, actor="test")
    let_pass(held)
    run_queued()
    held.refresh_from_db()
    assert (held.state, held.reason_code, shop.refunds) == (State.FAILED, "action_disabled", [])


def test_an_approved_request_is_held_from_its_approval(waiting: ActionRequest, approver: User) -> None:
    limit("refund_order", hold_minutes=30)
    request = approve(waiting.pk, approver=approver, digest=waiting.digest)
    assert request.held_until is not None and request.held_until > now() + timedelta(minutes=29)


def test_a_retry_is_not_held(shop: FakeShop, queued: ActionRequest) -> None:
    assert queued.held_until is None
    shop.faults = ["refuse_connection"]
    execute(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.held_until) == (State.QUEUED, None) and queued.due_at is not None


def test_the_customer_sees_until_when_a_request_is_held(shop: FakeShop, principal: Principal, alice: Customer) -> None:
    limit("refund_order", hold_minutes=10)
    chat = start_conversation(principal.customer_id)
    card = propose(principal, "refund_order", REFUND, proposal_key="turn:1:1", conversation_id=chat.pk)
    request = confirm(card.pk, principal=principal, digest=card.digest)
    deliver_due()
    event = ConversationEvent.objects.get(conversation=chat, event="action.queued")
    check_event(event.event, event.payload)
    assert request.held_until is not None
    assert event.payload["held_until"] == request.held_until.isoformat().replace("+00:00", "Z")
    assert "unless you withdraw it: Refund €49.90" in transcript_of(chat)
    decline(request.pk, principal=principal)
    request.refresh_from_db()
    assert "held_until" not in state_payload(request)


def test_a_hold_has_a_maximum(shop: FakeShop) -> None:
    with pytest.raises(CommandError, match="10080"):
        call_command("action_policy", "refund_order", "--set", "hold_minutes=10081")
