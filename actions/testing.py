"""FakeShop: an in-memory merchant that records what it did, for tests and evaluations. It can inject faults.

Like a real merchant, it carries out each key once: the same key with the same command returns the first answer again.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.test import override_settings
from django.utils.timezone import now

from actions.errors import MerchantUnavailable
from actions.facts import Address, Line, Order
from actions.merchant_api.port import DidNot, Found, Happened, NeverSeen, Outcome, Unclear
from actions.models import ActionRequest
from actions.money import format_amount
from actions.requests.execution import execute
from actions.spec import Call
from actions.states import State

HOME = Address("Alice Example", "Habsburgerstraße 62", "", "79104", "Freiburg", "DE")


@dataclass(frozen=True, slots=True)
class Refund:
    order: str
    amount: Decimal
    currency: str
    key: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Change:
    order: str
    kind: str
    after: Mapping[str, Any]
    key: str = field(default="", compare=False)


class ProcessDied(BaseException):
    """A simulated kill -9: no handler runs and nothing happens after it."""


@dataclass
class FakeShop:
    """Orders, records and faults. Each command takes the next of `faults`; "" means none.

    commit_then_silence: done, reply lost. silence: not done, no reply. nonsense: not done, returned 500.
    refuse_connection: never arrived.
    die_before: the caller dies before the work. die_after: the work is done, then the caller dies.
    """

    orders: dict[str, Order] = field(default_factory=dict)
    refunds: list[Refund] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    is_reachable: bool = True  # whether `order` and `orders_of` get a response
    can_be_found: bool = True  # whether `find` gets a response
    calls: list[str] = field(default_factory=list)
    locales: list[str] = field(default_factory=list)  # the language of each query for orders
    _outcomes: dict[str, tuple[Call, Outcome]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def add_order(
        self, order_id: str, customer: str, *, total: str = "49.90", status: str = "delivered",
        currency: str = "EUR", delivered_days_ago: float | None = 3, lines: tuple[Line, ...] = (),
    ) -> Order:  # fmt: skip
        delivered = now() - timedelta(days=delivered_days_ago) if delivered_days_ago is not None else None
        price = Decimal(total)
        self.orders[order_id] = Order(
            id=order_id, customer=customer, status=status, currency=currency, total=price, refunded=Decimal("0.00"),
            placed_at=(delivered or now()) - timedelta(days=4), shipped_at=delivered, delivered_at=delivered,
            expected_on="", lines=lines or (Line("ALDER-M", "Alder merino base layer, M", 1, price, Decimal("0.00")),),
            address=HOME, payment="Visa ending 4417",
        )  # fmt: skip
        return self.orders[order_id]

    def change_order(self, order_id: str, **changes: Any) -> None:
        """Change an order, as someone else would."""
        self.orders[order_id] = replace(self.orders[order_id], **changes)

    def order(self, order_id: str, *, locale: str = "") -> Order | None:
        self._answer("order", locale)
        return self.orders.get(order_id)

    def orders_of(self, customer: str, *, locale: str = "") -> tuple[Order, ...]:
        self._answer("orders_of", locale)
        return tuple(order for order in self.orders.values() if order.customer == customer)

    def _answer(self, call: str, locale: str) -> None:
        self.calls.append(call)
        self.locales.append(locale)
        if not self.is_reachable:
            raise MerchantUnavailable()

    def run(self, call: Call, *, idempotency_key: str) -> Outcome:
        self.calls.append(f"run {call.kind}")
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "refuse_connection":
            return DidNot("not_sent", "", is_final=False)
        if fault == "silence":
            return Unclear("no answer")
        if fault == "nonsense":
            return Unclear("returned 500", was_answered=True)
        if fault == "die_before":
            raise ProcessDied
        outcome = self._decide(call, idempotency_key)
        if fault == "die_after":
            raise ProcessDied
        return Unclear("reply lost") if fault == "commit_then_silence" else outcome

    def find(self, idempotency_key: str) -> Found:
        self.calls.append("find")
        if not self.can_be_found:
            return Unclear("no answer")
        known = self._outcomes.get(idempotency_key)
        return known[1] if known else NeverSeen()

    def _decide(self, call: Call, key: str) -> Outcome:
        with self._lock:
            if key in self._outcomes:
                known, outcome = self._outcomes[key]
                assert known == call, f"the key {key} came back with another command"
                return outcome
            outcome = self._do(call, key)
            self._outcomes[key] = (call, outcome)
            return outcome

    def _do(self, call: Call, key: str) -> Outcome:
        order = self.orders.get(call.order)
        if order is None or order.customer != call.customer:
            return DidNot("not_found", "There is no such order.", is_final=True)
        match call.kind:
            case "refund":
                return self._pay_back(order, Decimal(call.fields["amount"]), key)
            case "change_address":
                return self._change_address(order, call, key)
            case _:
                return self._cancel(order, key)

    def _pay_back(self, order: Order, amount: Decimal, key: str) -> Outcome:
        if amount > order.remaining.amount:
            return DidNot("amount_above_remaining", "That is more than the remaining amount.", is_final=True)
        self.change_order(order.id, refunded=order.refunded + amount)
        self.refunds.append(Refund(order.id, amount, order.currency, key))
        return Happened(
            {
                "refund": f"RF-{len(self.refunds)}",
                "amount": format_amount(amount, order.currency),
                "payment": order.payment,
            }
        )

    def _change_address(self, order: Order, call: Call, key: str) -> Outcome:
        if not order.is_before_shipping:
            return DidNot("already_shipped", "The order has shipped.", is_final=True)
        address = replace(HOME, **{"line2": "", **call.fields})
        self.change_order(order.id, address=address)
        self.changes.append(Change(order.id, "change_address", dict(call.fields), key))
        return Happened({"order": order.id, "key": key})

    def _cancel(self, order: Order, key: str) -> Outcome:
        if not order.is_before_shipping:
            return DidNot("already_shipped", "The order has shipped.", is_final=True)
        paid_back = order.remaining.amount
        self.change_order(order.id, status="cancelled", refunded=order.refunded + paid_back)
        if paid_back:
            self.refunds.append(Refund(order.id, paid_back, order.currency, key))
        self.changes.append(Change(order.id, "cancel", {}, key))
        return Happened({"order": order.id, "key": key})


_connected_shops: list[FakeShop] = []


def current_shop() -> FakeShop:
    """Return the shop that `connected` installed; the setting ACTIONS_MERCHANT names this function."""
    return _connected_shops[-1]


@contextmanager
def connected(shop: FakeShop) -> Iterator[FakeShop]:
    """Make this shop the merchant of every workspace inside the block."""
    _connected_shops.append(shop)
    try:
        with override_settings(ACTIONS_MERCHANT="actions.testing.current_shop"):
            yield shop
    finally:
        _connected_shops.pop()


def make_due(*, by: timedelta = timedelta(hours=2)) -> None:
    """End the pauses and leases of the workspace's requests, as if time had passed."""
    moment: datetime = now() - by
    for column in ("due_at", "lease_until"):
        ActionRequest.objects.exclude(**{column: None}).update(**{column: moment})


def run_queued() -> list[UUID]:
    """Execute what is queued in the workspace, as workers would; return the requests' ids."""
    queued = list(ActionRequest.objects.filter(state=State.QUEUED).order_by("id").values_list("id", flat=True))
    for request_id in queued:
        execute(request_id)
    return queued
