"""Serves the probes of a process that has no pages: a worker or beat."""

import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.conf import settings
from django.db import connections

from supportbot.health.probe_responses import BEAT, TEXT, WORKER, Answer, ProbeRequest, Role, answer

logger = logging.getLogger(__name__)

LAST_PORT = 65535
SECONDS_TO_ASK = 5.0  # a silent connection is closed after this time


class ProbeServer:
    """Answers in its own threads, so it responds even if the main loop is stuck."""

    def __init__(self, role: Role, *, host: str, port: int) -> None:
        self.role, self.host, self.port = role, host, port
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Start listening. If the port is in use, this is logged, and the process works without probes."""
        try:
            self._server = _Server((self.host, self.port), _handler(self.role, self.host))
        except (OSError, OverflowError) as error:
            logger.warning("no probes and no metrics: %s:%s cannot be used (%s)", self.host, self.port, error)
            return
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="probes", daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def start_probes(name: str) -> None:
    """Serve the probes of this process, which is called `worker` or `beat`, if a port is set for it."""
    role, port = {"worker": (WORKER, settings.WORKER_PROBE_PORT), "beat": (BEAT, settings.BEAT_PROBE_PORT)}[name]
    if port > LAST_PORT:  # the default is derived from PORT
        logger.warning(
            "no probes and no metrics: %s_PROBE_PORT would be %s. Set it to a port from 1 to %s, or to 0 for no probes",
            name.upper(), port, LAST_PORT,
        )  # fmt: skip
    elif port:
        ProbeServer(role, host=settings.PROBE_HOST, port=port).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True


def _handler(role: Role, host: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = SECONDS_TO_ASK

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = ProbeRequest(self.path.partition("?")[0], self.client_address[0], host, headers)
            try:
                found = answer(request, role) or Answer(404, b"There is nothing here.\n", TEXT)
            finally:
                connections.close_all()  # this thread is about to end
            self.send_response(found.status)
            self.send_header("Content-Type", found.content_type)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *line: Any) -> None:
            """Log nothing, because there are probes every few seconds."""

        def version_string(self) -> str:
            return "supportbot"

    return Handler
