"""Explains to operators that Redis or Valkey is away, in one line instead of a traceback for every attempt."""

import logging
import threading
import time
from collections.abc import Iterator
from typing import Final

import redis
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)
REPEATED_AFTER_SECONDS: Final = 600.0
# Others may still fail after the first attempt succeeds again.
SETTLED_AFTER_SECONDS: Final = 5.0
# The listener of the channel layer tries again every second, and beat at each tick; both log a traceback each time.
_REPEATING: Final = ("channels_redis.pubsub", "celery.beat")
_AWAY: Final = (redis.ConnectionError, redis.TimeoutError, OperationalError, OSError)


class BrokerOutage:
    """Logs that this process cannot reach Redis or Valkey: once, then every ten minutes, and when it responds again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told_at: float | None = None
        self._failed_at = 0.0

    def found(self, cause: str) -> None:
        """Log the outage, unless it has been logged in the last ten minutes."""
        with self._lock:
            self._failed_at = now = time.monotonic()
            if self._told_at is not None and now - self._told_at < REPEATED_AFTER_SECONDS:
                return
            self._told_at = now
        logger.error("Redis or Valkey: it is not responding (%s); retrying", cause)

    def has_responded(self) -> None:
        """Log the end of an outage, if there was one and nothing has failed for a few seconds."""
        if self._told_at is None:
            return
        with self._lock:
            if self._told_at is None or time.monotonic() - self._failed_at < SETTLED_AFTER_SECONDS:
                return
            self._told_at = None
        logger.warning("Redis or Valkey responds again")


broker_outage: Final = BrokerOutage()


class BrokerOutagesInOneLine(logging.Filter):
    """Replaces the tracebacks of those who keep trying."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name not in _REPEATING or not record.exc_info:
            return True
        cause = next((error for error in _chain(record.exc_info[1]) if isinstance(error, _AWAY)), None)
        if cause is None:
            return True
        broker_outage.found(str(cause).strip().partition("\n")[0].rstrip(".") or type(cause).__name__)
        return False


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
