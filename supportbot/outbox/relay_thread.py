"""The relay: a thread in each web and worker process that delivers due announcements.

Rows are claimed with SKIP LOCKED, so any number of relays can share the work. Consumers run in the scope of the
announcement's workspace.
"""

import logging
import threading
from collections.abc import Collection
from typing import Final

from django.db import Error as AnyDatabaseError
from django.db import close_old_connections, connections

from supportbot.observing.database_errors import trouble
from supportbot.outbox import wakeup
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.services import try_to_write

logger = logging.getLogger(__name__)
POLL_SECONDS: Final = 2.0


class Relay:
    """The relay of a process. `stop` waits until the current announcement has been handled."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._without: Collection[str] = ()

    def start(self, *, without: Collection[str] = ()) -> None:
        """Start delivering announcements, except those of the topics in `without`."""
        self._without = without
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="outbox-relay", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is None:
            return
        self._stopping.set()
        wakeup.notify()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stopping.is_set():
            handled = self.round()
            close_old_connections()
            if not handled:
                wakeup.wait(POLL_SECONDS)
        connections.close_all()  # this thread's own connections

    def round(self) -> int:
        """Deliver due announcements; return how many were handled."""
        try:
            handled = deliver_due(without=self._without, is_ending=self._stopping.is_set)
            trouble.has_read()
            if trouble.refuses_writes and trouble.is_settled:  # settled, so the first successful write ends the outage
                try_to_write()
                trouble.has_written()
        except AnyDatabaseError as error:
            trouble.happened(error)
            return 0
        except Exception:
            # Catch every error: otherwise, this process would stop delivering.
            logger.exception("outbox: a round failed; retrying")
            return 0
        return handled


relay = Relay()
