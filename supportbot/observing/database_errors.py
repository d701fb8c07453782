"""What an error of the database means to an operator: in one sentence, not in a traceback."""

import logging
import time
from typing import Final

from django.db import Error as AnyDatabaseError
from django.db import OperationalError
from psycopg_pool import PoolTimeout

REPEATED_AFTER_SECONDS: Final = 60.0
LACKS_MIGRATIONS: Final = "it lacks this version's migrations. Run `manage.py migrate`"
# By SQLSTATE. These may also be faults of ours, so their tracebacks are logged.
_OF_SCHEMA: Final = {"42P01": LACKS_MIGRATIONS, "42703": LACKS_MIGRATIONS}
_OF_RIGHTS: Final = {"42501": "the role in DATABASE_URL lacks rights. Run `manage.py migrate` with DATABASE_OWNER_URL"}
_OF_OPERATION: Final = {"25006": "it is read-only. Use the address of a server that accepts writes"}
_NO_FREE_CONNECTION: Final = "no connection of the pool was free in time: it is away, or all of them are in use"
# Connection, login, resources, shutdown. Other errors of these classes, such as time limits, have a place in the code.
_AWAY: Final = ("08", "28", "3D", "53", "57P")


def remedy(error: BaseException) -> str:
    """Return what is wrong and what to do about it, without a full stop; empty if only the error itself can tell."""
    return {**_OF_SCHEMA, **_OF_RIGHTS, **_OF_OPERATION}.get(_state(error), "")


def is_of_schema(error: BaseException) -> bool:
    """Return whether a table or a column is missing: of an older schema, or because a statement of ours is wrong."""
    return _state(error) in _OF_SCHEMA


def is_of_rights(error: BaseException) -> bool:
    """Return whether the role may not do what it tried."""
    return _state(error) in _OF_RIGHTS


def own_words(error: BaseException) -> str:
    """Return the first line of PostgreSQL's or the driver's message, which names the table, the column or the host."""
    return str(error).strip().partition("\n")[0].rstrip(".")


def outage(error: BaseException | None) -> str:
    """Return what is wrong if no code is to blame: the database is away, or operated differently; empty otherwise."""
    if not isinstance(error, AnyDatabaseError):
        return ""
    state = _state(error)
    # All connections of a pool may be in use because of our code.
    is_away = isinstance(error, OperationalError) and not isinstance(error.__cause__, PoolTimeout)
    return _OF_OPERATION.get(
        state, "it is not responding" if is_away and (not state or state.startswith(_AWAY)) else ""
    )


def _state(error: BaseException) -> str:
    return str(getattr(error.__cause__, "sqlstate", None) or "")


class OutagesInOneLine(logging.Filter):
    """Logs an outage without the traceback, which is the same for every task and request of that time."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and (found := outage(error)):
            record.msg, record.args = f"{record.getMessage().partition(chr(10))[0]} (the database: {found})", ()
            record.exc_info = record.exc_text = None
        return True


class DatabaseTrouble:
    """Logs what keeps a loop from the database: once, then each minute, and its end."""

    def __init__(self, logger: logging.Logger, who: str) -> None:
        self._logger, self._who = logger, who
        self._cause, self._told_at = "", 0.0

    def happened(self, error: BaseException) -> None:
        if isinstance(error.__cause__, PoolTimeout):
            self.found(_NO_FREE_CONNECTION)
        else:
            cause = remedy(error) or outage(error) or f"it failed ({type(error).__name__})"
            self.found(cause, own_words(error))

    def found(self, cause: str, details: str = "") -> None:
        """Log this cause, unless it was logged less than a minute ago."""
        now = time.monotonic()
        if cause != self._cause or now - self._told_at >= REPEATED_AFTER_SECONDS:
            self._logger.warning("%s: the database: %s%s; retrying", self._who, cause, details and f" ({details})")
            self._cause, self._told_at = cause, now

    def is_over(self) -> None:
        if self._cause:
            self._cause = ""
            self._logger.warning("%s: the database responds again", self._who)
