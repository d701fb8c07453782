"""The data that policies and cards use: the customer's records, including orders. Pure values; nothing is looked up
here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from actions.money import Money

BEFORE_SHIPPING: Final = frozenset({"paid", "packed"})
ORDER: Final = "order"  # the kind of subject of the built-in actions, and the name of its record


@dataclass(frozen=True, slots=True)
class Line:
    sku: str
    name: str
    quantity: int
    price: Decimal  # price of one item
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
    read_at: datetime | None = None  # when the merchant was asked for it; later changes are not included
    page: str = ""  # its page and its picture, each on the shop's site
    picture: str = ""

    @property
    def remaining(self) -> Money:
        """The amount paid and not yet refunded; zero if the merchant refunded even more than was paid."""
        return Money(max(self.total - self.refunded, Decimal(0)), self.currency)

    @property
    def is_before_shipping(self) -> bool:
        return self.status in BEFORE_SHIPPING

    def line(self, sku: str) -> Line | None:
        return next((line for line in self.lines if line.sku == sku), None)


@dataclass(frozen=True, slots=True)
class Identity:
    """The customer whose records may be read and changed. It comes from a signed identity, never from arguments."""

    sub: str
    email: str = ""
    locale: str = ""  # the language in which the customer reads the records' names


@dataclass(frozen=True, slots=True)
class Subject:
    """The record that an action changes. Limits per subject add up the amounts used for one kind and id."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Records:
    """The records found by an action's look-ups, by name, each checked to belong to this identity (or to be public)."""

    found: Mapping[str, Any]
    identity: Identity
    read_at: datetime | None = None  # when the first record was looked up; later changes are not included
    is_undo: bool = False  # true for a request that undoes another one: nobody chose its arguments

    @property
    def order(self) -> Order:
        order: Order = self.found[ORDER]
        return order


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A customer's request that its subject does not show, because it is still open or was unsuccessful. `title` is the
    title of its card.
    """

    subject_id: str
    action: str
    title: str
    state: str
    subject_kind: str = ORDER


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that eligibility depends on. `pending` is the amount of other requests that the subject does not show
    yet. It is zero once the request has reserved its own amount.
    """

    records: Records
    now: datetime
    window_days: int | None
    pending: Decimal

    @property
    def order(self) -> Order:
        """The order that an `OrderAction` is about."""
        return self.records.order


Arguments = Mapping[str, Any]
