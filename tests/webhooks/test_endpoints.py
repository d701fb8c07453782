"""Endpoints that are switched off and on, tested, deleted or limited in number, and deliveries that are sent again."""

from typing import Any

import pytest
from django.core import mail
from django.utils.timezone import now, timedelta

from actions.models import AuditEntry
from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.team_members import add_member
from supportbot.errors import InvalidInput
from supportbot.outbound.http import Request
from supportbot.outbox.delivery import deliver_due
from supportbot.webhooks import sending, services
from supportbot.webhooks.errors import EndpointOff, TooManyEndpoints
from supportbot.webhooks.event_types import KINDS
from supportbot.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.webhooks.conftest import Receiver, happen, let_pass, send_all

pytestmark = pytest.mark.django_db
BROKEN = "500 Internal Server Error"


@pytest.mark.long
def test_an_endpoint_that_fails_for_days_is_switched_off_and_its_admins_notified(
    workspace: Workspace, endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer
) -> None:
    for name, role in (("ada", Membership.Role.ADMIN), ("agent", Membership.Role.AGENT)):
        person = User.objects.create_user(name, email=f"{name}@example.com", password="correct horse battery")
        add_member(workspace, person, role)
    inbox.statuses = [BROKEN] * 9
    happen(alice, 3)
    send_all()
    let_pass(days=2)
    send_all()
    assert WebhookEndpoint.objects.get().is_on
    let_pass(days=1, hours=1)
    send_all()
    off = WebhookEndpoint.objects.get()
    assert (off.is_on, off.off_reason) == (False, "failing")
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"parked"}
    assert services.notify_admins() == 1 and services.notify_admins() == 0
    [told] = mail.outbox
    assert told.to == ["ada@example.com"] and "books" in told.subject and str(off.pk) in told.body
    assert AuditEntry.objects.latest("seq").event == "webhook.switched_off"
    attempts = len(inbox.seen)
    happen(alice)
    send_all()
    assert len(inbox.seen) == attempts and WebhookDelivery.objects.count() == 3  # it receives nothing while it is off
    with pytest.raises(EndpointOff):
        services.replay_failed(off.pk, since=now() - timedelta(days=30), actor="test")
    services.update(off.pk, is_on=True, actor="test")
    inbox.statuses.clear()
    assert services.replay_failed(off.pk, since=now() - timedelta(days=30), actor="test") == 3
    send_all()
    assert len(inbox.received) == 3 and WebhookEndpoint.objects.get().failing_since is None


def test_a_notice_that_cannot_be_mailed_is_retried(
    workspace: Workspace, endpoint: WebhookEndpoint, settings: Any
) -> None:
    person = User.objects.create_user("ada", email="ada@example.com", password="correct horse battery")
    add_member(workspace, person, Membership.Role.ADMIN)
    WebhookEndpoint.objects.update(is_on=False, off_reason="failing")
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1"
    settings.EMAIL_PORT = 1
    assert services.notify_admins() == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert services.notify_admins() == 1 and len(mail.outbox) == 1


def test_a_server_that_is_gone_is_switched_off_at_once(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer
) -> None:
    inbox.statuses = ["410 Gone"]
    happen(alice, 2)
    send_all()
    assert WebhookEndpoint.objects.get().off_reason == "gone" and len(inbox.seen) == 1


def test_a_switched_off_endpoint_receives_nothing(endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer) -> None:
    happen(alice)
    while deliver_due():
        pass
    services.update(endpoint.pk, is_on=False, actor="test")
    send_all()
    assert not inbox.seen and WebhookDelivery.objects.get().state == "parked"
    happen(alice)
    services.update(endpoint.pk, is_on=True, actor="test")
    send_all()
    assert not inbox.seen  # nothing that happened while it was off
    happen(alice)
    send_all()
    assert len(inbox.received) == 1


def test_one_delivery_is_sent_again_with_its_id(endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer) -> None:
    happen(alice, 2)
    send_all()
    chosen = WebhookDelivery.objects.earliest("id")
    services.replay(chosen.pk, actor="test")
    assert send_all() == 1
    assert inbox.seen.count(f"msg_{chosen.pk}") == 2 and len(inbox.seen) == 3


def test_failed_deliveries_since_a_time_are_sent_again(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer
) -> None:
    happen(alice, 3)
    while deliver_due():
        pass
    WebhookDelivery.objects.update(state="parked")
    first, *_rest = WebhookDelivery.objects.order_by("id")
    WebhookDelivery.objects.filter(pk=first.pk).update(created_at=now() - timedelta(days=2))
    assert services.replay_failed(endpoint.pk, since=now() - timedelta(days=1), actor="test") == 2
    send_all()
    assert len(inbox.received) == 2 and f"msg_{first.pk}" not in inbox.seen


def test_a_test_event_is_sent_once_and_immediately(endpoint: WebhookEndpoint, inbox: Receiver) -> None:
    sent = services.send_test(endpoint.pk, actor="test")
    assert (sent.state, sent.status, inbox.kinds) == ("delivered", 200, ["webhook.test"])
    inbox.statuses = [BROKEN]
    failed = services.send_test(endpoint.pk, actor="test")
    assert (failed.state, failed.status, failed.answer) == ("parked", 500, "thanks")
    let_pass(days=1)
    assert send_all() == 0 and WebhookEndpoint.objects.get().failures == 0


def test_a_deleted_endpoint_takes_its_deliveries_with_it(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(alice)
    sent: list[Request] = []
    real = sending.request

    def delete_meanwhile(asked: Request) -> Any:
        sent.append(asked)
        services.remove(endpoint.pk, actor="test")
        return real(asked)

    monkeypatch.setattr(sending, "request", delete_meanwhile)
    assert send_all() == 1 and len(sent) == 1
    assert not WebhookDelivery.objects.exists() and send_all() == 0


def test_a_workspace_has_a_limited_number_of_endpoints(workspace: Workspace) -> None:
    for number in range(services.MAX_ENDPOINTS):
        services.create(f"n{number}", "https://shop.example/", KINDS, actor="test")
    with pytest.raises(TooManyEndpoints):
        services.create("one more", "https://shop.example/", KINDS, actor="test")
    with pytest.raises(InvalidInput) as refused:
        services.update(WebhookEndpoint.objects.get(name="n1").pk, name="n2", actor="test")
    assert list(refused.value.fields) == ["name"]


def test_old_deliveries_are_deleted(endpoint: WebhookEndpoint, alice: Customer) -> None:
    happen(alice, 2)
    send_all()
    old = WebhookDelivery.objects.earliest("id")
    WebhookDelivery.objects.filter(pk=old.pk).update(created_at=now() - timedelta(days=31))
    assert services.purge() == 1 and WebhookDelivery.objects.count() == 1
