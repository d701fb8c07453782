"""Wakes the relay of the same process when something is announced. A lost notification only causes a delay."""

import threading

_woken = threading.Event()


def notify() -> None:
    _woken.set()


def wait(seconds: float) -> None:
    """Wait until notified, or for `seconds`."""
    _woken.wait(seconds)
    _woken.clear()
