"""The interface that a merchant's system must provide: its orders, and a back end that runs commands for them."""

from typing import Protocol

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
    return connected
