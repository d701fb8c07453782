"""Tells operators in one line, instead of many tracebacks, that the channel layer or the broker is unavailable."""

import errno
import logging
from collections.abc import Iterator
from socket import gaierror
from typing import Final

import redis
from kombu.exceptions import OperationalError

from supportbot.observing.server_trouble import NOT_RESPONDING, ServerTrouble

logger = logging.getLogger(__name__)
layer_trouble: Final = ServerTrouble("Valkey or Redis", logger)
broker_trouble: Final = ServerTrouble("the broker", logger)  # may be a different server, set by CELERY_BROKER_URL
# The listener of the channel layer tries again every second, beat at each tick, and the worker at growing intervals.
# The first two log a traceback each time, the worker a line with the error among its arguments.
_REPEATING: Final = {
    "channels_redis.pubsub": layer_trouble,
    "celery.beat": broker_trouble,
    "celery.worker.consumer.consumer": broker_trouble,
    "celery.worker": broker_trouble,  # it ends if the broker refuses its commands, and is then restarted
}
_AWAY: Final = (redis.ConnectionError, redis.TimeoutError, OperationalError, ConnectionError, TimeoutError, gaierror)
_FULL: Final = "MISCONF"  # in the error of a server that cannot write to its disk; in a pipeline, not at the start
# Both libraries also report these as a failed connection, but they are the fault of this process or machine.
_OURS: Final = (errno.EMFILE, errno.ENFILE)


class BrokerOutagesInOneLine(logging.Filter):
    """Logs an outage once, instead of a traceback or a line for every attempt to connect."""

    def filter(self, record: logging.LogRecord) -> bool:
        trouble = _REPEATING.get(record.name)
        if trouble is None:
            return True
        chain = list(_chain(_error_of(record)))
        cause = next((error for error in chain if _is_of_server(error)), None)
        if cause is None or any(isinstance(error, OSError) and error.errno in _OURS for error in chain):
            return True
        trouble.found(NOT_RESPONDING, str(cause).strip().partition("\n")[0].rstrip(".") or type(cause).__name__)
        return False


def _is_of_server(error: BaseException) -> bool:
    return isinstance(error, _AWAY) or (isinstance(error, redis.ResponseError) and _FULL in str(error))


def _error_of(record: logging.LogRecord) -> BaseException | None:
    if record.exc_info:
        return record.exc_info[1]
    arguments = record.args if isinstance(record.args, tuple) else ()
    return next((one for one in arguments if isinstance(one, BaseException)), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and the errors that caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
