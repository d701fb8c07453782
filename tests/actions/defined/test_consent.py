"""A request is carried out as its card showed it: same record, same call, whatever the look-ups find later."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from actions.models import ActionRequest
from actions.principals import Principal
from actions.services import confirm
from actions.states import State
from actions.testing import run_queued
from tests.actions.defined.conftest import CANCEL, document
from tests.actions.defined.loopback_shop import LoopbackShop

pytestmark = pytest.mark.django_db
Put = Callable[[dict[str, Any]], None]
AskFor = Callable[..., ActionRequest]
NEWEST = {"reason": "no longer needed"}


def cancelling_the_newest_order() -> dict[str, Any]:
    """Return an action about the order that comes first in the customer's record."""
    made = document()
    del made["arguments"]["order_id"]
    otherwise = {"code": "no_order", "words": {"en": "There is no order in your account."}}
    customer = {"name": "customer", "call": {"method": "GET", "path": "/customers/{identity.sub}"}}
    made["lookups"] = [
        {**customer, "owner": "customer.user_id", "otherwise": otherwise},
        {
            "name": "order", "call": {"method": "GET", "path": "/orders/{customer.orders[0]}"},
            "owner": "order.user_id", "otherwise": otherwise,
        },
    ]  # fmt: skip
    return made


def order_again(shop: LoopbackShop) -> None:
    """Let Ann order the same things once more."""
    records = shop.records.records
    records["orders"]["#W0000008"] = {**copy.deepcopy(records["orders"]["#W0000001"]), "order_id": "#W0000008"}
    records["users"]["ann_lee_1"]["orders"].insert(0, "#W0000008")


@pytest.fixture
def newest(put_in_force: Put, retail: LoopbackShop) -> str:
    retail.records.records["users"]["ann_lee_1"]["orders"] = ["#W0000001"]
    put_in_force(cancelling_the_newest_order())
    return "cancel_pending_order"


def test_a_confirmation_does_not_apply_to_another_record(
    newest: str, ask_for: AskFor, ann: Principal, retail: LoopbackShop
) -> None:
    card = ask_for(newest, NEWEST)
    assert card.subject_id == "#W0000001"
    order_again(retail)
    ended = confirm(card.pk, principal=ann, digest=card.digest)
    assert (ended.state, ended.reason_code) == (State.CANCELLED, "record_changed")
    run_queued()
    assert retail.performed == []


def test_a_queued_request_is_not_carried_out_on_another_record(
    newest: str, agreed: AskFor, retail: LoopbackShop
) -> None:
    request = agreed(newest, NEWEST)
    order_again(retail)
    run_queued()
    request.refresh_from_db()
    assert (request.state, request.reason_code, retail.performed) == (State.FAILED, "record_changed", [])


def test_a_call_that_differs_from_the_confirmed_one_is_not_sent(
    put_in_force: Put, ask_for: AskFor, ann: Principal, retail: LoopbackShop
) -> None:
    made = document()
    made["call"]["body"] = {"reason": "{arguments.reason}", "to": "{order.address.city}", "at": "{now}"}
    put_in_force(made)
    same, changed = ask_for(), ask_for(arguments={**CANCEL, "reason": "ordered by mistake"})
    assert confirm(same.pk, principal=ann, digest=same.digest).state == State.QUEUED
    run_queued()
    retail.records.records["orders"]["#W0000001"].update(status="pending", address={"city": "Elsewhere"})
    retail.records.records["orders"]["#W0000001"]["payment_history"] = [
        {"transaction_type": "payment", "amount": 20.1, "payment_method_id": "card_1"}
    ]
    ended = confirm(changed.pk, principal=ann, digest=changed.digest)
    assert (ended.state, ended.reason_code, len(retail.performed)) == (State.CANCELLED, "record_changed", 1)


def test_requests_about_one_record_run_one_at_a_time(
    put_in_force: Put, ask_for: AskFor, ann: Principal, retail: LoopbackShop
) -> None:
    """Otherwise, two workers could both read the record before it shows the other's call."""
    put_in_force(document())
    again = {**CANCEL, "reason": "ordered by mistake"}
    first, second = ask_for(), ask_for(arguments=again)
    assert confirm(first.pk, principal=ann, digest=first.digest).state == State.QUEUED
    ended = confirm(second.pk, principal=ann, digest=second.digest)
    assert (ended.state, ended.reason_code) == (State.CANCELLED, "subject_busy")
    third = ask_for(arguments=again)
    assert (third.state, third.reason_code) == (State.REFUSED, "subject_busy")
    run_queued()
    assert len(retail.performed) == 1
    assert ask_for(arguments=again).reason_code == "not_pending"
