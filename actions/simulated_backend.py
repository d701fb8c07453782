"""A stand-in for the shop's systems, for evaluated conversations.

While a stand-in is set, defined actions call only the stand-in, and built-in actions, which know only the workspace's
own shop, are not connected. It is set in the context of one conversation, so several conversations can run at once,
each with its own shop.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Protocol

from actions.connections.client import Call, Response


class SimulatedBackend(Protocol):
    def send(self, call: Call) -> Response:
        """Return the answer of the simulated system, whatever its status; raises NotSent or NoAnswer."""


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
