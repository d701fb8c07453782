"""The customer's orders next to a conversation."""

from collections.abc import Iterator

import pytest

from actions.models import AuditEntry
from actions.policy_store import policy_of, switch
from actions.testing import FakeShop, connected
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.services import start_conversation
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services
from tests.handoff.browsing import browser, get_json
from tests.policies import store_policies

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(workspace: Workspace) -> Iterator[FakeShop]:
    store_policies(workspace)
    with connected(FakeShop()) as fake:
        fake.add_order("A-1", "cus_alice", total="49.90")
        fake.add_order("B-2", "cus_stranger", total="75.00")
        yield fake


def test_orders_are_the_customers_own_and_the_lookup_is_audited(shop: FakeShop, ticket: Ticket, bob: User) -> None:
    found = get_json(browser(bob), ticket, "orders").json()
    assert [order["id"] for order in found["orders"]] == ["A-1"]
    entry = AuditEntry.objects.get(event="read.answered")
    assert (entry.payload["conversation"], entry.actor) == (str(ticket.conversation_id), f"user:{bob.pk}")


@pytest.mark.parametrize("is_enabled", [True, False])
def test_orders_are_shown_only_if_they_can_be_looked_up(
    shop: FakeShop, ticket: Ticket, bob: User, is_enabled: bool
) -> None:
    policy = policy_of("order_status")
    assert policy is not None
    switch(policy, is_enabled=is_enabled, actor="test")
    page = browser(bob).get(f"/desk/tickets/{ticket.pk}/").content.decode()
    assert ('id="orders"' in page) is is_enabled


def test_a_visitors_orders_are_refused_with_a_reason(shop: FakeShop, bob: User) -> None:
    conversation = start_conversation(Customer.objects.create().pk)
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    answer = get_json(browser(bob), ticket, "orders")
    assert answer.status_code >= 400 and answer.json()["message"]


def test_a_stranger_gets_no_data(shop: FakeShop, ticket: Ticket, mallory: User) -> None:
    client = browser(mallory)
    answers = [get_json(client, ticket, what) for what in ("orders", "canned")]
    answers += [
        client.post(f"/desk/tickets/{ticket.pk}/draft.json"),
        client.get(f"/desk/tickets/{ticket.pk}/activity/"),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert not AuditEntry.objects.filter(event="read.answered").exists()
