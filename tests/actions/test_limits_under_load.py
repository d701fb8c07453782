"""Many simultaneous confirmations, on as many database connections, never exceed a limit."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum

from actions.errors import NotWaiting
from actions.facts import Order
from actions.models import ActionRequest, LedgerEntry
from actions.policy_store import change_rules, policy_of
from actions.principals import Principal
from actions.services import confirm, propose
from actions.states import State
from actions.testing import FakeShop, run_queued
from supportbot.accounts.models import Customer
from supportbot.accounts.scope import workspace_scope
from tests.actions.conftest import signed_in_as
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)
LONG = pytest.mark.long
CONNECTIONS = 20
CARDS = 24
NO_LIMITS = {
    "max_per_order": None, "max_per_customer_day": None, "max_per_customer_year": None, "max_per_workspace_day": None,
    "max_requests_per_customer_day": None, "approval_above": None,
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "actions.requests.celery_publisher.Publisher.enqueue", lambda self, workspace_id, request_id: None
    )


def rule(**limits: Any) -> None:
    policy = policy_of("refund_order")
    assert policy is not None
    change_rules(policy, actor="test", **{**NO_LIMITS, **limits})


@pytest.fixture
def crowd(shop: FakeShop) -> list[Principal]:
    """Four customers, each with an order large enough for all their requests."""
    customers = [Customer.objects.create(external_id=f"cus_{number}", name="x") for number in range(4)]
    for customer in customers:
        shop.add_order(f"C-{customer.external_id}", str(customer.external_id), total="5000.00")
    return [signed_in_as(customer) for customer in customers]


def cards_of(people: list[Principal], count: int = CARDS) -> list[tuple[Principal, ActionRequest]]:
    """Return cards of 10, 11, 12 and so on, distributed among these customers in turn."""
    made = []
    for number in range(count):
        who = people[number % len(people)]
        intent = {"order_id": f"C-{who.external_id}", "reason": "x", "amount": f"{10 + number}.00"}
        made.append((who, propose(who, "refund_order", intent, proposal_key=f"cap:{number}")))
    return made


def click_all(cards: list[tuple[Principal, ActionRequest]]) -> None:
    start = threading.Barrier(CONNECTIONS)

    def click(half: list[tuple[Principal, ActionRequest]]) -> None:
        try:
            start.wait(PATIENCE_SECONDS)
            for who, card in half:
                with workspace_scope(card.workspace_pk):
                    confirm(card.pk, principal=who, digest=card.digest)
        finally:
            connection.close()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(click, [cards[number::CONNECTIONS] for number in range(CONNECTIONS)]))


def taken(**which: Any) -> Decimal:
    total: Decimal | None = LedgerEntry.objects.filter(**which).aggregate(total=Sum("amount"))["total"]
    return total or Decimal(0)


@pytest.mark.parametrize(
    "limit",
    [
        "max_per_customer_day",
        *(pytest.param(limit, marks=LONG) for limit in ("max_per_order", "max_per_customer_year")),
    ],
)
def test_no_sum_exceeds_its_limit(limit: str, crowd: list[Principal]) -> None:
    rule(**{limit: Decimal(300)})
    click_all(cards_of(crowd[:1]))
    assert_filled_to(300, largest=33)


@pytest.mark.long
def test_the_sum_of_all_customers_exceeds_no_limit(crowd: list[Principal]) -> None:
    rule(max_per_workspace_day=Decimal(300))
    click_all(cards_of(crowd))
    assert_filled_to(300, largest=33)


def assert_filled_to(cap: int, *, largest: int) -> None:
    """Assert that less of the limit is left than the largest card needs: otherwise, that card would have fitted."""
    assert cap - largest < taken() <= cap
    states = set(ActionRequest.objects.values_list("state", flat=True))
    assert states == {State.QUEUED, State.CANCELLED}


@pytest.mark.long
def test_each_customer_has_their_own_limit(crowd: list[Principal]) -> None:
    rule(max_per_customer_day=Decimal(100))
    click_all(cards_of(crowd))
    for who in crowd:
        assert Decimal(100 - 33) < taken(customer_id=who.customer_id) <= Decimal(100)


@LONG
def test_no_count_exceeds_its_limit(crowd: list[Principal]) -> None:
    rule(max_requests_per_customer_day=7)
    click_all(cards_of(crowd[:1]))
    assert LedgerEntry.objects.count() == 7


@pytest.mark.long
def test_an_order_never_refunds_more_than_was_paid(crowd: list[Principal], shop: FakeShop) -> None:
    rule()
    cards = cards_of(crowd[:1])
    shop.change_order("C-cus_0", total=Decimal("300.00"))
    click_all(cards)
    assert Decimal(300 - 33) < taken() <= Decimal(300)


@LONG
def test_simultaneous_confirmations_of_one_card_count_once(crowd: list[Principal]) -> None:
    rule()
    [(who, card), *_] = cards_of(crowd[:1])
    start, refused = threading.Barrier(CONNECTIONS), []

    def click(_: int) -> None:
        try:
            start.wait(PATIENCE_SECONDS)
            with workspace_scope(card.workspace_pk):
                confirm(card.pk, principal=who, digest=card.digest)
        except NotWaiting as error:
            refused.append(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(click, range(CONNECTIONS)))
    assert len(refused) == CONNECTIONS - 1
    assert LedgerEntry.objects.count() == 1


def test_refunds_made_since_the_order_was_read_count(
    shop: FakeShop, principal: Principal, proposals: Callable[..., ActionRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two partial refunds exceed the order: the first is executed while the second is being confirmed."""
    first, second = proposals(amount="30.00"), proposals(amount="25.00")
    confirm(first.pk, principal=principal, digest=first.digest)
    look = shop.order

    def look_too_early(order_id: str, *, locale: str = "") -> Order | None:
        seen = look(order_id)
        monkeypatch.setattr(shop, "order", look)
        run_queued()
        return seen

    monkeypatch.setattr(shop, "order", look_too_early)
    refused = confirm(second.pk, principal=principal, digest=second.digest)
    assert (refused.state, refused.reason_code) == (State.CANCELLED, "amount_above_unrequested")
    assert [refund.amount for refund in shop.refunds] == [Decimal("30.00")]
