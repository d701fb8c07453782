"""Many simultaneous confirmations of a defined action, with a shop over HTTP, never exceed a limit."""

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum

from actions.audit import verify
from actions.models import ActionRequest, LedgerEntry
from actions.policy_store import change_rules, policy_of
from actions.principals import Principal
from actions.services import confirm
from actions.states import State
from actions.testing import run_queued
from supportbot.accounts.scope import workspace_scope
from tests.actions.defined.conftest import CANCEL, document
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)
CONNECTIONS = 20


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "actions.requests.celery_publisher.Publisher.enqueue", lambda self, workspace_id, request_id: None
    )


@pytest.mark.one_in(3)
@pytest.mark.parametrize("count", [14, pytest.param(100, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        ({"max_per_workspace_day": Decimal(100)}, 10),
        ({"max_per_customer_day": Decimal(95)}, 9),
        ({"max_requests_per_customer_day": 7}, 7),
    ],
)
def test_no_limit_is_exceeded(
    limits: dict[str, Any],
    allowed: int,
    count: int,
    put_in_force: Callable[[dict[str, Any]], None],
    ask_for: Callable[..., ActionRequest],
    ann: Principal,
    retail: LoopbackShop,
) -> None:
    put_in_force(document())
    policy = policy_of("cancel_pending_order")
    assert policy is not None
    change_rules(policy, actor="test", currency="USD", **limits)
    orders = retail.records.records["orders"]
    for number in range(count):
        name = f"#W1{number:06}"
        orders[name] = {**copy.deepcopy(orders["#W0000001"]), "order_id": name}
        orders[name]["payment_history"][0]["amount"] = 10
    cards = [ask_for(arguments={**CANCEL, "order_id": f"#W1{number:06}"}) for number in range(count)]
    click_all(cards, ann)
    states = list(ActionRequest.objects.values_list("state", flat=True))
    assert (states.count(State.QUEUED), states.count(State.CANCELLED)) == (allowed, count - allowed)
    run_queued()
    assert len(retail.performed) == len(set(retail.performed)) == allowed
    spent = LedgerEntry.objects.filter(status="spent").aggregate(total=Sum("amount"))["total"]
    assert spent == 10 * allowed and verify().is_whole


def click_all(cards: list[ActionRequest], who: Principal) -> None:
    start = threading.Barrier(CONNECTIONS)

    def click(part: list[ActionRequest]) -> None:
        try:
            start.wait(PATIENCE_SECONDS)
            for card in part:
                with workspace_scope(card.workspace_pk):
                    confirm(card.pk, principal=who, digest=card.digest)
        finally:
            connection.close()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(click, [cards[number::CONNECTIONS] for number in range(CONNECTIONS)]))
