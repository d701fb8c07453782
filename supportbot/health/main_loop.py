"""Detects whether the main loop of a worker or of beat has stopped: it ticks here, and a probe checks the last tick."""

import time
from typing import Final

# This is longer than the longest pause between two attempts to reach the broker.
PATIENCE_SECONDS: Final = 120.0

_last_tick: float | None = None


def tick() -> None:
    global _last_tick
    _last_tick = time.monotonic()


def stands_still() -> bool:
    """Return whether there has been a tick before, but none for two minutes."""
    return _last_tick is not None and time.monotonic() - _last_tick > PATIENCE_SECONDS
