"""What the platform needs from a merchant's system, and the three possible outcomes of a command.

It happened, it did not, we do not know: three types, so that the third is never mistaken for one of the others.
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
    """Nothing has moved. A final one is the merchant's refusal; any other may be retried with the same key."""

    code: str
    message: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class Unclear:
    """Sent without a conclusive answer: money may have moved. The merchant is asked by key; nothing is re-sent blindly.
    `was_answered`: the merchant has finished with this call, so it is no longer in progress."""

    cause: str
    was_answered: bool = False


@dataclass(frozen=True, slots=True)
class NeverSeen:
    """The merchant does not know the key: nothing has moved under it so far."""


Outcome = Happened | DidNot | Unclear
Found = Happened | DidNot | Unclear | NeverSeen


class Merchant(Protocol):
    """A merchant's system. Every call ends within its own deadline."""

    def order(self, order_id: str) -> Order | None:
        """Return an order, no matter whose it is, or None. Raises MerchantUnavailable."""

    def orders_of(self, customer: str) -> tuple[Order, ...]:
        """Return a customer's orders, newest first. Raises MerchantUnavailable."""

    def run(self, call: Call, *, idempotency_key: str) -> Outcome:
        """Execute a command; the same key never executes it twice."""

    def find(self, idempotency_key: str) -> Found:
        """Return the outcome recorded under a key."""


def merchant() -> Merchant:
    """Return the current workspace's merchant; raises NotConnected if there is none."""
    connect = import_string(settings.ACTIONS_MERCHANT)
    connected: Merchant = connect()
    return connected


def fetch_own_order(merchant: Merchant, order_id: str, merchant_id: str) -> Order | Reason:
    """Return the customer's own order; someone else's and a missing one give the same result after the same query."""
    asked_at = now()
    order = merchant.order(order_id)
    if order is None or order.customer != merchant_id:
        return Reason("order_not_found", {"order": order_id})
    return replace(order, read_at=asked_at)
