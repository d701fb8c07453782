"""Wakes the relay of this process when something is announced.

If a notification is lost, the relay just wakes later.
"""

import threading

_woken = threading.Event()


def notify() -> None:
    _woken.set()


def wait(seconds: float) -> None:
    """Wait until notified, but no longer than `seconds`."""
    _woken.wait(seconds)
    _woken.clear()
