"""The rate limit for one socket's frames. Chat limits how fast a customer may write."""

import time
from collections.abc import Callable
from typing import Final

FRAME_BURST: Final = 120
FRAMES_PER_SECOND: Final = 4.0


class TokenBucket:
    """Allows `burst` at once and `per_second` after that."""

    __slots__ = ("_at", "_burst", "_clock", "_left", "_per_second")

    def __init__(self, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_second, self._clock = burst, per_second, clock
        self._left, self._at = burst, clock()

    def allows(self) -> bool:
        """Count one more, and say whether it is within the limit."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def frames() -> TokenBucket:
    return TokenBucket(FRAME_BURST, FRAMES_PER_SECOND)


def typing() -> TokenBucket:
    return TokenBucket(1, 0.5)
