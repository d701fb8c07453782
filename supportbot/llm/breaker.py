"""A circuit breaker per model and kind of call: after several failures, calls no longer wait for a model that is down.

Each process has its own breakers, so each makes up to `failures` slow calls before it notices.
"""

from time import monotonic
from typing import Literal

from supportbot.llm.call_settings import Limits
from supportbot.llm.ports import EmbeddingProvider, Provider
from supportbot.llm.types import Purpose
from supportbot.observing.metrics import BREAKER_HITS, BREAKERS_OPEN


class Breaker:
    """Closed until `failures` calls in a row have failed.

    After that, one call every `probe_every_seconds` may try again.
    """

    def __init__(self, limits: Limits, kind: "Kind" = "answers") -> None:
        self._limits = limits
        self._kind = kind
        BREAKER_HITS.labels(kind)  # start at 0; otherwise, the first hit would not count as an increase
        BREAKERS_OPEN.labels(kind)
        self._failures = 0
        self._next_probe = 0.0

    @property
    def is_open(self) -> bool:
        return self._failures >= self._limits.breaker_failures

    def admit(self) -> bool:
        """Return whether a call may go out.

        If the breaker is open, True means that this call is a probe, and the next probe has to wait for the full pause.
        A cancelled probe proves nothing and needs no clean-up, because the pause began when it was admitted.
        """
        if not self.is_open:
            return True
        # count only calls, because an open breaker that blocks nothing is no reason for an alert
        BREAKER_HITS.labels(self._kind).inc()
        now = monotonic()
        if now < self._next_probe:
            return False
        self._next_probe = now + self._limits.probe_every_seconds
        return True

    def succeeded(self) -> None:
        if self.is_open:
            BREAKERS_OPEN.labels(self._kind).dec()
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures == self._limits.breaker_failures:
            BREAKERS_OPEN.labels(self._kind).inc()
        self._next_probe = monotonic() + self._limits.probe_every_seconds


Kind = Literal["answers", "second looks", "embeddings"]
# Breakers are kept by kind, provider and model: a server may embed while it is still loading its chat model, and a
# model that is too slow for a second look within three seconds may be fast enough for answers.
_breakers: dict[tuple[Kind, str, str], Breaker] = {}


def breaker_of(kind: Kind, provider: Provider | EmbeddingProvider, limits: Limits) -> Breaker:
    """Return the breaker for a provider, its model and a kind of call. All event loops of the process share it."""
    # Two workspaces may use the same connection name.
    server: str = getattr(provider, "identity", provider.name)
    return _breakers.setdefault((kind, server, provider.model), Breaker(limits, kind))


def kind_of(purpose: Purpose) -> Kind:
    """Return the kind of call that a purpose belongs to. Calls of one kind share a breaker."""
    return "second looks" if purpose == "verify" else "answers"


def forget_failures() -> None:
    """Close every breaker, as a restart would."""
    for breaker in _breakers.values():
        breaker.succeeded()
    _breakers.clear()
