"""An API over real HTTP on loopback: it records the requests it gets, and answers as a test says."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.actions.raw_server import closed, read_request, reply


@dataclass(frozen=True)
class RecordedRequest:
    method: str
    path: str
    headers: dict[str, str]  # by lower-case name
    body: bytes


def json_reply(value: Any, status: str = "200 OK") -> bytes:
    return reply(status, json.dumps(value).encode())


@dataclass
class FakeApi:
    answer: Callable[[RecordedRequest], bytes] = lambda asked: json_reply({"ok": True})
    asked: list[RecordedRequest] = field(default_factory=list)
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                caller, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._accept, args=[caller], daemon=True).start()

    def _accept(self, caller: socket.socket) -> None:
        with caller:
            try:
                raw = read_request(caller)
                if raw.strip():
                    self.asked.append(_parsed(raw))
                    caller.sendall(self.answer(self.asked[-1]))
            except OSError:  # the caller hung up
                return


def _parsed(raw: bytes) -> RecordedRequest:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(": ") for line in lines)
    return RecordedRequest(method, path, {name.lower(): value for name, _, value in pairs}, body)


@contextmanager
def fake_api() -> Iterator[FakeApi]:
    api = FakeApi()
    serving = threading.Thread(target=api.serve, daemon=True)
    serving.start()
    try:
        yield api
    finally:
        closed(api.listener, serving)
