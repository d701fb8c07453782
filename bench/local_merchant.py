"""A merchant in memory that answers at once: every order can be refunded, once per idempotency key.

    python -m bench.local_merchant --port N

It checks no signatures and keeps no records, since the product is measured and not the shop.
"""

import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

_decided: dict[str, dict[str, Any]] = {}
_lock = threading.Lock()
ADDRESS: Final = dict.fromkeys(("name", "line1", "line2", "postal_code", "city", "country"), "x")


class Merchant(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind, _, name = self.path.strip("/").rpartition("/")
        if kind == "operations":
            known = _decided.get(name)
            self._answer(200 if known else 404, {"state": "done", "status": 200, "result": known} if known else {})
        else:
            self._answer(200, order(name))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with _lock:
            done = _decided.setdefault(body["key"], {"refund": f"RF-{len(_decided)}", "payment": "card"})
        self._answer(200, done)

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: one line per call would take most of the time."""


def order(name: str) -> dict[str, Any]:
    """Return an order of the customer `bench`, delivered a moment ago."""
    line = {"sku": "S", "name": "Socks", "quantity": 1, "price": "20.00", "refunded": "0.00"}
    return {
        "id": name, "customer": "bench", "status": "delivered", "currency": "EUR", "total": "20.00", "refunded": "0.00",
        "placed_at": "2026-01-01T00:00:00Z", "delivered_at": "2099-01-01T00:00:00Z", "items": [line],
        "address": ADDRESS, "payment": "card",
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Merchant).serve_forever()


if __name__ == "__main__":
    main()
