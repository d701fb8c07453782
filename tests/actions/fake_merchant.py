"""A fake merchant over real HTTP with injected faults: it answers some calls as a broken or hostile merchant would.

A fault affects the answer. Whether the work is done first is set separately, since nobody can see that from outside.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from tests.actions.raw_server import closed, read_request, reply

SECRET = "whsec_dGhlIHNlY3JldCBvZiBhIG1vb2R5IG1lcmNoYW50"
ADDRESS = dict.fromkeys(("name", "line1", "line2", "postal_code", "city", "country"), "x")


@dataclass(frozen=True)
class Fault:
    """The answer to the next call of a kind (orders, operations, refunds), and whether a refund is executed first."""

    kind: str
    answer: bytes
    executes_first: bool = False
    hangs: bool = False  # keeps the connection open without an answer


@dataclass
class FakeMerchant:
    """A fake merchant: each call uses up one of the `faults` of its kind, while those in `always` stay."""

    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    faults: list[Fault] = field(default_factory=list)
    always: dict[str, Fault] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    cut_off: Callable[[], None] = lambda: None  # ends the current call, as the caller's deadline would
    stopping: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def recover(self) -> None:
        self.faults.clear()
        self.always.clear()

    def serve(self) -> None:
        while not self.stopping.is_set():
            try:
                caller, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._accept, args=[caller], daemon=True).start()

    def _accept(self, caller: socket.socket) -> None:
        with caller:
            try:
                asked = read_request(caller)
                if asked.strip():  # otherwise, it hung up before sending anything
                    self._answer(caller, asked)
            except OSError:  # the platform hung up
                return

    def _answer(self, caller: socket.socket, raw: bytes) -> None:
        head, _, body = raw.partition(b"\r\n\r\n")
        method, path = head.decode().split(" ")[:2]
        kind, name = path.strip("/").split("/")[0], path.rpartition("/")[2]
        self.received.append(f"{method} {kind}")
        if not _is_signed(head.decode(), body):
            caller.sendall(reply("401 Unauthorized", b'{"code": "bad_signature", "message": "Who are you?"}'))
            return
        fault = self._next_fault(kind)
        if fault is None or fault.executes_first:
            normal = self._respond(kind, name, body)
        if fault is None:
            caller.sendall(normal)
        elif fault.hangs:
            self.cut_off()
        else:
            caller.sendall(fault.answer)

    def _next_fault(self, kind: str) -> Fault | None:
        with self.lock:
            found = next((fault for fault in self.faults if fault.kind == kind), None)
            if found is not None:
                self.faults.remove(found)
            return found or self.always.get(kind)

    def _respond(self, kind: str, name: str, body: bytes) -> bytes:
        with self.lock:
            if kind == "refunds":
                wanted = json.loads(body)
                done = self.refunds.setdefault(
                    wanted["key"], {"refund": f"RF-{len(self.refunds) + 1}", "asked": wanted}
                )
                assert done["asked"] == wanted
                return reply("200 OK", json.dumps(done).encode())
            if kind == "operations":
                known = self.refunds.get(name)
                body = {"state": "done", "status": 200, "result": known}
                return reply("200 OK", json.dumps(body).encode()) if known else reply("404 Not Found", b"{}")
            return reply("200 OK", json.dumps(self._order(name)).encode())

    def _order(self, name: str) -> dict[str, Any]:
        paid_back = "20.00" if self.refunds else "0.00"
        line = {"sku": "S", "name": "Socks", "quantity": 1, "price": "20.00", "refunded": paid_back}
        return {
            "id": name, "customer": "cus_alice", "status": "delivered", "currency": "EUR", "total": "20.00",
            "refunded": paid_back, "placed_at": "2026-01-01T00:00:00Z", "delivered_at": "2099-01-01T00:00:00Z",
            "items": [line], "address": ADDRESS, "payment": "card",
        }  # fmt: skip


def _is_signed(head: str, body: bytes) -> bool:
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.splitlines())}
    try:
        Webhook(SECRET).verify(body, headers, json_parse=False)
    except WebhookVerificationError:
        return False
    return True


@contextmanager
def fake_merchant() -> Iterator[FakeMerchant]:
    merchant = FakeMerchant()
    serving = threading.Thread(target=merchant.serve, daemon=True)
    serving.start()
    try:
        yield merchant
    finally:
        merchant.stopping.set()
        closed(merchant.listener, serving)
