"""A simulated merchant, which replaces the shop's systems for one conversation.

Cases in which the customer confirms cards need one; otherwise, confirmed actions could reach a real shop. In a process
without one, such as a worker, the run waits.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol

from actions.simulated_backend import SimulatedBackend
from supportbot.evals.errors import MerchantMissing
from supportbot.evals.suite_formats.own_format import Case


class Merchant(SimulatedBackend, Protocol):
    def changes(self) -> Mapping[str, Any]:
        """Return the records that differ from the original ones, by kind and key."""


_opened: Final[ContextVar[Callable[[], Merchant] | None]] = ContextVar("merchants", default=None)


@contextmanager
def merchants_opened(opens: Callable[[], Merchant]) -> Iterator[None]:
    """Inside this block, every case that needs a merchant gets a new one from this function."""
    before = _opened.set(opens)
    try:
        yield
    finally:
        _opened.reset(before)


def merchant_of(case: Case) -> Merchant | None:
    """Return a new merchant with the original records; None if the case needs none. Raises MerchantMissing."""
    if not case.needs_merchant:
        return None
    opens = _opened.get()
    if opens is None:
        raise MerchantMissing()
    return opens()
