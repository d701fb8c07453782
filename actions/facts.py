"""The merchant's data about an order, as policies and cards read it. Pure values; nothing is looked up here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from actions.money import Money

BEFORE_SHIPPING: Final = frozenset({"paid", "packed"})


@dataclass(frozen=True, slots=True)
class Line:
    sku: str
    name: str
    quantity: int
    price: Decimal  # of one piece
    refunded: Decimal


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    line1: str
    line2: str
    postal_code: str
    city: str
    country: str

    def as_json(self) -> dict[str, str]:
        return {
            "name": self.name, "line1": self.line1, "line2": self.line2,
            "postal_code": self.postal_code, "city": self.city, "country": self.country,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """One customer's order, as it was when the merchant was asked."""

    id: str
    customer: str  # the merchant's own customer id
    status: str
    currency: str
    total: Decimal
    refunded: Decimal
    placed_at: datetime
    shipped_at: datetime | None
    delivered_at: datetime | None
    expected_on: str
    lines: tuple[Line, ...]
    address: Address
    payment: str
    read_at: datetime | None = None  # when it was requested: it does not show later changes

    @property
    def remaining(self) -> Money:
        """What was paid and not yet refunded."""
        return Money(self.total - self.refunded, self.currency)

    @property
    def is_before_shipping(self) -> bool:
        return self.status in BEFORE_SHIPPING

    def line(self, sku: str) -> Line | None:
        return next((line for line in self.lines if line.sku == sku), None)


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A customer's request that the order does not show: still open, or without success. `title` is the card's."""

    order: str
    action: str
    title: str
    state: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that eligibility depends on. `pending` is what other requests take and the order does not show yet; it
    is zero once the request has reserved its own amount next to theirs."""

    order: Order
    now: datetime
    window_days: int | None
    pending: Decimal


Arguments = Mapping[str, Any]
