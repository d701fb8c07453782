"""Explains database errors to operators, in one sentence instead of a traceback."""

import logging
from typing import Final

from django.db import Error as AnyDatabaseError
from django.db import OperationalError
from psycopg_pool import PoolTimeout

from supportbot.observing.database_connection_failures import last_failure
from supportbot.observing.metrics import WRITES_REFUSED
from supportbot.observing.server_trouble import NOT_RESPONDING, ServerTrouble

logger = logging.getLogger(__name__)
LACKS_MIGRATIONS: Final = "it lacks this version's migrations. Run `manage.py migrate`"
# By SQLSTATE. These may also be caused by our own mistakes, so their tracebacks are logged.
_OF_SCHEMA: Final = {"42P01": LACKS_MIGRATIONS, "42703": LACKS_MIGRATIONS}
_OF_RIGHTS: Final = {
    "42501": "the role in DATABASE_URL lacks privileges. Run `manage.py migrate` with DATABASE_OWNER_URL"
}
_OF_OPERATION: Final = {
    "25006": "it is read-only. Use the address of a server that accepts writes",
    "53100": "its disk is full. Free some space there",
}
_ALL_IN_USE: Final = (
    "no connection of the pool was free in time. If this persists, raise DATABASE_POOL_SIZE, or the size of the pooler "
    "in front of the database, if there is one"
)
# Connection, login, resources, shutdown. Other errors in these classes, such as time limits, are caused by code.
_AWAY: Final = ("08", "28", "3D", "53", "57P")


def remedy(error: BaseException) -> str:
    """Return the problem and how to fix it, without a full stop; "" if only the error itself can explain it."""
    return {**_OF_SCHEMA, **_OF_RIGHTS, **_OF_OPERATION}.get(_state(error), "")


def is_of_schema(error: BaseException) -> bool:
    """Return whether a table or column is missing, either because the schema is older or because our statement is
    wrong.
    """
    return _state(error) in _OF_SCHEMA


def is_of_rights(error: BaseException) -> bool:
    """Return whether the role lacks privileges that it needs."""
    return _state(error) in _OF_RIGHTS


def own_words(error: BaseException) -> str:
    """Return the first line of the message from PostgreSQL or the driver.

    It names the table, the column or the host.
    """
    return str(_cause(error) or error).strip().partition("\n")[0].rstrip(".")


def outage(error: BaseException | None) -> str:
    """Return the problem if the database is unavailable or misconfigured, or "" if our code may be to blame."""
    if not isinstance(error, AnyDatabaseError):
        return ""
    state = _state(error)
    # Our own code may be the reason why all connections of a pool are in use.
    is_away = isinstance(error, OperationalError) and not isinstance(_cause(error), PoolTimeout)
    return _OF_OPERATION.get(state, NOT_RESPONDING if is_away and (not state or state.startswith(_AWAY)) else "")


def _state(error: BaseException) -> str:
    return str(getattr(_cause(error), "sqlstate", None) or "")


def _cause(error: BaseException) -> BaseException | None:
    """Return the driver's error. If a pool timed out, return the error from its last attempt to open a connection."""
    cause = error.__cause__
    return last_failure() or cause if isinstance(cause, PoolTimeout) else cause


class DatabaseTrouble(ServerTrouble):
    """This process's problems with the database."""

    def happened(self, error: BaseException) -> None:
        """Log why this statement failed."""
        if isinstance(_cause(error), PoolTimeout):
            self.found(_ALL_IN_USE)
        else:
            cause = remedy(error) or outage(error) or f"it failed ({type(error).__name__})"
            self.found(cause, own_words(error))

    def explains(self, error: BaseException | None) -> bool:
        """Return whether an outage explains this error. If so, log the outage."""
        if error is None or not outage(error):
            return False
        self.happened(error)
        return True

    def found(self, cause: str, details: str = "") -> None:
        super().found(cause, details)
        if cause in _OF_OPERATION.values():
            WRITES_REFUSED.set(1)

    @property
    def refuses_writes(self) -> bool:
        """Whether writes have failed because nothing can be stored, and none have succeeded since."""
        return any(cause in self._logged_at for cause in _OF_OPERATION.values())

    def has_read(self) -> None:
        """If there was an outage and nothing has failed for a few seconds, log that the database responds again.

        A read proves nothing about writes: a database that is read-only, or whose disk is full, answers reads too.
        """
        self.has_responded(without=_OF_OPERATION.values())

    def has_written(self) -> None:
        """Log that the database responds again, or accepts writes again."""
        self.has_responded()
        if not self.refuses_writes:
            WRITES_REFUSED.set(0)

    def forget(self) -> None:
        super().forget()
        WRITES_REFUSED.set(0)


trouble: Final = DatabaseTrouble("the database", logger)


class OutagesInOneLine(logging.Filter):
    """Logs an outage once, instead of a traceback for every task and request while it lasts."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not trouble.explains(error)
