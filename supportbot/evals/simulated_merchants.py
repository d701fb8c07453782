"""The merchant of a conversation that runs to its end: it stands in for the shop's systems, for this one alone.

A conversation whose customer confirms cards needs one, else what it confirms could reach a real shop. Where none is at
hand, as in a worker, the run waits.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol

from actions.simulated_backend import SimulatedBackend
from supportbot.evals.suite_format import Case


class Merchant(SimulatedBackend, Protocol):
    def changes(self) -> Mapping[str, Any]:
        """Return the records that differ from those at the beginning, by kind and key."""


class MerchantMissing(Exception):
    """A case needs a merchant, and none is at hand in this process."""

    code = "no_merchant"


_opened: Final[ContextVar[Callable[[], Merchant] | None]] = ContextVar("merchants", default=None)


@contextmanager
def merchants_opened(opens: Callable[[], Merchant]) -> Iterator[None]:
    """Let every case that needs a merchant open a new one by this, in this block."""
    before = _opened.set(opens)
    try:
        yield
    finally:
        _opened.reset(before)


def merchant_of(case: Case) -> Merchant | None:
    """Return a new merchant for a case, as it is at the beginning; None if it needs none. Raises MerchantMissing."""
    if not case.needs_merchant:
        return None
    opens = _opened.get()
    if opens is None:
        raise MerchantMissing()
    return opens()
