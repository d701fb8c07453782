"""Misbehaviour on demand: what a payment service does on a bad day, so that one can watch the platform cope.

Faults touch the platform's signed calls only and live in this process: a restart turns them off.
"""

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from shop.body import Fields
from shop.errors import Interrupted, OutOfOrder

MAX_DELAY_SECONDS = 120
MAX_CALLS = 1000


@dataclass(frozen=True)
class Faults:
    """Wait before each call; answer 500 to the next `fail_next`; lose the next `drop_reply` answers, work done."""

    delay_seconds: float = 0
    fail_next: int = 0
    drop_reply: int = 0


def parse_faults(data: Mapping[str, object]) -> Faults:
    """Read `{"delay_seconds"?, "fail_next"?, "drop_reply"?}`; what is not named is off. `drop_reply` true means one."""
    fields = Fields(data)
    faults = Faults(
        delay_seconds=fields.number("delay_seconds", minimum=0, maximum=MAX_DELAY_SECONDS)
        if fields.has("delay_seconds")
        else 0,
        fail_next=fields.whole("fail_next", minimum=0, maximum=MAX_CALLS) if fields.has("fail_next") else 0,
        drop_reply=_drop_reply(fields, data),
    )
    fields.check()
    return faults


def _drop_reply(fields: Fields, data: Mapping[str, object]) -> int:
    if not fields.has("drop_reply"):
        return 0
    if isinstance(given := data["drop_reply"], bool):
        return int(given)
    return fields.whole("drop_reply", minimum=0, maximum=MAX_CALLS)


class FaultInjector:
    """The faults in force. Counters are taken under a lock: N parallel calls use up exactly N."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults = Faults()
        self._waiting = 0
        self._interrupt = threading.Event()

    def set(self, faults: Faults) -> None:
        with self._lock:
            self._faults = faults

    def state(self) -> dict[str, float]:
        """Return what is left of the faults, and how many calls are waiting out their delay at this moment."""
        with self._lock:
            return {**asdict(self._faults), "waiting": self._waiting}

    def before_call(self) -> None:
        """Wait and fail as ordered. Raises OutOfOrder, or Interrupted when `reset` or `stop` came during the wait."""
        with self._lock:
            delay_seconds, interrupt = self._faults.delay_seconds, self._interrupt
            self._waiting += 1
        was_interrupted = interrupt.wait(delay_seconds)
        with self._lock:
            self._waiting -= 1
        if was_interrupted:
            raise Interrupted("The shop was reset or is closing; nothing was done.")
        if self._take("fail_next"):
            raise OutOfOrder("The shop is out of order; nothing was done.")

    def takes_reply(self) -> bool:
        """Say whether the reply of the call that has just been done is to get lost."""
        return self._take("drop_reply")

    def reset(self) -> None:
        """Turn all faults off and send waiting calls home: none of them may act on the shop that comes after."""
        with self._lock:
            self._faults = Faults()
            interrupted, self._interrupt = self._interrupt, threading.Event()
        interrupted.set()

    def stop(self) -> None:
        """Send home the calls that wait, and those that still come."""
        self._interrupt.set()

    def _take(self, name: str) -> bool:
        with self._lock:
            left: int = getattr(self._faults, name)
            if left:
                self._faults = replace(self._faults, **{name: left - 1})
            return left > 0


injector = FaultInjector()
