"""The database backend. Django finds this module and class by name."""

import time
from typing import Any, Final

import psycopg
from django.db.backends.postgresql import base

from supportbot.observing.database_connection_failures import forget_failure, noted
from supportbot.observing.metrics import DATABASE_WAIT
from supportbot.postgresql import LIMITS

# This is not a connection option, because poolers refuse those. Values set by the role, the database, the server's
# configuration or the URL take precedence, so an operator can lift a limit. If there are two roles, `migrate` sets the
# limits for the application's role.
_LIMIT: Final = (
    "SELECT set_config(name, value, false) FROM pg_settings JOIN unnest(%s::text[], %s::text[]) AS l (name, value)"
    " USING (name) WHERE source = 'default'"
)


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Open a connection, or take one from the pool. The wait is measured even if it ends without a connection."""
        asked_at = time.monotonic()
        try:
            return super().get_new_connection(conn_params)
        finally:
            DATABASE_WAIT.labels("connection").observe(time.monotonic() - asked_at)

    def _configure_connection(self, connection: "psycopg.Connection[Any]") -> bool:
        """Set the session's options. Called for each new connection, with or without a pool."""
        with noted():
            is_changed: bool = super()._configure_connection(connection)  # type: ignore[misc]  # not in the stubs
            connection.execute(_LIMIT, [list(LIMITS), list(LIMITS.values())])
        forget_failure()
        return is_changed
