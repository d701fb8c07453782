"""A nudge within one process: whoever announces rings, the process's relay wakes. Losing a ring only costs a pause."""

import threading

_bell = threading.Event()


def ring() -> None:
    _bell.set()


def wait(seconds: float) -> None:
    """Return when rung or after `seconds`."""
    _bell.wait(seconds)
    _bell.clear()
