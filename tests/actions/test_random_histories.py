"""Many requests with random crashes, lost replies and double deliveries: none is doubled, lost or stuck."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest

from actions.audit import verify
from actions.merchant_api.port import Unclear
from actions.models import ActionRequest, Attempt, LedgerEntry
from actions.principals import Principal
from actions.requests.execution import claim, execute, settle
from actions.requests.sweeps import sweep
from actions.services import confirm, propose
from actions.states import FINAL, State
from actions.testing import FakeShop, ProcessDied, make_due
from tests.actions.conftest import REFUND, limit

pytestmark = pytest.mark.django_db
FAULTS = ("", "", "die_before", "die_after", "silence", "commit_then_silence", "refuse_connection")


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actions.requests.sweeps.publish", lambda workspace_id, request_id: None)


def deliver(request: ActionRequest, chance: random.Random) -> None:
    """Deliver one message to a worker, which may die, or pause until after its lease has expired and then continue."""
    if chance.random() < 0.15:
        zombie = claim(request.pk)
        make_due()
        sweep()
        if zombie is not None:
            settle(zombie, Unclear("back from the dead"))
        return
    try:
        execute(request.pk)
    except ProcessDied:
        return


@pytest.mark.long
@pytest.mark.parametrize(
    ("seed", "count"), [(1, 10), *(pytest.param(seed, 25, marks=pytest.mark.long) for seed in (1, 20, 300))]
)
def test_random_faults_neither_double_nor_lose_a_refund(
    seed: int, count: int, shop: FakeShop, principal: Principal
) -> None:
    chance = random.Random(seed)
    limit("refund_order", max_per_customer_year=None, max_per_workspace_day=None, approval_above=None)
    requests = []
    for number in range(count):
        shop.add_order(f"S-{number}", "cus_alice", total="20.00")
        card = propose(principal, "refund_order", {**REFUND, "order_id": f"S-{number}"}, proposal_key=f"storm:{number}")
        requests.append(confirm(card.pk, principal=principal, digest=card.digest))
    for _ in range(4):
        for request in chance.sample(requests, k=count):
            shop.faults = [chance.choice(FAULTS)]
            shop.can_be_found = chance.random() < 0.7
            shop.is_reachable = chance.random() < 0.9
            for _ in range(chance.choice((1, 1, 2))):
                deliver(request, chance)
        make_due()
        sweep()
    _let_it_clear_up(shop, requests)
    _check(shop, f"seed {seed}")


def _let_it_clear_up(shop: FakeShop, requests: list[ActionRequest]) -> None:
    shop.faults, shop.can_be_found, shop.is_reachable = [], True, True
    for _ in range(8):
        make_due()
        sweep()
        for request in requests:
            execute(request.pk)
    longest = timedelta(minutes=5)
    for attempt in Attempt.objects.exclude(sent_at=None):
        Attempt.objects.filter(pk=attempt.pk).update(sent_at=attempt.started_at - longest)
    make_due()
    sweep()


def _check(shop: FakeShop, flow: str) -> None:
    assert not ActionRequest.objects.exclude(state__in=FINAL).exists(), flow
    paid = [refund.key for refund in shop.refunds]
    assert len(paid) == len(set(paid)), flow
    succeeded = {str(pk) for pk in ActionRequest.objects.filter(state=State.SUCCEEDED).values_list("pk", flat=True)}
    assert succeeded == set(paid), flow  # exactly the paid requests succeeded
    assert LedgerEntry.objects.filter(status="spent").count() == len(paid), flow
    assert not LedgerEntry.objects.filter(status="reserved").exists(), flow
    assert all(order.refunded in (0, Decimal(20)) for name, order in shop.orders.items() if name[0] == "S"), flow
    assert verify().is_whole, flow
