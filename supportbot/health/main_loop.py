"""Detects that the main loop of a worker or of beat has stopped.

The loop ticks here, and a probe checks when it last did.
"""

import time
from typing import Final

# This is longer than the longest pause between two attempts to reach the broker.
PATIENCE_SECONDS: Final = 120.0

_last_tick: float | None = None


def tick() -> None:
    global _last_tick
    _last_tick = time.monotonic()


def stands_still() -> bool:
    """Return whether the loop has ticked before, but not in the last two minutes."""
    return _last_tick is not None and time.monotonic() - _last_tick > PATIENCE_SECONDS
