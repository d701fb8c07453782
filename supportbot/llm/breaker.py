"""A circuit breaker per model and kind of call: after several failures in a row, nobody waits for a model that is down.

It lives in the process. Each process finds out for itself, which costs it at most `failures` slow calls.
"""

from time import monotonic
from typing import Literal

from supportbot.llm.conf import Limits
from supportbot.llm.ports import EmbeddingProvider, Provider
from supportbot.llm.types import Purpose


class Breaker:
    """Closed until `failures` calls in a row have failed; then one call each `probe_every_seconds` may try again."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._failures = 0
        self._next_probe = 0.0

    @property
    def is_open(self) -> bool:
        return self._failures >= self._limits.breaker_failures

    def admit(self) -> bool:
        """Return whether a call may go out. While open, a True is the probe: the next one is a whole pause away.

        A probe that is cancelled tells nothing and needs no undoing: the pause had begun when it was admitted.
        """
        if not self.is_open:
            return True
        now = monotonic()
        if now < self._next_probe:
            return False
        self._next_probe = now + self._limits.probe_every_seconds
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        self._next_probe = monotonic() + self._limits.probe_every_seconds


Kind = Literal["answers", "second looks", "embeddings"]
# By kind, provider and model: a server may well embed while its chat model is being loaded, and a model too slow for a
# second look of three seconds may be good for an answer.
_breakers: dict[tuple[Kind, str, str], Breaker] = {}


def breaker_of(kind: Kind, provider: Provider | EmbeddingProvider, limits: Limits) -> Breaker:
    """Return the breaker of a provider, model and kind of call, shared by all event loops of the process."""
    return _breakers.setdefault((kind, provider.name, provider.model), Breaker(limits))


def kind_of(purpose: Purpose) -> Kind:
    """Return the kind of call, which shares a breaker, for a purpose."""
    return "second looks" if purpose == "verify" else "answers"


def forget_failures() -> None:
    """Close every breaker, as a restart would."""
    _breakers.clear()
