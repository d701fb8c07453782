"""A stand-in for the shop's systems, for evaluated conversations.

While one stands in, defined actions call it and nothing else, and the actions of this release, which know only the
workspace's own shop, are not connected. It is set in the context of one conversation, so several can run at once, each
with a shop of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Protocol

from actions.connections.client import Call, Response


class SimulatedBackend(Protocol):
    def send(self, call: Call) -> Response:
        """Return the answer of the system it stands in for, whatever its status; raises NotSent or NoAnswer."""


_current: Final[ContextVar[SimulatedBackend | None]] = ContextVar("simulated_backend", default=None)


def simulated_backend() -> SimulatedBackend | None:
    """Return what stands in for the shop's systems; None where the connections of the workspace are called."""
    return _current.get()


@contextmanager
def use_simulated_backend(found: SimulatedBackend) -> Iterator[None]:
    """Call this in place of every connection in this block."""
    before = _current.set(found)
    try:
        yield
    finally:
        _current.reset(before)
