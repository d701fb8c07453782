"""Webhooks over REST: what programs can do with them, and who has no access."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from actions.models import AuditEntry
from supportbot.accounts.channels import create_channel
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.services import start_conversation
from supportbot.ids import uuid7
from supportbot.webhooks import services
from supportbot.webhooks.api import ProbeThrottle
from supportbot.webhooks.event_types import KINDS
from supportbot.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.rest import person, service, signed_in
from tests.webhooks.conftest import Receiver, send_all

pytestmark = pytest.mark.django_db
WEBHOOKS = "/api/v1/webhooks"


@pytest.fixture
def program(workspace: Workspace) -> APIClient:
    return service(workspace, "webhooks:read", "webhooks:write")


def test_a_program_can_do_everything(program: APIClient, inbox: Receiver, alice: Customer) -> None:
    wanted = {"name": "books", "url": inbox.url, "kinds": ["conversation.started"]}
    made = program.post(WEBHOOKS, wanted, format="json")
    assert made.status_code == 201 and made.json()["kinds"] == ["conversation.started"]
    page, inbox.secret = f"{WEBHOOKS}/{made.json()['id']}", made.json()["secret"]
    assert inbox.secret.startswith("whsec_")
    for address in (WEBHOOKS, page):
        assert "secret_changed_at" in program.get(address).content.decode()
        assert inbox.secret not in program.get(address).content.decode()
    assert program.post(f"{page}/test", {}, format="json").json()["status"] == 200
    start_conversation(alice.pk)
    inbox.statuses = ["503 Busy"]
    send_all()
    [waiting] = program.get(f"{page}/deliveries", {"state": "waiting"}).json()["results"]
    assert (waiting["status"], waiting["answer"], waiting["attempts"]) == (503, "thanks", 1)
    again = program.post(f"{page}/deliveries/{waiting['id']}/replay", {}, format="json")
    assert (again.status_code, again.json()["attempts"]) == (200, 0)
    send_all()
    [done] = program.get(f"{page}/deliveries", {"state": "delivered", "kind": "conversation.started"}).json()["results"]
    assert done["message_id"] == inbox.received[-1].message_id and done["payload"] == inbox.received[-1].body
    WebhookDelivery.objects.filter(kind="conversation.started").update(state="parked")
    replayed = program.post(f"{page}/replay", {"since": "2020-01-01T00:00:00Z"}, format="json")
    assert replayed.json() == {"count": 1}
    rotated = program.post(f"{page}/rotate", {"keep_hours": 1}, format="json").json()
    assert rotated["secret"] not in ("", inbox.secret) and rotated["previous_until"]
    changed = program.patch(page, {"is_on": False}, format="json").json()
    assert (changed["is_on"], changed["kinds"]) == (False, ["conversation.started"])
    off = program.post(f"{page}/replay", {"since": "2020-01-01T00:00:00Z"}, format="json")
    assert (off.status_code, off.json()["code"]) == (409, "webhook_off")
    assert program.delete(page).status_code == 204 and program.get(page).status_code == 404
    told = AuditEntry.objects.order_by("seq").values_list("event", "actor")
    steps = ["created", "tested", "replayed", "replayed", "rotated", "changed", "removed"]
    assert [event for event, _ in told] == [f"webhook.{step}" for step in steps]
    assert {actor for _, actor in told} == {"key:service"}


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"url": "https://10.0.0.8/"}, "url"),
        ({"url": "http://shop.example/"}, "url"),
        ({"kinds": []}, "kinds"),
        ({"kinds": ["ticket.exploded"]}, "kinds"),
        ({"kinds": "ticket.opened"}, "kinds"),
        ({"kinds": [None]}, "kinds.0"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"includes_customer": "yes"}, "includes_customer"),
        ({"secret": "whsec_bWluZQ=="}, "secret"),
    ],
)
def test_bad_input_is_named_and_stores_nothing(program: APIClient, sent: dict[str, Any], field: str) -> None:
    wanted = {"name": "books", "url": "https://shop.example/", "kinds": list(KINDS), **sent}
    answer = program.post(WEBHOOKS, wanted, format="json")
    assert answer.status_code == 400 and field in answer.json()["fields"], answer.json()
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize(
    ("path", "sent", "field"),
    [
        ("rotate", {"keep_hours": 721}, "keep_hours"),
        ("rotate", {"hours": 1}, "hours"),
        ("replay", {}, "since"),
        ("replay", {"since": "yesterday"}, "since"),
        ("replay", {"since": "2999-01-01T00:00:00Z"}, "since"),
        ("test", {"kind": "ticket.opened"}, "kind"),
    ],
)
def test_bad_input_changes_nothing(
    program: APIClient, endpoint: WebhookEndpoint, inbox: Receiver, path: str, sent: dict[str, Any], field: str
) -> None:
    before = WebhookEndpoint.objects.values().get()
    answer = program.post(f"{WEBHOOKS}/{endpoint.pk}/{path}", sent, format="json")
    assert answer.status_code == 400 and list(answer.json()["fields"]) == [field]
    assert WebhookEndpoint.objects.values().get() == before and not inbox.seen


def test_tests_are_limited_since_each_may_take_long(
    program: APIClient, endpoint: WebhookEndpoint, inbox: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProbeThrottle, "THROTTLE_RATES", {"webhook-test": "2/min"})
    page = f"{WEBHOOKS}/{endpoint.pk}/test"
    assert [program.post(page, {}, format="json").status_code for _ in range(3)] == [200, 200, 429]
    assert len(inbox.seen) == 2


def test_filters_are_checked(program: APIClient, endpoint: WebhookEndpoint) -> None:
    for query in ({"state": "lost"}, {"kind": "x"}, {"status": "200"}):
        assert program.get(f"{WEBHOOKS}/{endpoint.pk}/deliveries", query).status_code == 400


def test_people_and_keys_without_the_right_cannot_use_webhooks(
    workspace: Workspace, bob: User, alice: Customer, endpoint: WebhookEndpoint, inbox: Receiver
) -> None:
    services.send_test(endpoint.pk, actor="test")
    inbox.seen.clear()
    before, sent = WebhookEndpoint.objects.values().get(), WebhookDelivery.objects.get()
    page = f"{WEBHOOKS}/{endpoint.pk}"
    writes = [
        ("post", WEBHOOKS, {"name": "mine", "url": "https://shop.example/", "kinds": ["ticket.opened"]}),
        ("patch", page, {"is_on": False}),
        ("delete", page, {}),
        ("post", f"{page}/rotate", {}),
        ("post", f"{page}/test", {}),
        ("post", f"{page}/replay", {"since": "2020-01-01T00:00:00Z"}),
        ("post", f"{page}/deliveries/{sent.pk}/replay", {}),
    ]
    reads = [WEBHOOKS, page, f"{page}/deliveries"]
    reader = service(workspace, "webhooks:read")
    strangers = [
        person(workspace, bob),
        person(workspace, bob, role="supervisor"),
        service(workspace, "channels:write", "actions:approve"),
        signed_in(create_channel(workspace, "Storefront"), alice),
    ]
    for client in (*strangers, reader):
        for method, address, body in writes:
            assert getattr(client, method)(address, body, format="json").status_code == 403, (method, address)
    for address in reads:
        assert reader.get(address).status_code == 200
        assert {client.get(address).status_code for client in strangers} == {403}
    assert WebhookEndpoint.objects.values().get() == before and not inbox.seen


def test_another_workspaces_webhooks_are_reported_as_missing(
    other_workspace: Workspace, endpoint: WebhookEndpoint, inbox: Receiver
) -> None:
    mine = services.send_test(endpoint.pk, actor="test")
    inbox.seen.clear()
    with workspace_scope(other_workspace.pk):
        theirs = services.create("theirs", "https://shop.example/", KINDS, actor="test").endpoint
        stranger = service(other_workspace, "webhooks:read", "webhooks:write")
    assert [row["name"] for row in stranger.get(WEBHOOKS).json()["results"]] == ["theirs"]
    for one in (endpoint.pk, uuid7()):
        page = f"{WEBHOOKS}/{one}"
        answers = [
            stranger.get(page),
            stranger.get(f"{page}/deliveries"),
            stranger.patch(page, {"is_on": False}, format="json"),
            stranger.post(f"{page}/rotate", {}, format="json"),
            stranger.post(f"{page}/test", {}, format="json"),
            stranger.post(f"{page}/replay", {"since": "2020-01-01T00:00:00Z"}, format="json"),
            stranger.post(f"{page}/deliveries/{mine.pk}/replay", {}, format="json"),
            stranger.post(f"{WEBHOOKS}/{theirs.pk}/deliveries/{mine.pk}/replay", {}, format="json"),
            stranger.delete(page),
        ]
        assert {answer.status_code for answer in answers} == {404}
    assert WebhookEndpoint.objects.get().is_on and WebhookDelivery.objects.get().state == "delivered"
    assert not inbox.seen
