#!/usr/bin/env python3
"""Test the REST API of a running demo against its schema: as an admin with every scope, then as a signed-in customer.

    .venv/bin/python -m scripts.play_schema [options of `st run`]

Needs the development packages, and an instance that `make run` has started. Hundreds of channels and articles remain in
the instance, and the customer's chats are erased. The exit code is 0 only if neither run found an error.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

from supportbot.accounts.principals import ROLE_SCOPES

ROOT: Final = Path(__file__).parent.parent
PROGRAMS: Final = Path(sys.executable).parent
PACE: Final = "9/s"  # the limit is 600 requests a minute


def main() -> int:
    data = Path(os.environ.get("DATA_DIR") or ROOT / ".data")
    demo = json.loads((data / "demo.json").read_text(encoding="utf-8"))
    key = manage("apikey_create", "play_schema", "--user", "admin", *scopes())["api_key"]
    try:
        prepare(demo, key)
        return max(play(demo, "an admin", key), play(demo, "a customer", token_of_customer(demo)))
    finally:
        manage("apikey_revoke", "_".join(key.split("_")[:2]))


def scopes() -> list[str]:
    return [word for scope in sorted(ROLE_SCOPES["admin"]) for word in ("--scope", scope)]


def token_of_customer(demo: dict[str, Any]) -> str:
    """Return a customer token, signed as by the shop and valid for an hour."""
    token: str = post(f"{demo['urls']['shop']}/api/token", {"customer": demo["customers"][0]["id"]})["token"]
    return token


def prepare(demo: dict[str, Any], key: str) -> None:
    """Give the customer a conversation, a claimed ticket and a waiting card."""
    who, base, token = demo["customers"][0]["id"], f"{demo['urls']['base']}/api/v1", token_of_customer(demo)
    conversation = post(f"{base}/conversations", {}, token)["id"]
    said = {"client_id": "play-1", "text": "How long can I send unused things back?"}
    post(f"{base}/conversations/{conversation}/messages", said, token)
    ticket = post(f"{base}/tickets", {"conversation": conversation}, token)["id"]
    post(f"{base}/tickets/{ticket}/claim", {}, key)
    with urlopen(f"{demo['urls']['shop']}/api/orders?customer={who}") as answer:
        order = next(order["id"] for order in json.load(answer)["orders"] if order["status"] == "delivered")
    manage(
        "action_propose", "refund_order", "--customer", who, "--args", json.dumps({"order_id": order, "reason": "-"})
    )


def play(demo: dict[str, Any], who: str, credential: str) -> int:
    print(f"\nAs {who}:", flush=True)  # noqa: T201  # a program for a terminal
    schema, header = f"{demo['urls']['base']}/api/v1/schema/", f"Authorization: Bearer {credential}"
    command = [PROGRAMS / "st", "run", schema, "-H", header, "--rate-limit", PACE, *sys.argv[1:]]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def post(url: str, body: dict[str, Any], credential: str = "") -> Any:
    head = {"Content-Type": "application/json"}
    if credential:
        head["Authorization"] = f"Bearer {credential}"
    with urlopen(Request(url, data=json.dumps(body).encode(), headers=head)) as answer:
        return json.load(answer)


def manage(*words: str) -> Any:
    command = [sys.executable, "manage.py", words[0], "--json", *words[1:]]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


if __name__ == "__main__":
    sys.exit(main())
