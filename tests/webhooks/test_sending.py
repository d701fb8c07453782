"""Nothing is lost, only failed attempts are repeated, and a broken receiver delays nobody else."""

import json
import threading
import time
from typing import Any

import pytest
from celery import current_app
from django.db import connection
from django.utils.timezone import now, timedelta
from standardwebhooks import Webhook

from actions.models import AuditEntry
from actions.testing import ProcessDied
from supportbot.accounts.models import Customer, Workspace
from supportbot.errors import InvalidInput
from supportbot.outbox.delivery import deliver_due
from supportbot.webhooks import sending, services, tasks
from supportbot.webhooks.event_types import KINDS
from supportbot.webhooks.models import WebhookDelivery, WebhookEndpoint
from supportbot.webhooks.sending import PAUSES
from tests.actions.raw_server import raw_server, reply
from tests.patience import PATIENCE_SECONDS
from tests.webhooks.conftest import Receiver, happen, let_pass, receiver, send_all

pytestmark = pytest.mark.django_db
BROKEN = "500 Internal Server Error"


def test_the_tick_starts_due_deliveries(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test stands in for the broker, and passes on the name of a task and JSON arguments."""
    started: list[str] = []

    def carry(name: str, *, args: tuple[str, ...], **how: Any) -> None:
        started.append(name)
        current_app.tasks[name](*json.loads(json.dumps(args)))

    monkeypatch.setattr(tasks.current_app, "send_task", carry)
    happen(alice, 3)
    while deliver_due():
        pass
    tasks.send_due()
    assert started == [tasks.SERVE] and len(inbox.received) == 3
    tasks.send_due()
    assert len(started) == 1


def test_the_response_is_recorded(endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer) -> None:
    happen(alice)
    inbox.api.answer = lambda asked: reply("202 Accepted", b"\x00\xff" + "ü".encode() * 3_000)
    send_all()
    stored = WebhookDelivery.objects.get()
    assert (stored.state, stored.status, stored.attempts, stored.error) == ("delivered", 202, 1, "")
    assert stored.duration_ms is not None and stored.duration_ms < 8_000 and len(stored.answer) == 1_024
    assert send_all() == 0


def test_a_failed_delivery_is_retried_for_a_day_with_the_same_id(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer
) -> None:
    inbox.statuses = [BROKEN] * 50
    happen(alice)
    assert send_all() == 1
    waited = timedelta(0)
    for pause in PAUSES:
        assert send_all() == 0
        let_pass(seconds=pause.total_seconds() - 2)
        assert send_all() == 0, pause
        let_pass(seconds=3)
        assert send_all() == 1, pause
        waited += pause
    assert timedelta(hours=20) < waited < timedelta(hours=28)
    let_pass(days=1)
    assert send_all() == 0
    stored = WebhookDelivery.objects.get()
    assert (stored.state, stored.status, stored.attempts) == ("parked", 500, len(PAUSES) + 1)
    assert len(inbox.seen) == len(PAUSES) + 1 and set(inbox.seen) == {f"msg_{stored.pk}"}


def test_a_recovered_endpoint_gets_the_waiting_deliveries(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer
) -> None:
    inbox.statuses = [BROKEN]
    happen(alice, 5)
    assert send_all() == 1  # the others wait until the endpoint's pause is over
    let_pass(minutes=2)
    assert send_all() == 5
    assert len(inbox.received) == 5 and sorted({one.message_id for one in inbox.received}) == sorted(set(inbox.seen))
    assert WebhookEndpoint.objects.get().failures == 0


def test_a_worker_that_dies_before_it_settles_sends_the_same_again(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise ProcessDied

    happen(alice)
    with monkeypatch.context() as patched, pytest.raises(ProcessDied):
        patched.setattr(sending, "_settle", die)
        send_all()
    assert len(inbox.received) == 1 and WebhookDelivery.objects.get().state == "waiting"
    assert send_all() == 0  # it may still be in progress
    let_pass(minutes=2)
    assert send_all() == 1
    assert inbox.seen == [f"msg_{WebhookDelivery.objects.get().pk}"] * 2
    assert WebhookDelivery.objects.get().state == "delivered"


def test_a_worker_that_dies_before_it_sends_loses_nothing(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise ProcessDied

    happen(alice)
    with monkeypatch.context() as patched, pytest.raises(ProcessDied):
        patched.setattr(sending, "_send", die)
        send_all()
    let_pass(minutes=2)
    assert send_all() == 1 and len(inbox.seen) == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_send_the_same_delivery_at_once(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer
) -> None:
    happen(alice, 10)
    while deliver_due():
        pass
    answer = inbox.answer

    def slowly(asked: Any) -> bytes:
        time.sleep(0.02)
        return answer(asked)

    inbox.api.answer = slowly

    def work() -> None:
        sending.serve(endpoint.workspace_pk, endpoint.pk)
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(inbox.seen) == len(set(inbox.seen)) == 10


@pytest.mark.parametrize("count", [12, pytest.param(1_000, marks=pytest.mark.long)])
def test_a_flood_arrives_complete_and_in_order(
    count: int, endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer
) -> None:
    happen(alice, count)
    assert send_all() == count
    assert len({one.body["id"] for one in inbox.received}) == len(inbox.seen) == count
    times = [one.body["timestamp"] for one in inbox.received]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("answer", "listens", "status", "told"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", True, 302, "redirect"),
        (b"nonsense", True, None, "not HTTP"),
        (b"", True, None, "no response"),
    ],
)
def test_unusable_responses_count_as_failures(
    answer: bytes, listens: bool, status: int | None, told: str, endpoint: WebhookEndpoint, alice: Customer
) -> None:
    with raw_server(answer, listens=listens) as server:
        services.update(endpoint.pk, url=f"http://127.0.0.1:{server.port}/", actor="test")
        happen(alice)
        send_all()
    stored = WebhookDelivery.objects.get()
    assert (stored.state, stored.status, stored.attempts) == ("waiting", status, 1) and told in stored.error


def test_an_overlong_response_still_counts(endpoint: WebhookEndpoint, alice: Customer) -> None:
    with raw_server(reply("200 OK", b"x" * 100_000)) as server:
        services.update(endpoint.pk, url=f"http://127.0.0.1:{server.port}/", actor="test")
        happen(alice)
        send_all()
    assert WebhookDelivery.objects.get().state == "delivered"


@pytest.mark.long
def test_a_slow_receiver_ends_its_turn_and_delays_no_other(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "DEADLINE_SECONDS", 3.0)  # the other receiver must answer in this time
    is_over = threading.Event()
    with receiver() as slow:
        slow.api.answer = lambda asked: b"" * is_over.wait(PATIENCE_SECONDS)  # it never answers
        services.create("slow", slow.url, KINDS, actor="test")
        happen(alice, 20)
        begun = time.monotonic()
        try:
            assert send_all() == 21
            assert time.monotonic() - begun < 40  # three seconds for each of the twenty, if they had to wait
        finally:
            is_over.set()
    assert len(inbox.received) == 20


# --- Addresses that may be called.


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/hooks",
        "https://10.0.0.8/hooks",
        "https://169.254.169.254/latest",
        "https://[::ffff:127.0.0.1]/",
        "https://user:secret@shop.example/",
        "https://shop.example:22/",
        "ftp://shop.example/",
        "https://shop.example/#part",
        f"https://shop.example/{'x' * 500}",
        "",
    ],
)
def test_forbidden_addresses_are_refused_on_saving(workspace: Workspace, url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        services.create("books", url, KINDS, actor="test")
    assert list(refused.value.fields) == ["url"] and not WebhookEndpoint.objects.exists()
    made = services.create("books", "https://shop.example/", KINDS, actor="test").endpoint
    with pytest.raises(InvalidInput):
        services.update(made.pk, url=url, actor="test")
    assert WebhookEndpoint.objects.get().url == "https://shop.example/"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.8", "169.254.169.254", "fd00:ec2::254"])
def test_names_that_resolve_to_private_addresses_are_refused_on_sending(
    address: str, workspace: Workspace, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.create("books", "https://shop.example/", KINDS, actor="test")
    monkeypatch.setattr("supportbot.outbound.targets._ask_resolver", lambda *_: (address,))
    connected: list[Any] = []
    monkeypatch.setattr("socket.create_connection", lambda *args, **more: connected.append(args))
    happen(alice)
    send_all()
    stored = WebhookDelivery.objects.get()
    assert (stored.state, stored.status) == ("waiting", None) and address in stored.error
    assert not connected


def test_a_network_that_is_no_longer_allowed_is_refused_on_sending(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer, settings: Any
) -> None:
    settings.PRIVATE_NETWORKS = ()
    happen(alice)
    send_all()
    assert not inbox.seen and "https" in WebhookDelivery.objects.get().error


# --- The secret.


def test_an_old_secret_stays_valid_for_a_while_after_a_rotation(
    endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer
) -> None:
    old = inbox.secret
    new = services.rotate(endpoint.pk, keep_hours=2, actor="test").secret
    assert new != old and new.startswith("whsec_")
    happen(alice)
    send_all()
    assert len(inbox.received) == 1  # the receiver still knows the old one
    inbox.secret = new
    happen(alice)
    send_all()
    assert len(inbox.received) == 2
    WebhookEndpoint.objects.update(previous_until=now())
    assert services.forget_old_secrets() == 1 and WebhookEndpoint.objects.get().previous_secret == ""
    inbox.secret = old
    happen(alice)
    send_all()
    assert len(inbox.received) == 2 and WebhookDelivery.objects.latest("id").status == 401


def test_a_leaked_secret_ends_at_once(endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer) -> None:
    services.rotate(endpoint.pk, keep_hours=0, actor="test")
    happen(alice)
    send_all()
    assert not inbox.received
    for hours in (-1, 721):
        with pytest.raises(InvalidInput):
            services.rotate(endpoint.pk, keep_hours=hours, actor="test")


def test_secrets_are_encrypted_and_never_recorded(endpoint: WebhookEndpoint, inbox: Receiver) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM webhooks_webhookendpoint")
        [stored] = cursor.fetchone()
    assert inbox.secret.removeprefix("whsec_") not in stored
    services.rotate(endpoint.pk, actor="test")
    assert "whsec_" not in str(list(AuditEntry.objects.values_list("payload", flat=True)))


@pytest.mark.long
def test_each_attempt_gets_a_new_signature(endpoint: WebhookEndpoint, inbox: Receiver, alice: Customer) -> None:
    """A receiver refuses signatures older than five minutes; the id stays, so that it recognises repetitions."""
    inbox.statuses = [BROKEN]
    happen(alice)
    send_all()
    let_pass(hours=1)
    before = inbox.api.asked[0].headers
    time.sleep(1.1)
    send_all()
    after = inbox.api.asked[1].headers
    assert before["webhook-id"] == after["webhook-id"] and before["webhook-timestamp"] < after["webhook-timestamp"]
    assert before["webhook-signature"] != after["webhook-signature"]
    assert inbox.api.asked[0].body == inbox.api.asked[1].body
    Webhook(inbox.secret).verify(inbox.api.asked[1].body, after)


def test_endpoints_take_turns(workspace: Workspace, inbox: Receiver, alice: Customer) -> None:
    """At most four endpoints are served at the same time, and those that have waited longest come first."""
    for number in range(6):
        services.create(f"n{number}", inbox.url, KINDS, actor="test")
    happen(alice)
    while deliver_due():
        pass
    first = sending.endpoints_to_serve()
    assert len(first) == sending.MAX_ENDPOINTS
    WebhookEndpoint.objects.filter(pk=first[0][1]).update(lease_until=now() + timedelta(minutes=1))
    assert len(sending.endpoints_to_serve()) == sending.MAX_ENDPOINTS - 1
    for one in first[1:]:
        sending.serve(*one)
    left = {endpoint for _, endpoint in sending.endpoints_to_serve()}
    assert left and not left & {endpoint for _, endpoint in first}
