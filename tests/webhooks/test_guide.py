"""docs/webhooks.md shows how to verify a delivery and what a body looks like; both must be correct."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from supportbot.accounts.models import Customer
from supportbot.chat.services import start_conversation
from supportbot.webhooks import services
from supportbot.webhooks.event_types import KINDS, TEST
from supportbot.webhooks.models import WebhookEndpoint
from tests.actions.connections.fake_api import RecordedRequest
from tests.patience import PATIENCE_SECONDS
from tests.webhooks.conftest import BODIES, Receiver, send_all

GUIDE = (settings.BASE_DIR / "docs/webhooks.md").read_text()


def block(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return str(found)


@pytest.fixture
def delivery(endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer) -> RecordedRequest:
    """A delivery signed with two secrets, of which the receiver knows the older one."""
    services.rotate(endpoint.pk, actor="test")
    start_conversation(alice.pk)
    send_all()
    return inbox.api.asked[0]


def forgeries(genuine: RecordedRequest) -> list[tuple[dict[str, str], bytes]]:
    headers, body = genuine.headers, genuine.body
    return [
        (headers, body + b" "),
        ({**headers, "webhook-id": "msg_other"}, body),
        ({**headers, "webhook-timestamp": "1700000000"}, body),
        ({**headers, "webhook-timestamp": "now"}, body),
        ({**headers, "webhook-signature": "v1,bm9uc2Vuc2U="}, body),
        ({}, body),
    ]


def test_the_example_body_follows_the_schema() -> None:
    BODIES.validate(json.loads(block("json")))


def test_the_guide_names_every_kind() -> None:
    for kind in (*KINDS, TEST):
        package, _, name = kind.partition(".")
        assert f"`{kind}`" in GUIDE or re.search(rf"`{package}\.\w+`[^|]*`\.{name}`", GUIDE), kind


@pytest.mark.django_db
def test_the_python_example_verifies_deliveries(delivery: RecordedRequest, inbox: Receiver) -> None:
    names: dict[str, Any] = {}
    exec(compile(block("python"), "docs/webhooks.md", "exec"), names)
    assert names["is_genuine"](inbox.secret, delivery.headers, delivery.body)
    assert not names["is_genuine"](services.new_secret(), delivery.headers, delivery.body)
    for headers, body in forgeries(delivery):
        assert not names["is_genuine"](inbox.secret, headers, body)


@pytest.mark.django_db
@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_javascript_example_verifies_deliveries(delivery: RecordedRequest, inbox: Receiver, tmp_path: Path) -> None:
    (tmp_path / "verify.mjs").write_text(block("javascript"))
    (tmp_path / "run.mjs").write_text(
        'import { isGenuine } from "./verify.mjs"; import { readFileSync } from "node:fs";\n'
        'const cases = JSON.parse(readFileSync("cases.json"));\n'
        "const told = cases.map(([key, headers, body]) => isGenuine(key, headers, Buffer.from(body)));\n"
        "console.log(JSON.stringify(told));\n"
    )
    cases = [
        (inbox.secret, delivery.headers, delivery.body.decode()),
        (services.new_secret(), delivery.headers, delivery.body.decode()),
        *((inbox.secret, headers, body.decode()) for headers, body in forgeries(delivery)),
    ]
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    ran = subprocess.run(
        ["node", "run.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
    )
    assert json.loads(ran.stdout) == [True, *[False] * 7]
