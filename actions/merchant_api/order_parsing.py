"""Parsing an order from the merchant's JSON; anything invalid is refused."""

import re
from collections.abc import Mapping, Set
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from actions.facts import Address, Line, Order
from actions.money import CURRENCY, is_amount_in

_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]{1,1900}", re.ASCII)
MAX_ID_LENGTH: Final = 60  # the length of the request's column


class InvalidOrder(ValueError):
    """The merchant's JSON lacks a field or has one of the wrong kind."""


def parse_order(data: Any, *, origins: Set[str] = frozenset()) -> Order:
    """Return the order in a JSON value. It has its page and picture only if they are at one of these origins. Raises
    InvalidOrder.
    """
    try:
        return _order(data, origins)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise InvalidOrder(f"{type(error).__name__}: {error}"[:120]) from error


def _order(data: Mapping[str, Any], origins: Set[str]) -> Order:
    currency = _currency(data["currency"])
    return Order(
        id=_id(data["id"]),
        customer=_text(data["customer"]),
        status=_text(data["status"]),
        currency=currency,
        total=_amount(data["total"], currency),
        refunded=_amount(data["refunded"], currency),
        placed_at=_datetime(data["placed_at"]),
        shipped_at=_datetime(data["shipped_at"]) if data.get("shipped_at") else None,
        delivered_at=_datetime(data["delivered_at"]) if data.get("delivered_at") else None,
        expected_on=_text(data.get("expected_on", "")),
        lines=tuple(_line(line, currency) for line in data["items"]),
        address=Address(**{name: _text(data["address"][name]) for name in Address.__slots__}),
        payment=_text(data["payment"]),
        page=_address(data.get("page"), origins),
        picture=_address(data.get("picture"), origins),
    )


def _line(data: Mapping[str, Any], currency: str) -> Line:
    return Line(
        sku=_text(data["sku"]),
        name=_text(data["name"]),
        quantity=_count(data["quantity"]),
        price=_amount(data["price"], currency),
        refunded=_amount(data["refunded"], currency),
    )


def _address(value: Any, origins: Set[str]) -> str:
    """Return an address as a browser will read it; "" if it leads to a different origin."""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        return ""
    try:
        parts = urlsplit(value)
    except ValueError:  # brackets without an IPv6 address
        return ""
    return value if f"{parts.scheme}://{parts.netloc}" in origins else ""


def _text(value: Any) -> str:
    """Return text that can be stored and shown, since the merchant's data is not trusted."""
    if not isinstance(value, str):
        raise TypeError("not a string")
    return "".join(char for char in value if char.isprintable())[:200]


def _id(value: Any) -> str:
    """Return the complete order number, since a truncated one could belong to another order."""
    if not isinstance(value, str) or not value.isprintable() or not 1 <= len(value) <= MAX_ID_LENGTH:
        raise ValueError("not an order number")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool | float):  # 2.5 or infinity
        raise TypeError("not a whole number")
    count = int(value)
    if count < 0:
        raise ValueError("a negative number")
    return count


def _amount(value: Any, currency: str) -> Decimal:
    if not is_amount_in(value, currency):
        raise ValueError("not an amount in this currency")
    return Decimal(value)


def _currency(value: Any) -> str:
    if not CURRENCY.fullmatch(value):
        raise ValueError("not a currency")
    return str(value)


def _datetime(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone")
    return moment
