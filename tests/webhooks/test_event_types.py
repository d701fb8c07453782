"""Each kind of event is sent once to its subscribers only, and follows the published schema."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now, timedelta

from actions.models import ActionRequest
from actions.principals import Principal
from actions.services import confirm, decline, propose
from actions.testing import FakeShop, run_queued
from kb.services import Change, archive, create_article, publish, save_draft
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.principals import CustomerCaller
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.erasure import erase_conversation, forget_customer
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services as tickets
from supportbot.handoff.tickets.periodic_changes import expire_abandoned
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.models import Announcement
from supportbot.webhooks import services
from supportbot.webhooks.event_types import ACTION_STATES, KINDS, TEST
from supportbot.webhooks.models import WebhookDelivery, WebhookEndpoint
from supportbot.widget.services import end_conversation
from tests.actions.conftest import REFUND, policies, shop, signed_in_as
from tests.actions.raw_server import reply
from tests.webhooks.conftest import SCHEMA, Receiver, send_all

__all__ = ["policies", "shop"]  # fixtures
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hashed_vectors(settings: Any) -> Iterator[None]:
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"
    yield


def test_the_schema_has_every_kind_and_no_other() -> None:
    told = [kind for variant in SCHEMA["oneOf"] for kind in variant["properties"]["type"]["enum"]]
    assert sorted(told) == sorted([*KINDS, TEST])
    assert SCHEMA["$defs"]["request"]["properties"]["state"]["enum"] == sorted(str(state) for state in ACTION_STATES)
    assert SCHEMA["$defs"]["ticket"]["properties"]["reason"]["enum"] == tickets.Reason.values


def test_a_ticket_is_reported_step_by_step(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer, bob: User
) -> None:
    conversation = start_conversation(alice.pk)
    ticket = tickets.request(conversation.pk, reason="customer_asked", by="customer", summary="Xylograph")
    tickets.claim(ticket.pk, agent=bob)
    tickets.release(ticket.pk, agent=bob)
    tickets.claim(ticket.pk, agent=bob)
    tickets.resolve(ticket.pk, agent=bob)
    send_all()
    steps = ["opened", "claimed", "released", "claimed", "resolved"]
    assert inbox.kinds == ["conversation.started", *(f"ticket.{step}" for step in steps)]
    first, claimed = inbox.received[1].body, inbox.received[2].body
    about = {"ticket": str(ticket.pk), "conversation": str(conversation.pk), "customer": str(alice.pk)}
    assert first["data"] == {**about, "reason": "customer_asked"}
    assert claimed["data"]["agent"] == str(bob.pk)
    assert first["timestamp"] <= claimed["timestamp"] and first["timestamp"].endswith("Z")
    assert "Xylograph" not in str([one.body for one in inbox.received])
    assert len({one.message_id for one in inbox.received}) == len({one.body["id"] for one in inbox.received}) == 6


@pytest.mark.parametrize("outcome", ["returned", "expired"])
def test_a_returned_or_expired_ticket_is_reported(
    outcome: str, endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer, bob: User
) -> None:
    alice.email = ""
    alice.save()
    ticket = tickets.request(start_conversation(alice.pk).pk, reason="other", by="agent")
    if outcome == "returned":
        tickets.claim(ticket.pk, agent=bob)
        tickets.return_to_assistant(ticket.pk, agent=bob, note="Xylograph")
    else:
        Ticket.objects.filter(pk=ticket.pk).update(waiting_since=now() - timedelta(days=2))
        expire_abandoned()
    send_all()
    assert inbox.kinds[-1] == f"ticket.{outcome}"
    assert "Xylograph" not in str([one.body for one in inbox.received])


@pytest.mark.long
def test_a_ticket_opened_by_an_agent_never_waited(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer, bob: User
) -> None:
    ticket = tickets.request(start_conversation(alice.pk).pk, reason="other", by="agent")
    tickets.claim(ticket.pk, agent=bob)
    tickets.resolve(ticket.pk, agent=bob)
    send_all()
    inbox.received.clear()
    again = tickets.reopen(ticket.pk, agent=bob)
    tickets.release(again.pk, agent=bob)
    send_all()
    assert inbox.kinds == ["ticket.opened", "ticket.claimed", "ticket.released"]
    assert {one.body["data"]["ticket"] for one in inbox.received} == {str(again.pk)}


def test_a_conversation_begins_ends_and_is_erased(
    workspace: Workspace, endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer
) -> None:
    conversation = start_conversation(alice.pk, locale="de")
    conversation_id, who = str(conversation.pk), alice.pk
    add_customer_message(conversation.pk, text="Xylograph", client_id="1")
    end_conversation(conversation.pk)
    end_conversation(conversation.pk)
    send_all()
    caller = CustomerCaller(workspace.pk, alice.pk, is_verified=True)
    erase_conversation(caller, conversation.pk)
    forget_customer(alice)
    send_all()
    assert inbox.kinds == ["conversation.started", "conversation.ended", "conversation.erased", "customer.forgotten"]
    about = {"conversation": conversation_id, "customer": str(who), "channel": None, "locale": "de"}
    assert inbox.received[0].body["data"] == inbox.received[1].body["data"] == about
    assert inbox.received[2].body["data"] == {"conversation": conversation_id}
    assert inbox.received[3].body["data"] == {"customer": str(who)}
    assert "Xylograph" not in str([one.body for one in inbox.received])


def test_an_action_is_reported_state_by_state(
    endpoint: WebhookEndpoint, inbox: Receiver, shop: FakeShop, alice: Customer
) -> None:
    principal = signed_in_as(alice)
    card = propose(principal, "refund_order", REFUND, proposal_key="turn:1:1")
    confirm(card.pk, principal=principal, digest=card.digest)
    run_queued()
    send_all()
    states = ["awaiting_confirmation", "queued", "executing", "succeeded"]
    assert inbox.kinds == [f"action.{state}" for state in states]
    last = inbox.received[-1].body["data"]
    assert last == {
        "request": str(card.pk),
        "action": "refund_order",
        "state": "succeeded",
        "reason": None,
        "subject": {"kind": "order", "id": "A-1001"},
        "conversation": None,
        "customer": str(alice.pk),
    }
    assert "Arrived damaged" not in str([one.body for one in inbox.received])


@pytest.mark.long
def test_an_action_that_ends_early_is_reported(
    endpoint: WebhookEndpoint, inbox: Receiver, shop: FakeShop, alice: Customer
) -> None:
    principal = signed_in_as(alice)
    declined = propose(principal, "refund_order", REFUND, proposal_key="turn:1:1")
    decline(declined.pk, principal=principal)
    _refused(principal)
    send_all()
    assert {"action.cancelled", "action.refused"} <= set(inbox.kinds)
    refused = next(one.body["data"] for one in inbox.received if one.kind == "action.refused")
    assert refused["reason"] and refused["subject"] in (None, {"kind": "order", "id": "A-1005"})


def _refused(principal: Principal) -> ActionRequest:
    return propose(principal, "refund_order", {**REFUND, "order_id": "A-1005"}, proposal_key="turn:1:2")


def test_an_article_is_reported_when_readers_get_another_text(endpoint: WebhookEndpoint, inbox: Receiver) -> None:
    article = create_article(Change(title="Returns", body="Xylograph\n"), external_id="returns")
    send_all()
    assert inbox.kinds == []  # a draft
    publish(article.pk)
    send_all()
    save_draft(article.pk, Change(category="Delivery"))  # announced, but with the same text
    save_draft(article.pk, Change(body="Other words.\n"))
    send_all()
    publish(article.pk)
    send_all()
    archive(article.pk)
    send_all()
    assert inbox.kinds == ["article.published", "article.published", "article.archived"]
    assert [one.body["data"]["revision"] for one in inbox.received] == [1, 2, 2]
    assert inbox.received[0].body["data"]["external_id"] == "returns"
    assert "Xylograph" not in str([one.body for one in inbox.received])


def test_a_repeated_announcement_sends_nothing_twice(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer
) -> None:
    start_conversation(alice.pk)
    send_all()
    Announcement.objects.update(delivered_at=None)
    send_all()
    assert inbox.kinds == ["conversation.started"] and WebhookDelivery.objects.count() == 1


def test_only_subscribed_events_are_sent_and_only_from_then_on(inbox: Receiver, alice: Customer, bob: User) -> None:
    ticket = tickets.request(start_conversation(alice.pk).pk, reason="other", by="agent")
    new = services.create("books", inbox.url, ["ticket.resolved"], actor="test")
    inbox.secret = new.secret
    tickets.claim(ticket.pk, agent=bob)
    services.update(new.endpoint.pk, kinds=["ticket.resolved", "ticket.opened", "ticket.claimed"], actor="test")
    tickets.resolve(ticket.pk, agent=bob)  # announces all of the ticket's steps again
    send_all()
    assert inbox.kinds == ["ticket.resolved"]


def test_chats_that_begin_together_cost_as_many_statements_as_one(alice: Customer) -> None:
    """Otherwise, a rush of new chats would keep the relay's thread busy while the first answers are written."""
    statements = []
    for count in (1, 12):
        for _ in range(count):
            start_conversation(alice.pk)
        with CaptureQueriesContext(connection) as captured:
            assert deliver_due() == count
        statements.append(len(captured))
    assert statements[0] == statements[1] and not Announcement.objects.filter(delivered_at=None).exists()


def test_each_chat_that_begins_during_a_rush_is_reported(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer
) -> None:
    started = [str(start_conversation(alice.pk).pk) for _ in range(3)]
    send_all()
    assert inbox.kinds == ["conversation.started"] * 3
    assert sorted(one.body["data"]["conversation"] for one in inbox.received) == sorted(started)


def test_other_workspaces_receive_nothing(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer, other_workspace: Workspace
) -> None:
    with workspace_scope(other_workspace.pk):
        services.create("theirs", inbox.url, KINDS, actor="test")
    start_conversation(alice.pk)
    send_all()
    assert inbox.kinds == ["conversation.started"] and len(inbox.seen) == 1
    with workspace_scope(other_workspace.pk):
        assert not WebhookDelivery.objects.exists()


def test_a_customer_is_described_only_on_request_and_only_while_known(inbox: Receiver, alice: Customer) -> None:
    new = services.create("crm", inbox.url, ["conversation.started"], includes_customer=True, actor="test")
    inbox.secret = new.secret
    start_conversation(alice.pk)
    send_all()
    details = {"external_id": "cus_alice", "name": "Alice", "email": "alice@example.com"}
    assert inbox.received[0].body["data"]["customer_details"] == details
    assert "alice@" not in str(WebhookDelivery.objects.get().payload)
    services.update(new.endpoint.pk, includes_customer=False, actor="test")
    forget_customer(alice)
    services.update(new.endpoint.pk, includes_customer=True, actor="test")
    services.replay(WebhookDelivery.objects.get().pk, actor="test")
    send_all()
    assert inbox.received[1].body["data"]["customer_details"] is None


def test_an_answer_that_repeats_the_customers_data_is_not_kept(inbox: Receiver, alice: Customer) -> None:
    services.create("crm", inbox.url, ["conversation.started"], includes_customer=True, actor="test")
    inbox.api.answer = lambda asked: reply("200 OK", asked.body)
    start_conversation(alice.pk)
    send_all()
    stored = WebhookDelivery.objects.get()
    assert (stored.state, stored.status, stored.answer) == ("delivered", 200, "")
