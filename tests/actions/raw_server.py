"""A raw web server on loopback that sends given bytes, as a broken or hostile merchant might."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.patience import PATIENCE_SECONDS


class RawServer:
    """A server that answers every connection with the same bytes, with `pause` seconds between two bytes.

    With `listens=False`, it answers at once, without reading the request.
    """

    def __init__(self, answer: bytes, *, pause: float = 0.0, listens: bool = True) -> None:
        self.answer, self.pause, self.listens = answer, pause, listens
        self.tls: ssl.SSLContext | None = None
        self.received: list[bytes] = []
        self.stopping = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while not self.stopping.is_set():
            try:
                caller, _ = self.listener.accept()
            except OSError:
                return
            with caller:
                self._accept(caller)

    def _accept(self, caller: socket.socket) -> None:
        try:
            with self.tls.wrap_socket(caller, server_side=True) if self.tls else caller as accepted:
                self._answer(accepted)
        except OSError:  # the client does not trust this server
            return

    def _answer(self, caller: socket.socket) -> None:
        try:
            if self.listens:
                self.received.append(read_request(caller))
            if not self.pause:
                caller.sendall(self.answer)
                return
            for byte in self.answer:
                caller.sendall(bytes([byte]))
                if self.stopping.wait(self.pause):
                    return
        except OSError:  # the client hung up
            return


def read_request(caller: socket.socket) -> bytes:
    """Return the whole request: with unread bytes, closing the connection would reset it and lose the answer."""
    received = b""
    while b"\r\n\r\n" not in received and (more := caller.recv(65_536)):
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    [length] = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")] or [0]
    while len(body) < length and (more := caller.recv(65_536)):
        body += more
    return head + b"\r\n\r\n" + body


@contextmanager
def raw_server(answer: bytes, *, pause: float = 0.0, listens: bool = True) -> Iterator[RawServer]:
    server = RawServer(answer, pause=pause, listens=listens)
    server.thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        closed(server.listener, server.thread)


def closed(listener: socket.socket, serving: threading.Thread) -> None:
    """Close a listener after its thread has ended, so that it cannot accept a caller of the next one on this port."""
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)  # wakes a waiting accept()
    serving.join(PATIENCE_SECONDS)
    listener.close()


def reply(status: str, body: bytes, *, kind: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body
