"""The commands of the platform, parsed once on arrival; after that, every field has been checked."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

from shop.body import Fields
from shop.errors import InvalidInput
from shop.models import Currency, OperationKind

MAX_ITEMS = 50


@dataclass(frozen=True)
class Command:
    """One command about one order. `customer` is "" if the caller gives none; otherwise, the order must be theirs."""

    kind: ClassVar[OperationKind]
    key: str
    order: str
    customer: str

    def digest(self) -> str:
        """Return the hash that identifies a repeated request with the same key, however its JSON is written."""
        content = json.dumps({"kind": self.kind, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class RefundItem:
    sku: str
    quantity: int


@dataclass(frozen=True)
class RefundCommand(Command):
    kind = OperationKind.REFUND
    amount_cents: int
    currency: str
    items: tuple[RefundItem, ...]
    reason: str


@dataclass(frozen=True)
class Address:
    name: str
    line1: str
    line2: str
    postal_code: str
    city: str
    country: str


@dataclass(frozen=True)
class AddressCommand(Command):
    kind = OperationKind.CHANGE_ADDRESS
    address: Address


@dataclass(frozen=True)
class CancelCommand(Command):
    kind = OperationKind.CANCEL
    reason: str


def parse_refund(data: Mapping[str, object]) -> RefundCommand:
    """Read `{"order", "customer", "amount", "currency", "items"?: [{"sku", "quantity"?}], "reason", "key"}`."""
    fields = Fields(data)
    command = RefundCommand(
        key=fields.key(),
        order=fields.text("order", max_length=40),
        customer=fields.text("customer", max_length=40),
        amount_cents=fields.cents("amount"),
        currency=_currency(fields),
        items=_items(fields),
        reason=fields.text("reason", max_length=500),
    )
    fields.check()
    return command


def parse_address(order: str, data: Mapping[str, object]) -> AddressCommand:
    """Read `{"name"?, "line1", "line2"?, "postal_code", "city", "country", "customer"?, "key"}`."""
    fields = Fields(data)
    address = Address(
        name=fields.optional_text("name", max_length=100),
        line1=fields.text("line1", max_length=100),
        line2=fields.optional_text("line2", max_length=100),
        postal_code=fields.text("postal_code", max_length=12),
        city=fields.text("city", max_length=60),
        country=_country(fields),
    )
    command = AddressCommand(
        key=fields.key(), order=order, customer=fields.optional_text("customer", max_length=40), address=address
    )
    fields.check()
    return command


def parse_cancel(order: str, data: Mapping[str, object]) -> CancelCommand:
    """Read `{"key", "reason"?, "customer"?}`."""
    fields = Fields(data)
    command = CancelCommand(
        key=fields.key(),
        order=order,
        customer=fields.optional_text("customer", max_length=40),
        reason=fields.optional_text("reason", max_length=500),
    )
    fields.check()
    return command


def _currency(fields: Fields) -> str:
    value = fields.text("currency", max_length=3)
    if value not in Currency.values:
        fields.reject("currency", f"This shop accepts only {' and '.join(Currency.values)}.")
    return value


def _country(fields: Fields) -> str:
    value = fields.text("country", max_length=2)
    if not (len(value) == 2 and value.isascii() and value.isupper()):
        fields.reject("country", "Write the two capital letters of ISO 3166, such as DE.")
    return value


def _items(fields: Fields) -> tuple[RefundItem, ...]:
    """Return no items when the field is absent: then the amount alone decides."""
    if not fields.has("items"):
        return ()
    entries = fields.entries("items")
    if len(entries) > MAX_ITEMS:
        fields.reject("items", f"At most {MAX_ITEMS} items.")
        return ()
    items = [item for entry in entries if (item := _item(fields, entry))]
    if len({item.sku for item in items}) < len(items):
        fields.reject("items", "List each sku once, with its quantity.")
    return tuple(sorted(items, key=lambda item: item.sku))


def _item(fields: Fields, entry: object) -> RefundItem | None:
    if not isinstance(entry, dict):
        fields.reject("items", 'Each item is an object such as {"sku": "ALDER-M", "quantity": 1}.')
        return None
    nested = Fields(entry)
    quantity = nested.whole("quantity", minimum=1, maximum=100) if nested.has("quantity") else 1
    item = RefundItem(sku=nested.text("sku", max_length=30), quantity=quantity)
    try:
        nested.check()
    except InvalidInput as wrong:
        fields.reject("items", wrong.message)
        return None
    return item
