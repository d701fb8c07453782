"""A stand-in for the shop's systems, for evaluated conversations.

While a stand-in is set, defined actions call only the stand-in, and built-in actions, which know only the workspace's
own shop, are not connected. Built-in actions have a stand-in of their own: sample orders. While these are set, earlier
requests of real customers count towards no limit and appear in no look-up, so a decision depends only on the sample
orders and the rules. Stand-ins are set in the context of one conversation, so several conversations can run at the same
time, each with its own shop.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Protocol

from actions import spec
from actions.connections.client import Call, Response
from actions.errors import NotConnected
from actions.facts import Order
from actions.outcomes import Found, NeverSeen, Outcome


class SimulatedBackend(Protocol):
    def send(self, call: Call) -> Response:
        """Return the response of the simulated system, whatever its status; raises NotSent or NoAnswer."""


_current: Final[ContextVar[SimulatedBackend | None]] = ContextVar("simulated_backend", default=None)


def simulated_backend() -> SimulatedBackend | None:
    """Return the stand-in for the shop's systems; None if the workspace's own connections are called."""
    return _current.get()


@contextmanager
def use_simulated_backend(found: SimulatedBackend) -> Iterator[None]:
    """Within this block, call this back end instead of every connection."""
    before = _current.set(found)
    try:
        yield
    finally:
        _current.reset(before)


@dataclass(frozen=True, slots=True)
class SampleShop:
    """A merchant whose orders can only be read, because a sample conversation carries nothing out."""

    orders: Sequence[Order]

    def order(self, order_id: str, *, locale: str = "") -> Order | None:
        return next((order for order in self.orders if order.id == order_id), None)

    def orders_of(self, customer: str, *, locale: str = "") -> tuple[Order, ...]:
        return tuple(order for order in self.orders if order.customer == customer)

    def run(self, call: spec.Call, *, idempotency_key: str) -> Outcome:
        raise NotConnected()

    def find(self, idempotency_key: str) -> Found:
        return NeverSeen()


_sample_shop: Final[ContextVar[SampleShop | None]] = ContextVar("sample_shop", default=None)


def sample_shop() -> SampleShop | None:
    """Return the shop that replaces the workspace's own for built-in actions; None if its own is called."""
    return _sample_shop.get()


@contextmanager
def use_sample_orders(orders: Sequence[Order]) -> Iterator[None]:
    """Within this block, the shop has only these orders."""
    before = _sample_shop.set(SampleShop(orders))
    try:
        yield
    finally:
        _sample_shop.reset(before)
