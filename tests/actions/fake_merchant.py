"""A merchant over real HTTP that keeps books and has moods: for some calls it answers as a broken or hostile one would.

Moods concern the answer; whether the work is done first is told apart, as in life nobody can see it from outside.
"""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from tests.actions.raw_server import closed, read_request, reply

SECRET = "whsec_dGhlIHNlY3JldCBvZiBhIG1vb2R5IG1lcmNoYW50"
ADDRESS = dict.fromkeys(("name", "line1", "line2", "postal_code", "city", "country"), "x")


@dataclass(frozen=True)
class Mood:
    """What the next calls of a kind (orders, operations, refunds) get, and whether a refund is carried out first."""

    kind: str
    answer: bytes
    does_the_work: bool = False
    is_silent: bool = False  # holds the connection open without a word


@dataclass
class MoodyMerchant:
    """`moods` are used up one per call of their kind; `always` ones stay."""

    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    moods: list[Mood] = field(default_factory=list)
    always: dict[str, Mood] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def come_to_its_senses(self) -> None:
        self.moods.clear()
        self.always.clear()

    def serve(self) -> None:
        while not self.stopping.is_set():
            try:
                caller, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._meet, args=[caller], daemon=True).start()

    def _meet(self, caller: socket.socket) -> None:
        with caller:
            try:
                asked = read_request(caller)
                if asked.strip():  # else it hung up before a word
                    self._answer(caller, asked)
            except OSError:  # the platform has had enough
                return

    def _answer(self, caller: socket.socket, raw: bytes) -> None:
        head, _, body = raw.partition(b"\r\n\r\n")
        method, path = head.decode().split(" ")[:2]
        kind, name = path.strip("/").split("/")[0], path.rpartition("/")[2]
        self.heard.append(f"{method} {kind}")
        if not _is_signed(head.decode(), body):
            caller.sendall(reply("401 Unauthorized", b'{"code": "bad_signature", "message": "Who are you?"}'))
            return
        mood = self._mood(kind)
        if mood is None or mood.does_the_work:
            sane = self._sane(kind, name, body)
        if mood is None:
            caller.sendall(sane)
        elif mood.is_silent:
            self.stopping.wait(30)
        else:
            caller.sendall(mood.answer)

    def _mood(self, kind: str) -> Mood | None:
        with self.lock:
            found = next((mood for mood in self.moods if mood.kind == kind), None)
            if found is not None:
                self.moods.remove(found)
            return found or self.always.get(kind)

    def _sane(self, kind: str, name: str, body: bytes) -> bytes:
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
                told = {"state": "done", "status": 200, "result": known}
                return reply("200 OK", json.dumps(told).encode()) if known else reply("404 Not Found", b"{}")
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
def moody() -> Iterator[MoodyMerchant]:
    merchant = MoodyMerchant()
    serving = threading.Thread(target=merchant.serve, daemon=True)
    serving.start()
    try:
        yield merchant
    finally:
        merchant.stopping.set()
        closed(merchant.listener, serving)
