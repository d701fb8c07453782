"""A gym's system over real HTTP: memberships that can be paused, and classes that fill up. It has few rules itself and
stands for a domain unknown to the product. Run it alone to define actions on it by hand: `.venv/bin/python -m
tests.gym.service 8200`.
"""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote, urlsplit

TOKEN: Final = "gym-token"


def _people() -> dict[str, Any]:
    return {
        "cus_1001": {
            "id": "cus_1001", "name": "Mara Lindner",
            "membership": {"id": "M-1", "plan": "flex", "status": "active", "fee": "39.90", "currency": "EUR",
                           "paused_until": None, "pauses_this_year": 0},
        },
        "cus_1002": {
            "id": "cus_1002", "name": "Jonas Weber",
            "membership": {"id": "M-2", "plan": "basic", "status": "active", "fee": "19.90", "currency": "EUR",
                           "paused_until": None, "pauses_this_year": 2},
        },
    }  # fmt: skip


def _classes() -> dict[str, Any]:
    return {
        "C-1": {"id": "C-1", "name": "Spinning", "starts": "2031-06-02T18:00:00+02:00", "places": 2, "booked": 1},
        "C-2": {"id": "C-2", "name": "Yoga", "starts": "2031-06-03T19:00:00+02:00", "places": 1, "booked": 1},
    }


@dataclass
class Gym:
    people: dict[str, Any] = field(default_factory=_people)
    classes: dict[str, Any] = field(default_factory=_classes)
    bookings: dict[str, Any] = field(default_factory=dict)
    credits: list[tuple[str, str]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    base_url: str = ""
    _answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def answer(self, method: str, path: str, key: str, body: dict[str, Any]) -> tuple[int, Any]:
        with self._lock:
            if method == "GET":
                return self._read(path.strip("/").split("/"))
            if key not in self._answers:
                self.commands.append(f"{method} {path}")
                self._answers[key] = self._do(method, path.strip("/").split("/"), body)
            return self._answers[key]

    def _read(self, path: list[str]) -> tuple[int, Any]:
        match path:
            case ["health"]:
                return 200, {"ok": True}
            case ["members", who] if who in self.people:
                return 200, self.people[who]
            case ["members", who, "bookings"] if who in self.people:
                return 200, {"bookings": [one for one in self.bookings.values() if one["member"] == who]}
            case ["classes", key] if key in self.classes:
                return 200, self.classes[key]
            case ["bookings", key] if key in self.bookings:
                return 200, self.bookings[key]
            case ["operations", key] if key in self._answers:
                status, told = self._answers[key]
                return 200, {"state": "done" if status < 300 else "refused", **told}
        return 404, {"error": "not found"}

    def _do(self, method: str, path: list[str], body: dict[str, Any]) -> tuple[int, Any]:
        match method, path:
            case "POST", ["memberships", key, "pause"]:
                return self._pause(key, body["until"])
            case "POST", ["memberships", key, "resume"]:
                return self._pause(key, None)
            case "POST", ["classes", key, "bookings"]:
                return self._book(key, body["member"])
            case "DELETE", ["bookings", key] if key in self.bookings:
                gone = self.bookings.pop(key)
                self.classes[gone["class"]]["booked"] -= 1
                return 200, {"booking": key}
            case "POST", ["members", who, "credits"] if who in self.people:
                self.credits.append((who, body["amount"]))
                return 201, {"credit": f"K-{len(self.credits)}"}
        return 404, {"error": "not found"}

    def _pause(self, key: str, until: str | None) -> tuple[int, Any]:
        for person in self.people.values():
            if person["membership"]["id"] == key:
                changes = {"status": "paused" if until else "active", "paused_until": until}
                person["membership"] |= changes
                person["membership"]["pauses_this_year"] += 1 if until else -1
                return 200, {"membership": key}
        return 404, {"error": "not found"}

    def _book(self, key: str, member: str) -> tuple[int, Any]:
        found = self.classes[key]
        if found["booked"] >= found["places"]:
            return 422, {"error": "This class is full."}
        found["booked"] += 1
        booking = f"B-{len(self.bookings) + 1}"
        self.bookings[booking] = {"id": booking, "member": member, "class": key}
        return 201, {"booking": booking}


class _Handler(BaseHTTPRequestHandler):
    gym: Gym
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._send(401, {"error": "unauthorized"})
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        path = unquote(urlsplit(self.path).path)
        return self._send(*self.gym.answer(self.command, path, self.headers.get("Idempotency-Key", ""), body))

    do_POST = do_DELETE = do_GET

    def _send(self, status: int, told: Any) -> None:
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


def _server(gym: Gym, port: int) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"gym": gym}))
    server.daemon_threads = True
    gym.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    return server


@contextmanager
def running_gym() -> Iterator[Gym]:
    gym = Gym()
    server = _server(gym, 0)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield gym
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    _server(Gym(), int(sys.argv[1])).serve_forever()
