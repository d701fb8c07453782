"""The interface that a merchant's system must provide: its orders, and a back end that runs commands for them."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from actions.errors import NotConnected
from actions.facts import Order
from actions.outcomes import DidNot, Found, Happened, NeverSeen, Outcome, Unclear
from actions.simulated_backend import sample_shop, simulated_backend
from actions.spec import Call

__all__ = ["DidNot", "Found", "Happened", "Merchant", "NeverSeen", "Outcome", "Unclear", "merchant"]


class Merchant(Protocol):
    """A merchant's system. Every call ends within its own deadline. Names in orders are in the language of `locale` if
    the merchant has them.
    """

    def order(self, order_id: str, *, locale: str = "") -> Order | None:
        """Return an order, whoever owns it, or None. Raises MerchantUnavailable."""

    def orders_of(self, customer: str, *, locale: str = "") -> tuple[Order, ...]:
        """Return a customer's orders, newest first. Raises MerchantUnavailable."""

    def run(self, call: Call, *, idempotency_key: str) -> Outcome:
        """Execute a command, at most once per key."""

    def find(self, idempotency_key: str) -> Found:
        """Return the outcome recorded under a key."""


def merchant() -> Merchant:
    """Return the current workspace's merchant, or the sample shop that replaces it. Raises NotConnected if the
    workspace has no merchant, or if a stand-in for other systems is set.
    """
    if (sample := sample_shop()) is not None:
        return sample
    if simulated_backend() is not None:
        raise NotConnected()
    connect = import_string(settings.ACTIONS_MERCHANT)
    connected: Merchant = connect()
    former = FormerMerchant(connected, _takes_locale(connected.order), _takes_locale(connected.orders_of))
    return connected if former.order_takes_locale and former.orders_of_takes_locale else former


@dataclass(frozen=True, slots=True)
class FormerMerchant:
    """A merchant with a connector of your own that was written for 0.1.0, whose queries have no `locale`. It will be
    removed in 0.3.
    """

    connected: Any  # a Merchant whose `order` or `orders_of` lacks the argument
    order_takes_locale: bool
    orders_of_takes_locale: bool

    def order(self, order_id: str, *, locale: str = "") -> Order | None:
        named = {"locale": locale} if self.order_takes_locale else {}
        found: Order | None = self.connected.order(order_id, **named)
        return found

    def orders_of(self, customer: str, *, locale: str = "") -> tuple[Order, ...]:
        named = {"locale": locale} if self.orders_of_takes_locale else {}
        found: tuple[Order, ...] = self.connected.orders_of(customer, **named)
        return found

    def run(self, call: Call, *, idempotency_key: str) -> Outcome:
        outcome: Outcome = self.connected.run(call, idempotency_key=idempotency_key)
        return outcome

    def find(self, idempotency_key: str) -> Found:
        found: Found = self.connected.find(idempotency_key)
        return found


def _takes_locale(query: Callable[..., Any]) -> bool:
    try:
        signature(query).bind("", locale="")
    except (TypeError, ValueError):  # ValueError: a callable without a signature, such as one written in C
        return False
    return True
