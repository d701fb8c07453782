"""Faults on demand: the failures of a payment service, to see how the platform handles them. Faults only affect the
platform's signed calls and are kept in this process, so a restart clears them.
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
    """The faults to cause: each call is delayed, the next `fail_next` calls get a 500, and the next `drop_reply`
    responses are dropped after the work is done.
    """

    delay_seconds: float = 0
    fail_next: int = 0
    drop_reply: int = 0


def parse_faults(data: Mapping[str, object]) -> Faults:
    """Read `{"delay_seconds"?, "fail_next"?, "drop_reply"?}`; faults left out are off. `drop_reply` true means
    one.
    """
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
    """The current faults. Counters change under a lock, so N parallel calls use up exactly N."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults = Faults()
        self._waiting = 0
        self._interrupt = threading.Event()

    def set(self, faults: Faults) -> None:
        with self._lock:
            self._faults = faults

    def state(self) -> dict[str, float]:
        """Return the remaining faults, and how many calls are currently being delayed."""
        with self._lock:
            return {**asdict(self._faults), "waiting": self._waiting}

    def before_call(self) -> None:
        """Wait and fail as ordered. Raises OutOfOrder, or Interrupted if `reset` or `stop` is called during the
        wait.
        """
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
        """Return whether to drop the response of the call that was just carried out."""
        return self._take("drop_reply")

    def reset(self) -> None:
        """Turn off all faults and interrupt delayed calls, so that none of them changes the shop after the reset."""
        with self._lock:
            self._faults = Faults()
            interrupted, self._interrupt = self._interrupt, threading.Event()
        interrupted.set()

    def stop(self) -> None:
        """Interrupt the delayed calls, and all later ones."""
        self._interrupt.set()

    def _take(self, name: str) -> bool:
        with self._lock:
            left: int = getattr(self._faults, name)
            if left:
                self._faults = replace(self._faults, **{name: left - 1})
            return left > 0


injector = FaultInjector()
