"""Django's PostgreSQL backend, which also sets time limits and measures waits for connections. `server_urls.py`
refers to it.
"""

from typing import Final

# Limits for the application's connections: a statement, or a wait for a lock, that takes longer is a fault and fails
# with an error.
LIMITS: Final = {
    "statement_timeout": "120s",
    "lock_timeout": "60s",
    "idle_in_transaction_session_timeout": "120s",
    "jit": "off",  # it costs more than it gains for queries of this size
}
