"""Handing index work to Celery without ever waiting for the broker.

A broker that is down makes a publish wait, one that hangs holds it for ever; so one thread per process publishes, from
a short queue that drops what does not fit. Nothing is lost by that: the sweep finds every article that is behind.
"""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Final

from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)
MOST_WAITING: Final = 1_000

_Publish = Callable[[], object]


class Publisher:
    """Publishes in its own thread, which starts with the first message."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[_Publish] = queue.Queue(maxsize=MOST_WAITING)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, publish: _Publish) -> None:
        """Let `publish` be called soon; dropped if too many wait already."""
        self._start()
        try:
            self._waiting.put_nowait(publish)
        except queue.Full:
            logger.info("kb: index nudge dropped, the sweep will find the article")

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="kb-nudge", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            publish = self._waiting.get()
            try:
                publish()
            except (OperationalError, OSError):
                logger.info("kb: the broker does not answer, the sweep will find the article")


publisher: Final = Publisher()
