"""A nudge within one process: whoever announces rings, the process's relay wakes. Losing a ring only costs a pause."""

import threading

_woken = threading.Event()


def notify() -> None:
    _woken.set()


def wait(seconds: float) -> None:
    """Return when rung or after `seconds`."""
    _woken.wait(seconds)
    _woken.clear()
