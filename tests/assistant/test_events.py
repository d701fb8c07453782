"""The published schema of the log's events: the tests write every event in it, and no other."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils.timezone import now, timedelta

from actions.models import ActionRequest
from actions.principals import Principal
from actions.requests.sweeps import expire_waiting
from actions.services import confirm, decline, propose, reject
from actions.testing import FakeShop, make_due, run_queued
from supportbot.accounts.models import Customer, User
from supportbot.chat.answers import Answer, CitedSpan
from supportbot.chat.models import Conversation, ConversationEvent
from supportbot.chat.retrieval_trace import RetrievalTrace, TracedPassage
from supportbot.chat.services import add_agent_message, add_customer_message, add_note
from supportbot.chat.signals import EventView
from supportbot.chat.turns import Claim, claim_turn, fail_turn, finish_turn
from supportbot.handoff.models import Reason
from supportbot.handoff.tickets import services as handoff
from supportbot.outbox.delivery import deliver_due
from supportbot.widget.services import rate
from tests.actions.conftest import limit, signed_in_as
from tests.events import EVENT_SCHEMA, check_event, names_in_schema
from tests.widget.page import schema as widget_schema

pytestmark = pytest.mark.django_db
REFUND = {"order_id": "A-1001", "reason": "Arrived damaged"}
RESERVED = {"read"}
TEAM_ONLY = {"rated"}


@pytest.mark.long
def test_every_event_matches_its_schema(
    shop: FakeShop,
    alice: Customer,
    bob: User,
    lead: User,
    conversation: Conversation,
    log: Callable[[], list[EventView]],
) -> None:
    for play in (play_turns, play_a_stop):
        play(conversation)
    play_actions(conversation, signed_in_as(alice), shop, lead)
    play_people(conversation, bob)
    for event in ConversationEvent.objects.filter(conversation=conversation):  # the log as the team sees it
        check_event(event.event, event.payload)
    assert {event.event for event in log()} == names_in_schema() - RESERVED - TEAM_ONLY
    assert ConversationEvent.objects.filter(conversation=conversation, audience="staff").count() == 2


def test_sockets_use_the_event_names_of_the_schema() -> None:
    [frame] = [frame for frame in widget_schema("server")["oneOf"] if frame["properties"]["type"]["const"] == "event"]
    assert set(frame["properties"]["event"]["enum"]) == names_in_schema()
    [asked] = [
        event for event in EVENT_SCHEMA["oneOf"] if event["properties"]["event"].get("const") == "handoff.requested"
    ]
    assert asked["properties"]["payload"]["properties"]["reason"]["enum"] == Reason.values


def play_turns(conversation: Conversation) -> None:
    source = CitedSpan(conversation.pk, "returns", "Returns", "/help/", 1, 0, 6, "Return")
    add_customer_message(conversation.pk, text="How long?", client_id="m1")
    passage = TracedPassage(str(conversation.pk), "Returns", "", 1, 3.2, None)
    finish_turn(claimed(), Answer("Sixty days [1].", (source,), "model"), RetrievalTrace("How long?", (passage,)))
    add_customer_message(conversation.pk, text="And how?", client_id="m2")
    fail_turn(claimed(), "model_unavailable")


def play_a_stop(conversation: Conversation) -> None:
    add_customer_message(conversation.pk, text="Never mind", client_id="m3")
    finish_turn(claimed(), Answer("You", (), "builtin", is_stopped=True))


def claimed() -> Claim:
    claim = claim_turn("test-runner")
    assert claim is not None
    return claim


def play_actions(conversation: Conversation, principal: Principal, shop: FakeShop, lead: User) -> None:
    def card(key: int, **arguments: Any) -> ActionRequest:
        wish = {**REFUND, **arguments}
        return propose(principal, "refund_order", wish, proposal_key=f"turn:1:{key}", conversation_id=conversation.pk)

    card(1, order_id="A-1005")  # refused, since the order was delivered too long ago
    decline(card(2).pk, principal=principal)
    ActionRequest.objects.filter(pk=card(3).pk).update(expires_at=now() - timedelta(seconds=1))
    expire_waiting()
    deliver_due()
    lost = card(4, amount="5.00")
    shop.faults, shop.can_be_found = ["commit_then_silence"], False
    confirm(lost.pk, principal=principal, digest=lost.digest)
    for _ in range(5):
        make_due()
        run_queued()
    deliver_due()
    shop.faults = []
    for key, refunded in ((5, "0.00"), (6, "49.90")):
        paid = card(key, amount="6.00")
        confirm(paid.pk, principal=principal, digest=paid.digest)
        shop.change_order("A-1001", refunded=type(shop.orders["A-1001"].total)(refunded))
        run_queued()
        deliver_due()
    shop.change_order("A-1001", refunded=type(shop.orders["A-1001"].total)("0.00"))
    limit("refund_order", approval_above=1)
    unwanted = card(7, amount="7.00")
    confirm(unwanted.pk, principal=principal, digest=unwanted.digest)
    reject(unwanted.pk, approver=lead)
    deliver_due()


def play_people(conversation: Conversation, bob: User) -> None:
    ticket = handoff.request(conversation.pk, reason="customer_asked", by="customer")
    handoff.claim(ticket.pk, agent=bob)
    add_agent_message(conversation.pk, text="Hello", author=bob, client_id="a1")
    add_note(conversation.pk, text="Be kind", author=bob, client_id="a2")
    rate(conversation.pk, score=1, comment="Not for boots", message_id=None, reason="wrong")
    handoff.resolve(ticket.pk, agent=bob)
