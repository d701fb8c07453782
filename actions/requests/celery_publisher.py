"""Sending queued requests to Celery without ever waiting for the broker.

A broker that is down or hangs would block its caller, so one thread per process publishes, from a short queue that
drops requests when it is full. Nothing is lost: the sweep publishes every request that is still queued.
"""

import logging
import queue
import threading
from typing import Final
from uuid import UUID

from celery import current_app
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)
RUN_REQUEST: Final = "actions.tasks.run_request"  # by name: the task imports the services, which import this module
QUEUE_SIZE: Final = 1_000
MESSAGE_LIFE_SECONDS: Final = 60


class Publisher:
    """A publisher with its own thread, which starts with the first request."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[UUID, UUID]] = queue.Queue(maxsize=QUEUE_SIZE)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def enqueue(self, workspace_id: UUID, request_id: UUID) -> None:
        """Notify a worker of a queued request soon; returns immediately, whatever the broker does."""
        self._start()
        try:
            self._waiting.put_nowait((workspace_id, request_id))
        except queue.Full:
            logger.info("actions: publisher queue is full, the sweep will publish the request")

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="actions-publisher", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            workspace_id, request_id = self._waiting.get()
            try:
                publish(workspace_id, request_id)
            except (OperationalError, OSError):
                logger.info("actions: the broker is not responding, the sweep will publish the request")


def publish(workspace_id: UUID, request_id: UUID) -> None:
    """Put one message on the queue `actions`; a second delivery has no effect."""
    # A message that no worker takes in time expires: the sweep sends another.
    current_app.send_task(
        RUN_REQUEST,
        args=(str(workspace_id), str(request_id)),
        retry=False,
        ignore_result=True,
        expires=MESSAGE_LIFE_SECONDS,
    )


publisher: Final = Publisher()
