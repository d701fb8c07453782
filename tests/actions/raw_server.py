"""A web server on loopback that answers as a broken or hostile merchant would, byte by byte."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Misbehaving:
    """Answers every connection with the same bytes; `pause` seconds lie between two of them where it dribbles.

    One that does not listen begins at once: no request is read.
    """

    def __init__(self, answer: bytes, *, pause: float = 0.0, listens: bool = True) -> None:
        self.answer, self.pause, self.listens = answer, pause, listens
        self.tls: ssl.SSLContext | None = None
        self.heard: list[bytes] = []
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
                self._meet(caller)

    def _meet(self, caller: socket.socket) -> None:
        try:
            with self.tls.wrap_socket(caller, server_side=True) if self.tls else caller as spoken:
                self._answer(spoken)
        except OSError:  # the client does not trust this server
            return

    def _answer(self, caller: socket.socket) -> None:
        try:
            if self.listens:
                self.heard.append(read_request(caller))
            if not self.pause:
                caller.sendall(self.answer)
                return
            for byte in self.answer:
                caller.sendall(bytes([byte]))
                if self.stopping.wait(self.pause):
                    return
        except OSError:  # the client has had enough
            return


def read_request(caller: socket.socket) -> bytes:
    """Return the whole request: a connection closed over unread bytes is reset, and takes the answer with it."""
    heard = b""
    while b"\r\n\r\n" not in heard and (more := caller.recv(65_536)):
        heard += more
    head, _, body = heard.partition(b"\r\n\r\n")
    [length] = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")] or [0]
    while len(body) < length and (more := caller.recv(65_536)):
        body += more
    return head + b"\r\n\r\n" + body


@contextmanager
def misbehaving(answer: bytes, *, pause: float = 0.0, listens: bool = True) -> Iterator[Misbehaving]:
    server = Misbehaving(answer, pause=pause, listens=listens)
    server.thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        closed(server.listener, server.thread)


def closed(listener: socket.socket, serving: threading.Thread) -> None:
    """Close a listener once nobody accepts from it: the next may get its number, and its caller was met here."""
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)  # wakes who waits for a caller
    serving.join(5)
    listener.close()


def reply(status: str, body: bytes, *, kind: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body
