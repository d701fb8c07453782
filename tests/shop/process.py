"""The real shop in a separate process, and its two callers: a local script and the platform."""

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from tests.patience import PATIENCE_SECONDS

MANAGE = Path(__file__).parents[2] / "examples" / "shop" / "manage.py"
PLATFORM_URL = "http://127.0.0.1:1"  # nothing answers at this address
CHANNEL_KEY = "pk_test_channel"
IDENTITY_SECRET = "identity-secret-of-at-least-32-bytes"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"the webhook secret of the tests!").decode()

# JSON has no static type in the tests, which check its content.
Json = Any


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Json:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """Return the error's code, after checking the shape that every error has."""
        assert self.json.keys() == {"code", "message", "fields"}, self.text
        return str(self.json["code"])


@dataclass
class ShopProcess:
    data_dir: Path
    port: int
    process: subprocess.Popen[str] | None = field(default=None, repr=False)
    is_as_seeded: bool = False  # true if it has only been read from since it was seeded

    def start(self) -> None:
        """Start it and return once it answers."""
        self.process = start_manage("serve", self.variables())
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert f":{self.port}/" in line, line + self.process.communicate()[1]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it and return its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        self.process.communicate(timeout=PATIENCE_SECONDS)
        code, self.process = self.process.returncode, None
        return code

    def variables(self) -> dict[str, str]:
        return {
            "SHOP_PORT": str(self.port),
            "SHOP_DATA_DIR": str(self.data_dir),
            "SHOP_PLATFORM_URL": PLATFORM_URL,
            "SHOP_CHANNEL_KEY": CHANNEL_KEY,
            "SHOP_IDENTITY_SECRET": IDENTITY_SECRET,
            "SHOP_WEBHOOK_SECRET": WEBHOOK_SECRET,
        }

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send exactly this; raises http.client.RemoteDisconnected when the shop hangs up."""
        self.is_as_seeded &= method == "GET"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, named, response.read().decode())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path: str, body: Json) -> Answer:
        return self.request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def signed_get(self, path: str) -> Answer:
        return self.request("GET", path, headers=sign(b""))

    def signed_post(self, path: str, body: Json) -> Answer:
        raw = json.dumps(body).encode()
        return self.request("POST", path, raw, {"Content-Type": "application/json", **sign(raw)})

    def until_waiting(self, calls: int) -> None:
        """Return once this many calls are being delayed in the shop."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.get("/api/faults").json["waiting"] != calls:
            assert time.monotonic() < deadline, "the call never arrived"

    def order(self, order_id: str) -> Json:
        return self.signed_get(f"/merchant/v1/orders/{order_id}").json

    def ledger(self) -> Json:
        return self.get("/api/ledger").json


def sign(body: bytes, *, secret: str = WEBHOOK_SECRET, at: datetime | None = None) -> dict[str, str]:
    """Return the three headers of Standard Webhooks."""
    moment = at or datetime.now(tz=UTC)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", moment, body.decode()),
    }


def start_manage(command: str, variables: dict[str, str]) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHOP_")}
    # As under a supervisor that itself is a Django project.
    inherited["DJANGO_SETTINGS_MODULE"] = "supportbot.settings"
    return subprocess.Popen(
        [sys.executable, str(MANAGE), command],
        env={**inherited, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
