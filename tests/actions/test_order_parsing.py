"""Parsing a merchant's orders: invalid JSON is refused, and never causes an error of our own."""

import json
from typing import Any

import pytest

from actions.merchant_api.order_parsing import InvalidOrder, parse_order

ADDRESS = dict.fromkeys(("name", "line1", "line2", "postal_code", "city", "country"), "x")
LINE = {"sku": "S", "name": "Socks", "quantity": 2, "price": "10.00", "refunded": "0.00"}
ORDER = {
    "id": "A-7", "customer": "cus_alice", "status": "delivered", "currency": "EUR", "total": "20.00",
    "refunded": "0.00", "placed_at": "2026-01-01T00:00:00Z", "items": [LINE], "address": ADDRESS, "payment": "card",
}  # fmt: skip


def order_json(**changes: Any) -> Any:
    """Return an order as JSON on the wire."""
    return json.loads(json.dumps({**ORDER, **changes}))


def test_a_missing_or_null_date_means_not_yet() -> None:
    order = parse_order(order_json(shipped_at=None))
    assert (order.shipped_at, order.delivered_at, order.expected_on) == (None, None, "")
    as_text = parse_order(order_json(items=[{**LINE, "quantity": "2"}]))
    assert order.lines[0].quantity == 2 and as_text.lines[0].quantity == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "x" * 61}, {"id": ""}, {"id": "A\u0000"}, {"id": 7}, {"customer": None}, {"currency": "eur"},
        {"total": 20}, {"total": "20,00"}, {"total": "1e3"}, {"placed_at": "2026-01-01"}, {"placed_at": 0},
        {"delivered_at": "soon"}, {"items": None}, {"items": [[]]}, {"items": "S"}, {"address": {}}, {"address": []},
        *({"items": [{**LINE, "quantity": quantity}]} for quantity in (1e999, 2.5, True, -1, "two", None, [])),
    ],
)  # fmt: skip
def test_invalid_orders_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidOrder):
        parse_order(order_json(**changes))


@pytest.mark.parametrize("data", [None, [], "order", 7, {}])
def test_an_order_that_is_not_an_object_is_refused(data: Any) -> None:
    with pytest.raises(InvalidOrder):
        parse_order(data)


@pytest.mark.parametrize(
    ("address", "is_shown"),
    [
        ("https://shop.test/orders#A-7", True), ("https://shop.test:444/", False), ("http://shop.test/", False),
        ("https://shop.test@evil.test/", False), ("https://evil.test/?https://shop.test/", False),
        ("javascript:alert(1)//https://shop.test", False), ("https://shop.test\\@evil.test/", False), (7, False),
        ("https://[", False),
    ],
)  # fmt: skip
def test_page_and_picture_must_be_on_the_shops_own_site(address: Any, is_shown: bool) -> None:
    order = parse_order(order_json(page=address, picture=address), origins={"https://shop.test"})
    assert (order.page, order.picture) == ((address, address) if is_shown else ("", ""))
