"""Webhooks in the console: only admins can add, test and change them, and resend deliveries."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from supportbot.accounts.models import Customer, Workspace
from supportbot.chat.services import start_conversation
from supportbot.webhooks import services
from supportbot.webhooks.event_types import KINDS
from supportbot.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.console.conftest import Enter
from tests.webhooks.conftest import Receiver, send_all
from tests.webhooks.conftest import inbox as inbox

pytestmark = pytest.mark.django_db
WEBHOOKS = "/admin/webhooks/webhookendpoint/"
DELIVERIES = "/admin/webhooks/webhookdelivery/"


@pytest.fixture
def admin(enter: Enter) -> Client:
    return enter("admin")


@pytest.fixture
def webhook(workspace: Workspace, inbox: Receiver) -> WebhookEndpoint:
    new = services.create("books", inbox.url, KINDS, actor="test")
    inbox.secret = new.secret
    return new.endpoint


def words_of(answer: Any) -> str:
    return " ".join(LexborHTMLParser(answer.content.decode()).css_first("main").text().split())


def errors_on(answer: Any) -> list[str]:
    return [" ".join(one.text().split()) for one in LexborHTMLParser(answer.content.decode()).css(".err")]


def test_a_webhook_is_added_and_its_secret_shown_once(admin: Client, inbox: Receiver) -> None:
    sent = {"name": "books", "url": inbox.url, "kinds": ["ticket.opened", "conversation.started"]}
    answer = admin.post(f"{WEBHOOKS}add/", sent)
    made = WebhookEndpoint.objects.get()
    assert made.secret in answer.content.decode() and set(made.kinds) == set(sent["kinds"]) and made.is_on
    for page in (WEBHOOKS, f"{WEBHOOKS}{made.pk}/change/", f"{WEBHOOKS}{made.pk}/history/"):
        assert made.secret not in admin.get(page).content.decode()
    page = LexborHTMLParser(admin.get(f"{WEBHOOKS}{made.pk}/change/").content.decode())
    ticked = [box.attributes["value"] for box in page.css("input[name=kinds]") if "checked" in box.attributes]
    assert sorted(str(one) for one in ticked) == sorted(sent["kinds"])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"url": "https://10.0.0.8/"}, "PRIVATE_NETWORKS"),
        ({"url": "http://shop.example/"}, "must use https"),
        ({"kinds": []}, "required"),
        ({"kinds": ["ticket.exploded"]}, "valid choice"),
        ({"name": ""}, "required"),
        ({"name": "books"}, "this name already"),
    ],
)
def test_an_error_is_shown_next_to_its_field(
    wrong: dict[str, Any], told: str, admin: Client, workspace: Workspace
) -> None:
    services.create("books", "https://shop.example/", KINDS, actor="test")
    sent = {"name": "crm", "url": "https://shop.example/", "kinds": ["ticket.opened"], **wrong}
    answer = admin.post(f"{WEBHOOKS}add/", sent)
    assert answer.status_code == 200 and any(told in one for one in errors_on(answer)), errors_on(answer)
    assert WebhookEndpoint.objects.count() == 1


def test_a_webhook_can_be_changed_and_switched_off_and_on(
    admin: Client, webhook: WebhookEndpoint, inbox: Receiver
) -> None:
    page = f"{WEBHOOKS}{webhook.pk}/change/"
    sent = {"name": "books", "url": inbox.url, "kinds": ["ticket.opened"], "includes_customer": "on"}
    admin.post(page, sent)
    stored = WebhookEndpoint.objects.get()
    assert (stored.is_on, stored.includes_customer, list(stored.kinds)) == (False, True, ["ticket.opened"])
    assert "Off" in words_of(admin.get(WEBHOOKS))
    admin.post(page, {**sent, "is_on": "on"})
    assert WebhookEndpoint.objects.get().is_on
    assert admin.post(page, {**sent, "is_on": "on", "name": "bookkeeping"}, follow=True).status_code == 200
    assert WebhookEndpoint.objects.get().name == "bookkeeping"


def test_a_test_shows_the_response(admin: Client, webhook: WebhookEndpoint, inbox: Receiver) -> None:
    answer = admin.post(f"{WEBHOOKS}{webhook.pk}/test/", follow=True)
    assert "Delivered: 200" in words_of(answer) and "thanks" in words_of(answer) and inbox.kinds == ["webhook.test"]
    inbox.secret = "whsec_" + "b" * 40
    answer = admin.post(f"{WEBHOOKS}{webhook.pk}/test/", follow=True)
    assert "Given up: 401" in words_of(answer) and "who are you?" in words_of(answer)


def test_a_response_is_shown_as_text(admin: Client, webhook: WebhookEndpoint, inbox: Receiver) -> None:
    inbox.statuses = ["500 <script>alert(1)</script>"]
    admin.post(f"{WEBHOOKS}{webhook.pk}/test/")
    WebhookDelivery.objects.update(answer="<script>alert(1)</script>", error="<b>no</b>")
    html = admin.get(f"{DELIVERIES}{WebhookDelivery.objects.get().pk}/change/").content.decode()
    assert "<script>alert" not in html and "&lt;b&gt;no" in html


def test_the_secret_is_replaced(admin: Client, webhook: WebhookEndpoint, inbox: Receiver) -> None:
    page = f"{WEBHOOKS}{webhook.pk}/rotate/"
    for wrong in ({}, {"keep_hours": "721"}, {"keep_hours": "-1"}, {"keep_hours": "x"}, {"keep_hours": "\u0661"}):
        admin.post(page, wrong)
    assert WebhookEndpoint.objects.get().secret == inbox.secret
    answer = admin.post(page, {"keep_hours": "2"})
    stored = WebhookEndpoint.objects.get()
    assert stored.secret in answer.content.decode() and stored.previous_secret == inbox.secret
    assert admin.get(page).status_code == 405


@pytest.mark.long
def test_deliveries_can_be_filtered_and_sent_again(
    admin: Client, webhook: WebhookEndpoint, inbox: Receiver, workspace: Workspace
) -> None:
    alice = Customer.objects.create(external_id="cus_alice")
    for _ in range(3):
        start_conversation(alice.pk)
    send_all()
    first, second, third = WebhookDelivery.objects.order_by("id")
    WebhookDelivery.objects.exclude(pk=third.pk).update(state="parked")
    assert str(third.pk) not in admin.get(f"{DELIVERIES}?state=parked").content.decode()
    assert str(third.pk) in admin.get(f"{DELIVERIES}?kind=conversation.started").content.decode()
    assert str(third.pk) in admin.get(f"{DELIVERIES}?webhook={webhook.pk}").content.decode()
    assert str(third.pk) not in admin.get(f"{DELIVERIES}?kind=ticket.opened").content.decode()
    answer = admin.post(f"{DELIVERIES}{third.pk}/again/", follow=True)
    assert "1 delivery will be sent again." in answer.content.decode()
    ticked = {"action": "send_again", "_selected_action": [str(first.pk)], "index": "0"}
    assert "1 delivery will be sent again." in admin.post(DELIVERIES, ticked, follow=True).content.decode()
    assert DELIVERIES in admin.get(WEBHOOKS).content.decode()
    assert "1 delivery was abandoned." in words_of(admin.get(f"{WEBHOOKS}{webhook.pk}/change/"))
    answer = admin.post(f"{WEBHOOKS}{webhook.pk}/replay/", {"days": "7"}, follow=True)
    assert "1 delivery will be sent again." in answer.content.decode()
    send_all()
    assert sorted(inbox.seen) == sorted(2 * [one.message_id for one in (first, second, third)])


def test_a_switched_off_webhook_is_reported(admin: Client, webhook: WebhookEndpoint, inbox: Receiver) -> None:
    services.send_test(webhook.pk, actor="test")
    WebhookEndpoint.objects.update(is_on=False, off_reason="failing", failing_since=now())
    html = admin.get("/admin/").content.decode()
    assert re.search(r"Webhooks.{0,400}switched off", html, re.S)
    assert "Switched off. It failed for three days." in words_of(admin.get(f"{WEBHOOKS}{webhook.pk}/change/"))
    for address in (f"{DELIVERIES}{WebhookDelivery.objects.get().pk}/again/", f"{WEBHOOKS}{webhook.pk}/replay/"):
        answer = admin.post(address, follow=True)
        assert "This webhook is switched off." in answer.content.decode()


@pytest.mark.long
def test_a_webhook_can_be_deleted(admin: Client, webhook: WebhookEndpoint) -> None:
    admin.post(f"{WEBHOOKS}{webhook.pk}/delete/", {"post": "yes"})
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize("role", ["editor", "agent", "supervisor"])
def test_only_admins_reach_webhooks(role: str, enter: Enter, webhook: WebhookEndpoint, inbox: Receiver) -> None:
    services.send_test(webhook.pk, actor="test")
    client, sent = enter(role), WebhookDelivery.objects.get()
    for page in (WEBHOOKS, f"{WEBHOOKS}add/", f"{WEBHOOKS}{webhook.pk}/change/", f"{DELIVERIES}{sent.pk}/change/"):
        assert client.get(page).status_code == 403, page
    for page in ("rotate", "test", "replay", "delete", "change"):
        assert client.post(f"{WEBHOOKS}{webhook.pk}/{page}/", {"keep_hours": "1"}).status_code == 403, page
    assert client.post(f"{DELIVERIES}{sent.pk}/again/").status_code == 403
    assert WebhookEndpoint.objects.get().secret == inbox.secret and len(inbox.seen) == 1


def test_the_list_takes_few_queries(admin: Client, workspace: Workspace, django_assert_max_num_queries: Any) -> None:
    for number in range(5):
        made = services.create(f"n{number}", "https://shop.example/", KINDS, actor="test").endpoint
        WebhookDelivery.objects.create(endpoint=made, event_id=made.pk, kind="ticket.opened", payload={})
    admin.get(DELIVERIES)
    for page in (WEBHOOKS, DELIVERIES):
        with django_assert_max_num_queries(22):
            admin.get(page)
