"""Explains to operators that the channel layer or the broker is away, in one line instead of many tracebacks."""

import errno
import logging
from collections.abc import Iterator
from socket import gaierror
from typing import Final

import redis
from kombu.exceptions import OperationalError

from supportbot.observing.server_trouble import NOT_RESPONDING, ServerTrouble

logger = logging.getLogger(__name__)
layer_trouble: Final = ServerTrouble("Redis or Valkey", logger)
broker_trouble: Final = ServerTrouble("the broker", logger)  # may be another server: CELERY_BROKER_URL
# The listener of the channel layer tries again every second, and beat at each tick; both log a traceback each time.
_REPEATING: Final = {"channels_redis.pubsub": layer_trouble, "celery.beat": broker_trouble}
_AWAY: Final = (redis.ConnectionError, redis.TimeoutError, OperationalError, ConnectionError, TimeoutError, gaierror)
# Both libraries also report these as a failed connection, but they are the fault of this process or machine.
_OURS: Final = (errno.EMFILE, errno.ENFILE)


class BrokerOutagesInOneLine(logging.Filter):
    """Replaces the tracebacks of those who keep trying."""

    def filter(self, record: logging.LogRecord) -> bool:
        trouble = _REPEATING.get(record.name)
        if trouble is None or not record.exc_info:
            return True
        chain = list(_chain(record.exc_info[1]))
        cause = next((error for error in chain if isinstance(error, _AWAY)), None)
        if cause is None or any(isinstance(error, OSError) and error.errno in _OURS for error in chain):
            return True
        trouble.found(NOT_RESPONDING, str(cause).strip().partition("\n")[0].rstrip(".") or type(cause).__name__)
        return False


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
