"""What calls are made for: customers or an evaluation. An evaluation's calls have a separate budget, so that a run
never uses up the budget for customers' answers, and are listed separately in the costs. Inside `evaluating`, every call
of this context counts as an evaluation's, whatever its purpose.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

EVALUATION: Final = "evaluation"
_evaluating: ContextVar[bool] = ContextVar("is_evaluating", default=False)


@contextmanager
def evaluating() -> Iterator[None]:
    """Record the calls of this block, and of the tasks it starts, as an evaluation's."""
    token = _evaluating.set(True)
    try:
        yield
    finally:
        _evaluating.reset(token)


def is_evaluating() -> bool:
    return _evaluating.get()


def booked_as(purpose: str) -> str:
    """Return the purpose under which a call is recorded and paid for."""
    return EVALUATION if is_evaluating() else purpose
