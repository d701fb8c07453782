"""Tells operators in one line about trouble with a server, instead of a traceback for every attempt."""

import logging
import threading
import time
from collections.abc import Collection
from typing import Final

REPEATED_AFTER_SECONDS: Final = 600.0
# Tasks and requests that began during the outage may still fail after the first attempt succeeds again.
SETTLED_AFTER_SECONDS: Final = 5.0
NOT_RESPONDING: Final = "it is not responding"


class ServerTrouble:
    """Logs this process's problems with a server: each cause when it first occurs and every ten minutes after
    that, and the end of the outage.

    There is one instance per process and server, because an outage affects all of the process's loops, tasks and
    requests.
    """

    def __init__(self, server: str, logger: logging.Logger) -> None:
        self._server = server
        self._logger = logger
        self._lock = threading.Lock()
        self._logged_at: dict[str, float] = {}  # keyed by cause, like the next attribute
        self._failed_at: dict[str, float] = {}

    def found(self, cause: str, details: str = "") -> None:
        """Log this cause, unless it has been logged in the last ten minutes of the same outage."""
        with self._lock:
            self._failed_at[cause] = now = time.monotonic()
            if now - self._logged_at.get(cause, -REPEATED_AFTER_SECONDS) < REPEATED_AFTER_SECONDS:
                return
            self._logged_at[cause] = now
        self._logger.error("%s: %s%s; retrying", self._server, cause, details and f" ({details})")

    def has_responded(self, *, without: Collection[str] = ()) -> None:
        """If there was an outage and nothing has failed for a few seconds, log that the server responds again.

        The causes in `without` remain open.
        """
        if not self._logged_at:  # the usual case, which needs no lock
            return
        with self._lock:
            ended = self._logged_at.keys() - set(without)
            latest = max((self._failed_at[cause] for cause in ended), default=0.0)
            if not ended or time.monotonic() - latest < SETTLED_AFTER_SECONDS:
                return
            for cause in ended:
                del self._logged_at[cause]
        self._logger.warning("%s responds again", self._server)

    @property
    def is_settled(self) -> bool:
        """Whether nothing has failed for a few seconds, which means that the outage may be over."""
        with self._lock:
            latest = max((self._failed_at[cause] for cause in self._logged_at), default=0.0)
        return time.monotonic() - latest >= SETTLED_AFTER_SECONDS

    def forget(self) -> None:
        """Forget what has been logged."""
        self._logged_at.clear()
