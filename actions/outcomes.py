"""The possible outcomes of a command, and the back end that runs it and reports its outcome later. "It happened", "it
did not" and "we do not know" are separate types, so that an unknown outcome is never taken for a known one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol


@dataclass(frozen=True, slots=True)
class Happened:
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DidNot:
    """Nothing has been done. If this is final, the merchant has refused; otherwise, the call may be retried with the
    same key.
    """

    code: str
    message: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class Unclear:
    """The call was sent, but got no conclusive answer: money may have moved. The next step depends on the action's
    `OutcomeKind`. `was_answered`: the merchant has finished with this call, so it is no longer in progress.
    `is_in_progress`: the merchant was asked by key, and says that it is still working on the call.
    """

    cause: str
    was_answered: bool = False
    is_in_progress: bool = False


@dataclass(frozen=True, slots=True)
class NeverSeen:
    """The merchant does not know the key, so nothing has been done under it so far."""


Outcome = Happened | DidNot | Unclear
Found = Happened | DidNot | Unclear | NeverSeen


class OutcomeKind(StrEnum):
    """How an unclear outcome is resolved: by a look-up with the key, by repeating the call with the same key, or by a
    person.
    """

    STATUS_LOOKUP = "status_lookup"
    REPLAY_SAFE = "replay_safe"
    AT_MOST_ONCE = "at_most_once"


# Accepted but not done yet, or a gateway's own status, including non-standard ones (524: the shop is still working, but
# the gateway has stopped waiting). In both cases the shop may still be working on the call.
_STILL_RUNNING: Final = frozenset({202, 502, 504, *range(520, 600)})


def is_finished(status: int) -> bool:
    """Return whether a status means that the merchant has finished with the call; 0 means no answer."""
    return status != 0 and status not in _STILL_RUNNING


class BackEnd(Protocol):
    """A system that runs commands. Every call ends within its own deadline."""

    def run(self, call: Any, *, idempotency_key: str) -> Outcome:
        """Execute a command, at most once per key."""

    def find(self, idempotency_key: str) -> Found:
        """Return the outcome recorded under a key."""
