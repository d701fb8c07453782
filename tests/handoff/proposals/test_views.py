"""An agent's proposal to a customer: filled in, reviewed, sent once, and decided by others."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from actions.approvers import allow_approval
from actions.errors import NotSignedIn, OwnRequest
from actions.models import ActionRequest, AuditEntry
from actions.policy_store import policy_of
from actions.principals import Principal, proposed_by
from actions.services import approve, confirm
from actions.testing import FakeShop, connected
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services
from tests.handoff.browsing import browser
from tests.pages import visible_text
from tests.policies import store_policies

pytestmark = pytest.mark.django_db
REFUND = {"order_id": "A-1", "reason": "It arrived damaged"}
KEY = "01938f3a-0000-7000-8000-000000000001"


@pytest.fixture
def shop(workspace: Workspace) -> Iterator[FakeShop]:
    store_policies(workspace)
    with connected(FakeShop()) as fake:
        fake.add_order("A-1", "cus_alice", total="49.90")
        fake.add_order("A-2", "cus_alice", total="180.00")
        fake.add_order("B-2", "cus_stranger", total="75.00")
        yield fake


@pytest.fixture
def taken(ticket: Ticket, bob: User) -> Ticket:
    return services.claim(ticket.pk, agent=bob)


@pytest.fixture
def bob_client(bob: User) -> Client:
    return browser(bob)


def address(ticket: Ticket, action: str = "refund_order") -> str:
    return f"/desk/tickets/{ticket.pk}/ask/{action}/"


def read(answer: Any) -> LexborHTMLParser:
    return LexborHTMLParser(answer.content.decode())


def send(client: Client, ticket: Ticket, action: str = "refund_order", **typed: str) -> Any:
    return client.post(address(ticket, action), {"key": KEY, "step": "send", **typed})


@pytest.mark.long
def test_the_owner_is_offered_the_workspaces_actions(
    shop: FakeShop, taken: Ticket, bob_client: Client, noor: User
) -> None:
    def offers(client: Client) -> list[str]:
        return [link.text(strip=True) for link in read(client.get(f"/desk/tickets/{taken.pk}/")).css(".do a")]

    assert offers(bob_client) == ["Cancel an order", "Change the delivery address", "Refund an order"]
    assert offers(browser(noor)) == []
    policy = policy_of("refund_order")
    assert policy is not None
    policy.is_enabled = False
    policy.save()
    assert offers(bob_client) == ["Cancel an order", "Change the delivery address"]
    refused = send(bob_client, taken, **REFUND)
    assert refused.status_code == 404
    assert "not available here" in read(refused).css_first("[role=alert]").text()
    assert read(refused).css_first(f".crumb a[href='/desk/tickets/{taken.pk}/']") is not None
    assert not ActionRequest.objects.exists()


def test_a_visitor_gets_no_offers(shop: FakeShop, bob_client: Client, bob: User) -> None:
    conversation = start_conversation(Customer.objects.create().pk)
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    services.claim(ticket.pk, agent=bob)
    assert read(bob_client.get(f"/desk/tickets/{ticket.pk}/")).css(".do a") == []
    assert bob_client.get(address(ticket)).status_code == 404


def test_the_form_names_the_customers_own_orders_and_each_argument(
    shop: FakeShop, taken: Ticket, bob_client: Client
) -> None:
    form = read(bob_client.get(address(taken))).css_first("form.ask")
    assert [option.attributes["value"] for option in form.css("option")] == ["", "A-1", "A-2"]
    fields = {field.attributes["name"]: "required" in field.attributes for field in form.css("input.field")}
    assert fields == {"order_id": False, "reason": True, "amount": False}  # another order may be typed
    moved = read(bob_client.get(address(taken, "change_shipping_address"))).css("input.field")
    assert {field.attributes["name"] for field in moved} >= {"address.line1", "address.city", "address.country"}


def test_a_preview_stores_and_sends_nothing(shop: FakeShop, taken: Ticket, bob_client: Client) -> None:
    tree = read(bob_client.post(address(taken), {**REFUND, "amount": "12.50", "key": KEY, "step": "check"}))
    assert tree.css_first("form.ask h2").text() == "Refund €12.50"
    assert "It arrived damaged" in tree.css_first(".kv").text()
    assert "colleague approves" not in tree.css_first("form.ask").text()
    held = {field.attributes["name"]: field.attributes["value"] for field in tree.css("form.ask input[type=hidden]")}
    assert held["amount"] == "12.50" and UUID(held["key"])
    asks_more = bob_client.post(address(taken), {**REFUND, "order_id": "A-2", "step": "check"})
    assert "colleague other than you approves" in read(asks_more).css_first("form.ask").text()
    assert not ActionRequest.objects.exists()
    changing = read(bob_client.post(address(taken), {**REFUND, "amount": "12.50", "key": KEY, "step": "change"}))
    assert changing.css_first("input[name=amount]").attributes["value"] == "12.50"


def test_only_the_customer_can_confirm_a_sent_card(
    shop: FakeShop, taken: Ticket, bob_client: Client, bob: User
) -> None:
    answer = send(bob_client, taken, **REFUND)
    assert (answer.status_code, answer["Location"]) == (302, f"/desk/tickets/{taken.pk}/")
    request = ActionRequest.objects.get()
    assert (request.state, request.proposed_by) == ("awaiting_confirmation", f"user:{bob.pk}")
    assert (request.conversation_id, request.customer_id) == (
        taken.conversation_id,
        taken.conversation.customer_id,
    )
    assert AuditEntry.objects.filter(event="request.proposed", actor=f"user:{bob.pk}").count() == 1
    with pytest.raises(NotSignedIn):
        confirm(request.pk, principal=proposed_by(bob, taken.conversation.customer, locale="en"), digest=request.digest)
    assert shop.refunds == []


def test_submitting_a_form_twice_sends_one_card(shop: FakeShop, taken: Ticket, bob_client: Client) -> None:
    for _ in range(2):
        assert send(bob_client, taken, **REFUND).status_code == 302
    assert ActionRequest.objects.count() == 1


def test_a_change_after_sending_creates_another_card(shop: FakeShop, taken: Ticket, bob_client: Client) -> None:
    send(bob_client, taken, **REFUND, amount="10.00")
    typed = {**REFUND, "amount": "11.00", "key": KEY}  # resubmitted from the browser's history
    key = (
        read(bob_client.post(address(taken), {**typed, "step": "check"}))
        .css_first("input[name=key]")
        .attributes["value"]
    )
    assert bob_client.post(address(taken), {**typed, "key": key, "step": "send"}).status_code == 302
    assert set(ActionRequest.objects.values_list("amount", flat=True)) == {10, 11}


def test_an_amount_that_differs_from_the_preview_is_not_sent(shop: FakeShop, taken: Ticket, bob_client: Client) -> None:
    form = read(bob_client.post(address(taken), {**REFUND, "step": "check"})).css("form.ask input[type=hidden]")
    held = {field.attributes["name"]: field.attributes["value"] or "" for field in form}
    shop.orders["A-1"] = replace(shop.orders["A-1"], refunded=Decimal("10.00"))
    again = read(bob_client.post(address(taken), {**held, "step": "send"}))
    assert "has changed since the preview" in again.css_first("[role=alert]").text()
    assert again.css_first("form.ask h2").text() == "Refund €39.90"
    assert not ActionRequest.objects.exists()
    held["seen"] = again.css_first("input[name=seen]").attributes["value"] or ""
    assert bob_client.post(address(taken), {**held, "step": "send"}).status_code == 302
    assert ActionRequest.objects.get().amount == Decimal("39.90")


def test_the_card_uses_the_customers_language(shop: FakeShop, taken: Ticket, bob_client: Client) -> None:
    add_customer_message(taken.conversation_id, text="Das Hemd passt mir leider nicht, was nun?", client_id="c1")
    send(bob_client, taken, **REFUND)
    assert ActionRequest.objects.get().locale == "de"


def test_an_error_is_shown_next_to_its_field_with_the_typed_text(
    shop: FakeShop, taken: Ticket, bob_client: Client
) -> None:
    answer = bob_client.post(address(taken), {"order_id": "A-1", "amount": "twelve", "step": "check"})
    assert answer.status_code == 400
    tree = read(answer)
    assert "12.50" in tree.css_first("input[name=amount] + .error").text()
    assert "required" in tree.css_first("input[name=reason] + .error").text()
    assert tree.css_first("input[name=amount]").attributes["value"] == "twelve"
    assert tree.css_first("[role=alert]") is None
    moved = bob_client.post(
        address(taken, "change_shipping_address"), {"order_id": "A-1", "address.city": " ", "step": "check"}
    )
    assert "required" in read(moved).css_first("input[name='address.city'] + .error").text()
    assert read(moved).css_first("input[name='address.line2'] + .error") is None
    coded = {"order_id": "A-1", "address.postal_code": "!", "step": "check"}
    moved = bob_client.post(address(taken, "change_shipping_address"), coded)
    assert "such as 79102." in read(moved).css_first("input[name='address.postal_code'] + .error").text()
    long = bob_client.post(address(taken), {**REFUND, "reason": "x" * 16_000, "step": "check"})
    assert "could not be read" in read(long).css_first("[role=alert]").text()
    assert not ActionRequest.objects.exists()


def test_a_refusal_by_the_rules_is_shown_to_the_agent_only(shop: FakeShop, taken: Ticket, bob_client: Client) -> None:
    # A stranger's order looks like a missing one. On sending: the order has changed since the preview.
    for order, step in (("B-2", "check"), ("A-9", "check"), ("B-2", "send")):
        tree = read(bob_client.post(address(taken), {**REFUND, "order_id": order, "step": step, "key": KEY}))
        assert "The rules do not allow this." in tree.css_first(".notice.warn").text()
        assert tree.css_first("form.ask h2") is None
    assert not ActionRequest.objects.exists()
    assert not taken.conversation.events.filter(event__startswith="action.").exists()


def test_an_unreachable_shop_is_reported_and_the_form_kept(shop: FakeShop, taken: Ticket, bob_client: Client) -> None:
    shop.is_reachable = False
    answer = bob_client.post(address(taken), {**REFUND, "step": "check"})
    tree = read(answer)
    assert answer.status_code == 503
    assert tree.css_first("[role=alert]") is not None
    assert tree.css_first("input[name=order_id]").attributes["value"] == "A-1"


def test_a_colleague_who_is_not_the_owner_sends_nothing(
    shop: FakeShop, taken: Ticket, noor: User, mallory: User
) -> None:
    answer = send(browser(noor), taken, **REFUND)
    assert answer.status_code == 409
    page = read(answer)
    assert "assigned to Bob" in page.css_first("[role=alert]").text()
    assert [item.text() for item in page.css(".page li")] == ["A-1", "It arrived damaged"]
    assert send(browser(mallory), taken, **REFUND).status_code == 404
    assert not ActionRequest.objects.exists()


def test_the_agent_who_proposed_cannot_approve(shop: FakeShop, ticket: Ticket, lead: User) -> None:
    services.claim(ticket.pk, agent=lead)
    send(browser(lead), ticket, **{**REFUND, "order_id": "A-2"})
    request = ActionRequest.objects.get()
    policy = policy_of("refund_order")
    assert policy is not None
    allow_approval(policy, lead, actor="test")
    customer = ticket.conversation.customer
    fresh = Principal(
        customer.workspace_pk,
        customer.pk,
        customer.external_id,
        is_verified=True,
        expires_at=now() + timedelta(hours=1),
    )
    confirm(request.pk, principal=fresh, digest=request.digest)
    with pytest.raises(OwnRequest):
        approve(request.pk, approver=lead, digest=request.digest)
    request.refresh_from_db()
    assert request.state == "awaiting_approval"
    page = read(browser(lead).get(f"/desk/approvals/{request.pk}/"))
    assert "This is your own request." in page.css_first("main").text()
    assert "Proposed by Daniel Brandt," in visible_text(page.css_first("main"))
