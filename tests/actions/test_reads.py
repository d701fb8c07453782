"""Look-ups show customers their orders and their requests about these."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from actions import errors
from actions.models import ActionRequest
from actions.principals import Principal
from actions.services import confirm, decline, reject, run_read
from actions.states import State
from actions.testing import FakeShop
from supportbot.accounts.models import Customer, User
from tests.actions.conftest import signed_in_as

pytestmark = pytest.mark.django_db


def test_look_ups_return_own_orders_only(shop: FakeShop, principal: Principal) -> None:
    result = run_read(principal, "order_status", "{}")
    assert {order["id"] for order in result["orders"]} == {"A-1001", "A-1002", "A-1003", "A-1005"}
    one = run_read(principal, "order_status", {"order_id": "A-1003"})
    assert one["orders"][0]["status"] == "packed"
    for foreign in ("B-2002", "Z-9999"):
        with pytest.raises(errors.ReadRefused) as refused:
            run_read(principal, "order_status", {"order_id": foreign})
        assert refused.value.message == f"There is no order {foreign} in your account."
    assert ActionRequest.objects.count() == 0


def test_a_look_up_shows_unsettled_requests(
    card: ActionRequest, principal: Principal, proposals: Callable[..., ActionRequest]
) -> None:
    def asked_for(who: Principal) -> list[str]:
        orders = run_read(who, "order_status", {"order_id": "A-1001"})["orders"]
        return [request["state"] for request in orders[0].get("asked_for", ())]

    assert asked_for(principal) == ["awaiting_confirmation"]
    confirm(card.pk, principal=principal, digest=card.digest)
    assert asked_for(principal) == ["queued"]
    decline(card.pk, principal=principal)
    assert asked_for(principal) == []
    other = signed_in_as(Customer.objects.get(pk=principal.customer_id), customer_id=uuid4())
    proposals(reason="Another one")
    assert asked_for(principal) == ["awaiting_confirmation"] and asked_for(other) == []


def test_a_later_refused_request_does_not_hide_an_open_one(
    waiting: ActionRequest, principal: Principal, proposals: Callable[..., ActionRequest], approver: User
) -> None:
    def asked_for() -> list[str]:
        orders = run_read(principal, "order_status", {"order_id": "A-1002"})["orders"]
        return [request["state"] for request in orders[0].get("asked_for", ())]

    assert proposals(order_id="A-1002", amount="5.00").state == State.REFUSED  # the whole amount is already requested
    assert asked_for() == ["awaiting_approval"]
    reject(waiting.pk, approver=approver)
    part = proposals(order_id="A-1002", amount="5.00")
    assert asked_for() == ["awaiting_confirmation"]
    decline(part.pk, principal=principal)
    assert asked_for() == ["rejected"]
