"""An endpoint on loopback that verifies each delivery with the reference library, and functions that let time pass."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.utils.timezone import now, timedelta
from jsonschema import Draft202012Validator
from standardwebhooks import Webhook

import supportbot.webhooks
from supportbot.accounts.models import Customer, Workspace
from supportbot.chat.services import start_conversation
from supportbot.outbound.ip_addresses import LOOPBACK
from supportbot.outbox.delivery import deliver_due
from supportbot.webhooks import services
from supportbot.webhooks.event_types import KINDS
from supportbot.webhooks.models import WebhookDelivery, WebhookEndpoint
from supportbot.webhooks.sending import endpoints_to_serve, serve
from tests.actions.connections.fake_api import FakeApi, RecordedRequest, fake_api
from tests.actions.raw_server import reply

SCHEMA = json.loads((Path(supportbot.webhooks.__path__[0]) / "schemas" / "events.json").read_text())
BODIES = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


@dataclass
class Received:
    """An accepted delivery: its id and its verified body."""

    message_id: str
    body: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.body["type"])


@dataclass
class Receiver:
    """A server that knows one secret and refuses unverifiable deliveries with 401; `statuses` are its next answers."""

    api: FakeApi
    secret: str = ""
    received: list[Received] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)  # the ids of all deliveries, refused or not
    statuses: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.api.url}/hooks?of=supportbot"

    def answer(self, asked: RecordedRequest) -> bytes:
        self.seen.append(asked.headers["webhook-id"])
        try:
            body = Webhook(self.secret).verify(asked.body, asked.headers)
        except Exception:  # noqa: BLE001  # whatever the library raises, this is a 401
            return reply("401 Unauthorized", b"who are you?")
        status = self.statuses.pop(0) if self.statuses else "200 OK"
        if status.startswith("2"):
            BODIES.validate(body)
            self.received.append(Received(asked.headers["webhook-id"], body))
        return reply(status, b"thanks")

    @property
    def kinds(self) -> list[str]:
        return [one.kind for one in self.received]


@contextmanager
def receiver() -> Iterator[Receiver]:
    with fake_api() as api:
        made = Receiver(api)
        api.answer = made.answer
        yield made


@pytest.fixture
def inbox(settings: Any) -> Iterator[Receiver]:
    settings.PRIVATE_NETWORKS = LOOPBACK
    with receiver() as made:
        yield made


@pytest.fixture
def endpoint(workspace: Workspace, inbox: Receiver) -> WebhookEndpoint:
    """An endpoint for every kind."""
    new = services.create("books", inbox.url, KINDS, actor="test")
    inbox.secret = new.secret
    return new.endpoint


def happen(customer: Customer, count: int = 1) -> None:
    """Start conversations, each of which is announced."""
    for _ in range(count):
        start_conversation(customer.pk)


def send_all() -> int:
    """Deliver every announcement, then serve every endpoint until nothing is due; return the number of attempts."""
    while deliver_due():
        pass
    attempts = 0
    while due := endpoints_to_serve():
        attempts += sum(serve(*one) for one in due)
    return attempts


def let_pass(**time: float) -> None:
    """Let time pass for everything that waits."""
    span = timedelta(**time)
    for delivery in WebhookDelivery.objects.filter(state="waiting"):
        WebhookDelivery.objects.filter(pk=delivery.pk).update(due_at=delivery.due_at - span)
    for one in WebhookEndpoint.objects.all():
        failing = one.failing_since - span if one.failing_since else None
        lease = one.lease_until - span if one.lease_until else None
        WebhookEndpoint.objects.filter(pk=one.pk).update(
            due_at=one.due_at - span, failing_since=failing, lease_until=lease
        )


Clock = Callable[..., None]
__all__ = ["let_pass", "now", "send_all"]
