"""A limit on the work of a call that is valid on busy and slow machines. It is for inputs on which a wrong pattern or
loop takes minutes; the limit is far above what the right one takes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import thread_time
from typing import Final

# CPU seconds of the loop below on the machine for which the limits were chosen.
REFERENCE_SECONDS: Final = 0.025


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Fail if the block takes more CPU seconds of this thread, scaled by the machine's current speed."""
    began = thread_time()
    yield
    used = thread_time() - began
    if used > seconds:
        slowness = max(1.0, _loop_seconds() / REFERENCE_SECONDS)
        assert used <= seconds * slowness, f"{used:.1f} CPU seconds, on a machine that is {slowness:.1f} times as slow"


def _loop_seconds() -> float:
    began = thread_time()
    sum(number * number % 7 for number in range(500_000))
    return thread_time() - began
