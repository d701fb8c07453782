"""A shop over real HTTP on the loopback interface: it has the retail records and no rules, and injects faults.

A fault affects the answer to one command. It also says whether the command is carried out first, since nobody can see
that from outside.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from actions.definitions.evaluation_context import BackEndCall
from supportbot.evals.retail.shop import RetailShop

# The answer in place of the shop's own, and whether the command is carried out before it.
FAULTS: Final[dict[str, tuple[str, bool]]] = {
    "reply dropped": ("close", True),
    "dropped before the work": ("close", False),
    "500 before the work": ("500", False),
    "500 after the work": ("500", True),
    "502 of a gateway": ("502", True),
    "202 and nothing more": ("202", True),
    "409": ("409", True),
    "not JSON": ("text", True),
    "HTML": ("html", True),
    "a list": ("list", True),
    "a huge body": ("huge", True),
    "a redirect to the metadata service": ("redirect", True),
    "silence after the work": ("silence", True),
    "silence before the work": ("silence", False),
    "slow answer": ("slow", True),
    "429": ("429", False),
    "a number of 100,000 digits": ("digits", True),
}


@dataclass
class LoopbackShop:
    """With `knows_keys`, a repeated key gets its first answer, and `GET /operations/{key}` returns an outcome."""

    records: RetailShop
    knows_keys: bool = True
    faults: list[str] = field(default_factory=list)  # each command uses up one
    refuses: str = ""  # the message with which commands are refused
    is_up: bool = True  # for look-ups
    can_be_asked: bool = True  # for an outcome
    says: tuple[int, Any] | None = None  # the answer to each question about a key that it knows, instead of its own
    performed: list[tuple[str, str]] = field(default_factory=list)  # key and path of each command that was carried out
    commands: list[tuple[str, str]] = field(default_factory=list)  # key and body of each command that arrived
    asked: list[str] = field(default_factory=list)
    base_url: str = ""
    _answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[str, int, Any]:
        """Return how to answer, and the status and body of the shop's own answer."""
        url = urlsplit(target)
        self.asked.append(f"{method} {unquote(url.path)}")
        if method == "GET":
            return self._read(url.path, url.query)
        key = headers.get("idempotency-key", "")
        with self._lock:
            self.commands.append((key, body.decode()))
            way, works_first = FAULTS[fault] if (fault := self.faults.pop(0) if self.faults else "") else ("", True)
            status, told = self._command(key, method, url.path, body) if works_first else (0, None)
        return way, status, told

    def _read(self, path: str, query: str) -> tuple[str, int, Any]:
        if not (self.can_be_asked if path.startswith("/operations/") else self.is_up):
            return "503", 503, {}
        if path.startswith("/operations/"):
            known = self._answers.get(path.rpartition("/")[2]) if self.knows_keys else None
            if known is None:
                return "", 404, {}
            status, told = known
            if self.says is not None:
                return "", *self.says
            return "", 200, {"state": "done" if status < 300 else "refused", **told}
        found = self.records.ask(BackEndCall("GET", path, query))
        return "", found.status, found.body

    def _command(self, key: str, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if self.knows_keys and key in self._answers:
            return self._answers[key]
        if self.refuses:
            result: tuple[int, Any] = (422, {"error": self.refuses})
        else:
            self.records.ask(BackEndCall(method, path, body=body.decode()))
            self.performed.append((key, unquote(path)))
            result = (201, {"reference": f"r-{len(self.performed)}"})
        self._answers[key] = result
        return result


class _Handler(BaseHTTPRequestHandler):
    shop: LoopbackShop
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_GET

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        way, status, told = self.shop.answer(self.command, self.path, headers, body)
        self.close_connection = True
        match way:
            case "":
                self._send(status, json.dumps(told, default=_number).encode())
            case "close":
                return
            case "silence":
                time.sleep(3)
            case "slow":
                time.sleep(0.8)
                self._send(status, json.dumps(told, default=_number).encode())
            case "text":
                self._send(200, b"done!", "text/plain")
            case "html":
                self._send(200, b"<h1>Thank you</h1>", "text/html")
            case "list":
                self._send(200, b"[1, 2]")
            case "huge":
                self._send(200, b'{"a": "' + b"x" * 3_000_000 + b'"}')
            case "digits":
                self._send(200, b'{"a": ' + b"1" * 100_000 + b"}")
            case "redirect":
                self._send(307, b"{}", location="http://169.254.169.254/latest")
            case code:
                self._send(int(code), b'{"error": "no"}')

    def _send(self, status: int, body: bytes, kind: str = "application/json", location: str = "") -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # the platform hung up
            return

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


def _number(value: Any) -> float:
    assert isinstance(value, Decimal)
    return float(value)


@contextmanager
def loopback_shop(records: dict[str, Any]) -> Iterator[LoopbackShop]:
    shop = LoopbackShop(RetailShop(records))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"shop": shop}))
    server.daemon_threads = True
    shop.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    serving.start()
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
