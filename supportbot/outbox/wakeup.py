"""A wake-up within one process: announcing notifies the process's relay. A lost notification only costs a pause."""

import threading

_woken = threading.Event()


def notify() -> None:
    _woken.set()


def wait(seconds: float) -> None:
    """Return when notified or after `seconds`."""
    _woken.wait(seconds)
    _woken.clear()
