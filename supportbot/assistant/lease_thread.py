"""Extends the leases of this process's turns in a separate thread.

On a busy machine, a starved event loop would send heartbeats late, and another process would take over turns that are
still being answered. So a thread extends all leases of the process once a second, in a single statement, which also
saves the text shown so far. If a claim is lost or the customer asks to stop, the thread tells the turn on its event
loop.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol
from uuid import UUID

from django.db import Error as AnyDatabaseError
from django.db import connections

from supportbot.assistant.turn_limits import SAVE_EVERY_SECONDS
from supportbot.chat.turns import Heartbeat, extend_leases
from supportbot.observing.database_errors import trouble

logger = logging.getLogger(__name__)


class Holder(Protocol):
    """A turn in progress. `heartbeat` is called in the thread, and the other methods on the turn's event loop."""

    def heartbeat(self) -> Heartbeat | None:
        """Return the data to save now; None while the claim is changing, because the old attempt would look like a lost
        lease.
        """

    def claim_lost(self) -> None: ...

    def stop_requested(self) -> None: ...


class Leases:
    """The turns of this process. The thread starts with the first turn and pauses while there are none."""

    def __init__(self) -> None:
        self._holders: dict[Holder, asyncio.AbstractEventLoop] = {}
        self._lock = threading.Lock()
        self._has_holders = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def kept(self, holder: Holder) -> Iterator[None]:
        """Within this block, extend the lease of a turn that runs on the current event loop."""
        with self._lock:
            self._holders[holder] = asyncio.get_running_loop()
            self._has_holders.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._holders.pop(holder, None)

    def _keep(self) -> None:
        while True:
            self._has_holders.wait()
            time.sleep(SAVE_EVERY_SECONDS)
            with self._lock:
                holders = dict(self._holders)
                if not holders:
                    self._has_holders.clear()
            if holders:
                self._beat(holders)
            else:
                connections.close_all()

    def _beat(self, holders: Mapping[Holder, asyncio.AbstractEventLoop]) -> None:
        """Extend the leases once. If the database is unavailable, the next call tries again and notices expired
        leases.
        """
        beats = {holder: beat for holder in holders if (beat := holder.heartbeat()) is not None}
        try:
            kept = extend_leases(list(beats.values()))
        except AnyDatabaseError as error:
            if not trouble.explains(error):
                logger.warning("leases: not extended: %s", type(error).__name__)
            connections.close_all()
            return
        for holder, beat in beats.items():
            self._report_to(holder, holders[holder], beat, kept)

    def _report_to(
        self, holder: Holder, loop: asyncio.AbstractEventLoop, beat: Heartbeat, kept: Mapping[UUID, bool]
    ) -> None:
        """Tell a turn what has happened to its row, unless the turn has ended or its claim has changed in the
        meantime.
        """
        is_stopped = kept.get(beat.claim.turn_id)
        now = holder.heartbeat()
        if is_stopped is False or now is None or now.claim != beat.claim or holder not in self._holders:
            return
        try:
            loop.call_soon_threadsafe(holder.claim_lost if is_stopped is None else holder.stop_requested)
        except RuntimeError:  # the loop is closed, so the turn has ended
            return


leases = Leases()
