"""The backend. Django looks for this module and class by name."""

import time
from typing import Any, Final

import psycopg
from django.db.backends.postgresql import base

from supportbot.observing.metrics import DATABASE_WAIT
from supportbot.postgresql import LIMITS

# Not as an option of the connection, which poolers refuse. What the role, the database, the server's configuration or
# the address sets counts, so an operator can lift a limit; with two roles, the application's has all of them.
_LIMIT: Final = (
    "SELECT set_config(name, value, false) FROM pg_settings JOIN unnest(%s::text[], %s::text[]) AS l (name, value)"
    " USING (name) WHERE source = 'default'"
)


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Open a connection, or take one from the pool. The wait counts even if it was in vain."""
        asked_at = time.monotonic()
        try:
            return super().get_new_connection(conn_params)
        finally:
            DATABASE_WAIT.labels("connection").observe(time.monotonic() - asked_at)

    def _configure_connection(self, connection: "psycopg.Connection[Any]") -> bool:
        """Set what the session needs. Called for each new connection, with a pool and without one."""
        is_changed: bool = super()._configure_connection(connection)  # type: ignore[misc]  # not in the stubs
        connection.execute(_LIMIT, [list(LIMITS), list(LIMITS.values())])
        return is_changed
