from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils.timezone import now, timedelta

from actions.models import ActionPolicy, ActionRequest
from actions.policy_store import change_rules, policy_of
from actions.principals import Principal
from actions.services import confirm, propose
from actions.testing import FakeShop, connected
from supportbot.accounts.models import Customer, Membership, User, Workspace
from tests.policies import store_approver, store_policies

REFUND = {"order_id": "A-1001", "reason": "Arrived damaged"}


@pytest.fixture
def policies(workspace: Workspace) -> list[ActionPolicy]:
    return store_policies(workspace)


@pytest.fixture
def shop(policies: list[ActionPolicy]) -> Iterator[FakeShop]:
    """A fake merchant with Alice's orders and one of a stranger's, instead of the HTTP connector."""
    with connected(alices_shop()) as fake:
        yield fake


def alices_shop() -> FakeShop:
    fake = FakeShop()
    fake.add_order("A-1001", "cus_alice", total="49.90")
    fake.add_order("A-1002", "cus_alice", total="640.00", delivered_days_ago=10)
    fake.add_order("A-1003", "cus_alice", total="25.00", status="packed", delivered_days_ago=None)
    fake.add_order("A-1005", "cus_alice", total="60.00", delivered_days_ago=90)
    fake.add_order("B-2002", "cus_stranger", total="75.00", delivered_days_ago=2)
    return fake


def signed_in_as(customer: Customer, **changes: Any) -> Principal:
    """Return the principal of a customer whose identity token is valid for ten minutes."""
    facts: dict[str, Any] = {
        "workspace_id": customer.workspace_pk,
        "customer_id": customer.pk,
        "external_id": customer.external_id,
        "is_verified": customer.external_id is not None,
        "locale": customer.locale,
        "expires_at": now() + timedelta(minutes=10),
    }
    return Principal(**{**facts, **changes})


@pytest.fixture
def principal(alice: Customer) -> Principal:
    return signed_in_as(alice)


@pytest.fixture
def card(shop: FakeShop, principal: Principal) -> ActionRequest:
    """Alice's card for a refund of 49.90."""
    return propose(principal, "refund_order", REFUND, proposal_key="turn:1:1")


@pytest.fixture
def queued(card: ActionRequest, principal: Principal) -> ActionRequest:
    return confirm(card.pk, principal=principal, digest=card.digest)


def ask_for_a_refund(principal: Principal) -> ActionRequest:
    """Return a confirmed refund of 49.90."""
    card = propose(principal, "refund_order", REFUND, proposal_key="turn:1:1")
    return confirm(card.pk, principal=principal, digest=card.digest)


@pytest.fixture
def approver(policies: list[ActionPolicy], bob: User) -> User:
    """Bob, now a supervisor with the right on every policy."""
    Membership.objects.filter(user=bob).update(role=Membership.Role.SUPERVISOR)
    store_approver(bob, policies)
    return bob


@pytest.fixture
def waiting(shop: FakeShop, principal: Principal) -> ActionRequest:
    return ask_for_approval(principal)


def ask_for_approval(principal: Principal) -> ActionRequest:
    """Return a confirmed refund of 640.00 that is waiting for approval."""
    limit("refund_order", max_per_customer_year=None)
    request = propose(principal, "refund_order", {**REFUND, "order_id": "A-1002"}, proposal_key="turn:1:2")
    return confirm(request.pk, principal=principal, digest=request.digest)


def limit(action: str, **rules: Any) -> None:
    """Set new rules."""
    policy = policy_of(action)
    assert policy is not None
    change_rules(policy, actor="test", **rules)


@pytest.fixture
def proposals(shop: FakeShop, principal: Principal) -> Callable[..., ActionRequest]:
    """Return a function that proposes a request, with a new key for each call."""
    count = iter(range(1, 1000))

    def make(action: str = "refund_order", **arguments: Any) -> ActionRequest:
        intent = {**REFUND, **arguments} if action == "refund_order" else arguments
        return propose(principal, action, intent, proposal_key=f"turn:9:{next(count)}")

    return make


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages that the sweep publishes."""
    sent: list[str] = []
    monkeypatch.setattr(
        "actions.requests.sweeps.publish", lambda workspace_id, request_id: sent.append(str(request_id))
    )
    return sent
