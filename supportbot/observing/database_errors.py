"""What an error of the database means to an operator, for loops that go on trying."""

import logging
import time
from typing import Final

REPEATED_AFTER_SECONDS: Final = 60.0
_CAUSES: Final = {  # by SQLSTATE
    "42P01": "the database lacks this version's migrations. Run `manage.py migrate`",
    "42703": "the database lacks this version's migrations. Run `manage.py migrate`",
    "42501": "the role in DATABASE_URL lacks rights. Run `manage.py migrate` with DATABASE_OWNER_URL",
    "25006": "the database is read-only. Use the address of a server that accepts writes",
}


def cause(error: BaseException) -> str:
    """Return what is wrong and what to do about it, without a full stop."""
    state = str(getattr(error.__cause__, "sqlstate", ""))
    return _CAUSES.get(state, f"the database is not responding ({type(error).__name__})")


class DatabaseTrouble:
    """Logs what keeps a loop from the database: once, then each minute, and its end."""

    def __init__(self, logger: logging.Logger, who: str) -> None:
        self._logger, self._who = logger, who
        self._cause, self._told_at = "", 0.0

    def happened(self, error: BaseException) -> None:
        found, now = cause(error), time.monotonic()
        if found != self._cause or now - self._told_at >= REPEATED_AFTER_SECONDS:
            self._logger.warning("%s: %s; retrying", self._who, found)
            self._cause, self._told_at = found, now

    def is_over(self) -> None:
        if self._cause:
            self._cause = ""
            self._logger.warning("%s: the database responds again", self._who)
