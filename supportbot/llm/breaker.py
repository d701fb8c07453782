"""A circuit breaker per provider: after some failures in a row nobody waits for a provider that is down.

It lives in the process. Each process finds out for itself, which costs it at most `failures` slow calls.
"""

from time import monotonic

from supportbot.llm.conf import Limits


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


_breakers: dict[str, Breaker] = {}


def breaker_of(provider: str, limits: Limits) -> Breaker:
    """Return the breaker of a provider; all event loops of the process share what they learn."""
    return _breakers.setdefault(provider, Breaker(limits))


def forget_failures() -> None:
    """Close every breaker, as a restart would."""
    _breakers.clear()
