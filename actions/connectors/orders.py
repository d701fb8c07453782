"""An order as the merchant's JSON tells it; what does not fit is no order."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from actions.facts import Address, Line, Order
from actions.money import CURRENCY, is_amount_in

MOST_OF_AN_ID: Final = 60  # what a request keeps of it


class NotAnOrder(ValueError):
    """The merchant's JSON lacks a field or has one of the wrong kind."""


def order_of(data: Any) -> Order:
    """Return the order in a JSON value; raises NotAnOrder."""
    try:
        return _order(data)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise NotAnOrder(f"{type(error).__name__}: {error}"[:120]) from error


def _order(data: Mapping[str, Any]) -> Order:
    currency = _currency(data["currency"])
    return Order(
        id=_id(data["id"]),
        customer=_text(data["customer"]),
        status=_text(data["status"]),
        currency=currency,
        total=_amount(data["total"], currency),
        refunded=_amount(data["refunded"], currency),
        placed_at=_moment(data["placed_at"]),
        shipped_at=_moment(data["shipped_at"]) if data.get("shipped_at") else None,
        delivered_at=_moment(data["delivered_at"]) if data.get("delivered_at") else None,
        expected_on=_text(data.get("expected_on", "")),
        lines=tuple(_line(line, currency) for line in data["items"]),
        address=Address(**{name: _text(data["address"][name]) for name in Address.__slots__}),
        payment=_text(data["payment"]),
    )


def _line(data: Mapping[str, Any], currency: str) -> Line:
    return Line(
        sku=_text(data["sku"]),
        name=_text(data["name"]),
        quantity=_count(data["quantity"]),
        price=_amount(data["price"], currency),
        refunded=_amount(data["refunded"], currency),
    )


def _text(value: Any) -> str:
    """Return a text that can be stored and shown: the merchant's data is not ours."""
    if not isinstance(value, str):
        raise TypeError("not a text")
    return "".join(char for char in value if char.isprintable())[:200]


def _id(value: Any) -> str:
    """Return an order's number whole: a part of it would be another order's."""
    if not isinstance(value, str) or not value.isprintable() or not 1 <= len(value) <= MOST_OF_AN_ID:
        raise ValueError("not the number of an order")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool | float):  # two and a half pieces, or infinitely many
        raise TypeError("not a whole number")
    count = int(value)
    if count < 0:
        raise ValueError("less than none")
    return count


def _amount(value: Any, currency: str) -> Decimal:
    if not is_amount_in(value, currency):
        raise ValueError("not an amount in this currency")
    return Decimal(value)


def _currency(value: Any) -> str:
    if not CURRENCY.fullmatch(value):
        raise ValueError("not a currency")
    return str(value)


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment
