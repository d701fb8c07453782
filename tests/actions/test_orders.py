"""An order as a merchant's JSON tells it: what does not fit is no order, and never an error of ours."""

import json
from typing import Any

import pytest

from actions.connectors.orders import NotAnOrder, order_of

ADDRESS = dict.fromkeys(("name", "line1", "line2", "postal_code", "city", "country"), "x")
LINE = {"sku": "S", "name": "Socks", "quantity": 2, "price": "10.00", "refunded": "0.00"}
ORDER = {
    "id": "A-7", "customer": "cus_alice", "status": "delivered", "currency": "EUR", "total": "20.00",
    "refunded": "0.00", "placed_at": "2026-01-01T00:00:00Z", "items": [LINE], "address": ADDRESS, "payment": "card",
}  # fmt: skip


def told(**changes: Any) -> Any:
    """Return an order as it comes over the wire."""
    return json.loads(json.dumps({**ORDER, **changes}))


def test_what_is_left_out_or_null_was_not_yet() -> None:
    order = order_of(told(shipped_at=None))
    assert (order.shipped_at, order.delivered_at, order.expected_on) == (None, None, "")
    assert order.lines[0].quantity == 2 and order_of(told(items=[{**LINE, "quantity": "2"}])).lines[0].quantity == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "x" * 61}, {"id": ""}, {"id": "A\u0000"}, {"id": 7}, {"customer": None}, {"currency": "eur"},
        {"total": 20}, {"total": "20,00"}, {"total": "1e3"}, {"placed_at": "2026-01-01"}, {"placed_at": 0},
        {"delivered_at": "soon"}, {"items": None}, {"items": [[]]}, {"items": "S"}, {"address": {}}, {"address": []},
        *({"items": [{**LINE, "quantity": quantity}]} for quantity in (1e999, 2.5, True, -1, "two", None, [])),
    ],
)  # fmt: skip
def test_what_is_no_order(changes: dict[str, Any]) -> None:
    with pytest.raises(NotAnOrder):
        order_of(told(**changes))


@pytest.mark.parametrize("data", [None, [], "order", 7, {}])
def test_what_is_no_object(data: Any) -> None:
    with pytest.raises(NotAnOrder):
        order_of(data)
