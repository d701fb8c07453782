"""What the platform asks of a merchant's system, and the three things a command can come to.

It happened, it did not, we do not know: three types, so that nobody takes the third for one of the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.timezone import now

from actions.facts import Order
from actions.reasons import Reason
from actions.spec import Call


@dataclass(frozen=True, slots=True)
class Happened:
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DidNot:
    """Nothing has moved. A final one is the merchant's no; any other may be tried again with the same key."""

    code: str
    message: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class Unclear:
    """Sent, without an answer that says anything: it may have moved. The merchant is asked by key, nothing is re-sent
    blind. `was_answered`: the merchant has done with this call, it is not under way any more."""

    cause: str
    was_answered: bool = False


@dataclass(frozen=True, slots=True)
class NeverSeen:
    """The merchant does not know the key: so far nothing has moved under it."""


Outcome = Happened | DidNot | Unclear
Found = Happened | DidNot | Unclear | NeverSeen


class Merchant(Protocol):
    """A merchant's system. Every call ends within its own deadline."""

    def order(self, order_id: str) -> Order | None:
        """Return an order, whoever owns it; None if there is none. Raises MerchantUnavailable."""

    def orders_of(self, customer: str) -> tuple[Order, ...]:
        """Return a customer's orders, newest first. Raises MerchantUnavailable."""

    def run(self, call: Call, *, idempotency_key: str) -> Outcome:
        """Carry out a command; the same key never does it twice."""

    def find(self, idempotency_key: str) -> Found:
        """Return what became of a key."""


def merchant() -> Merchant:
    """Return the merchant of the scope's workspace; raises NotConnected when there is none."""
    connect = import_string(settings.ACTIONS_MERCHANT)
    connected: Merchant = connect()
    return connected


def own_order(merchant: Merchant, order_id: str, merchant_id: str) -> Order | Reason:
    """Return the customer's own order; a stranger's and a missing one get the same answer after the same question."""
    asked_at = now()
    order = merchant.order(order_id)
    if order is None or order.customer != merchant_id:
        return Reason("order_not_found", {"order": order_id})
    return replace(order, read_at=asked_at)
