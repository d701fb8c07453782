"""Metrics of waiting work, requests and sockets, read by a real Prometheus."""

import ctypes
import logging
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from subprocess import PIPE
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.test import Client
from django.utils.timezone import now
from kombu import Connection
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from kb.services import Change, create_article, publish
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.models import Turn
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.embedded.metrics_files import SharedCounters
from supportbot.handoff.models import OutgoingMail, Ticket
from supportbot.handoff.tasks import send_mail
from supportbot.handoff.tickets import services
from supportbot.health import gauges
from supportbot.health.gauges import QUERIES, Gauges
from supportbot.llm.models import Budget, LLMCall
from supportbot.observing.http import HEADER, observed_socket
from supportbot.observing.logs import Event, PlainFormatter, about, concerning, log_event
from supportbot.outbox.models import Announcement
from supportbot.server_urls import postgres_at
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db
SO_ATTACH_FILTER = 26  # Python has no constant for it


@pytest.fixture
def client() -> Client:
    return Client(headers={"Host": "127.0.0.1:8000"})


@pytest.fixture(autouse=True)
def counted_now(monkeypatch: pytest.MonkeyPatch, _django_db_marker: None) -> Iterator[None]:
    """Count anew, and wait for servers as long as a test does. Torn down before the test's database is closed, once no
    thread reads it any more: a scrape gives up on a thread that takes too long.
    """
    monkeypatch.setattr("supportbot.health.probe_responses.gauges", Gauges())
    for limit in ("PATIENCE_SECONDS", "STATEMENT_SECONDS", "QUEUE_PATIENCE_SECONDS"):
        monkeypatch.setattr(gauges, limit, PATIENCE_SECONDS)
    yield
    for thread in threading.enumerate():
        if thread.name == "gauges":
            thread.join(PATIENCE_SECONDS)


def values(collector: Gauges) -> dict[str, float]:
    return {sample.name: sample.value for metric in collector.collect() for sample in metric.samples}


@pytest.mark.django_db(transaction=True)  # since another thread reads the rows
def test_waiting_work_is_counted(alice: Customer) -> None:
    assert values(Gauges())["supportbot_turns_pending"] == 0
    conversation = start_conversation(alice.pk)
    add_customer_message(conversation.pk, text="Hello", client_id="1")
    Turn.objects.update(created_at=now() - timedelta(seconds=90))
    ticket = services.request(start_conversation(alice.pk).pk, reason="customer_asked", by="customer", summary="")
    Ticket.objects.update(waiting_since=now() - timedelta(seconds=190))
    Announcement.objects.filter(object_id=ticket.pk).update(created_at=now() - timedelta(seconds=290))
    for number, facts in enumerate(({}, {"sent_at": now()}, {"due_at": now() + timedelta(hours=1)})):
        OutgoingMail.objects.create(ticket=ticket, message_id=UUID(int=number), address="a@example.com", **facts)
    for days, cost in ((0, "0.25"), (0, "0.5"), (1, "7")):
        LLMCall.objects.create(
            purpose="answer", provider="p", model="m", duration_ms=1, outcome="done", currency="EUR",
            cost=Decimal(cost), started_at=now() - timedelta(days=days),
        )  # fmt: skip
    publish(create_article(Change(title="Delivery", body="A parcel takes two days.")).pk)
    found = values(Gauges())
    assert (found["supportbot_turns_pending"], found["supportbot_tickets_waiting"]) == (1, 1)
    oldest = [found[f"supportbot_{name}_seconds"] for name in ("turn_oldest", "ticket_oldest", "outbox_due")]
    assert [seconds // 100 * 100 for seconds in oldest] == [0, 100, 200] and oldest[0] > 80
    assert (found["supportbot_mail_due"], found["supportbot_cost_today"]) == (1, 0.75)
    assert (found["supportbot_index_behind"], found["supportbot_gauges_up"]) == (1, 1)
    assert found["supportbot_gauges_late"] == 0
    assert {f"supportbot_{name}" for name, _, label, _ in QUERIES if not label} <= set(found)


def test_tasks_that_wait_for_a_worker_are_counted_by_queue(settings: Settings, valkey_url: str) -> None:
    settings.CELERY_BROKER_URL = f"{valkey_url}/0"
    with Connection(settings.CELERY_BROKER_URL) as broker:
        for _ in range(2):
            send_mail.apply_async(connection=broker)
        lengths = {
            sample.labels["queue"]: sample.value
            for metric in Gauges().collect()
            for sample in metric.samples
            if sample.name == "supportbot_celery_queue_length"
        }
        broker.default_channel.client.flushdb()
    assert lengths.pop("mail") == 2 and set(lengths.values()) == {0}


@pytest.mark.django_db(transaction=True)
def test_each_budget_of_today_has_a_share(workspace: Workspace, other_workspace: Workspace, client: Client) -> None:
    """The budget for all answers, and those for one purpose: without its budget, nobody takes a second look."""
    today = datetime.now(UTC).date()

    def spend(share: str, purpose: str, day: date = today) -> None:
        Budget.objects.create(day=day, purpose=purpose, amount=10, currency="EUR", spent=Decimal(share) * 10)

    spend("0.2", "")
    spend("0.9", "verify")
    spend("1", "evaluation", today - timedelta(days=1))
    with workspace_scope(other_workspace.pk):
        spend("0.5", "verify")
    shown = client.get("/metrics").content.decode().splitlines()
    assert [line for line in shown if "budget_ratio" in line and not line.startswith("#")] == [
        "supportbot_budget_ratio 0.2", 'supportbot_purpose_budget_ratio{purpose="verify"} 0.9',
    ]  # fmt: skip


def test_waiting_work_is_counted_only_at_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "QUERIES", (("now", "", "", "SELECT '', extract(epoch FROM clock_timestamp())"),))
    collector = Gauges()
    assert values(collector)["supportbot_now"] == values(collector)["supportbot_now"]


SLOW = ("slow", "", "", "SELECT '', 1 FROM pg_sleep(60)")
FAST = ("fast", "", "", "SELECT '', 7")


def test_a_slow_statement_only_affects_its_own_series(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gauges, "STATEMENT_SECONDS", 0.5)  # a busy server must still answer the fast one
    monkeypatch.setattr(gauges, "QUERIES", (SLOW, FAST))
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert b"supportbot_gauges_up 1.0" in answer.content and b"supportbot_gauges_late 1.0" in answer.content
    assert b"supportbot_fast 7.0" in answer.content and b"supportbot_slow" not in answer.content
    assert "the series slow is missing: OperationalError" in caplog.text


def test_all_statements_share_the_time_of_a_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "STATEMENT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(gauges, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(gauges, "QUERIES", (SLOW,) * 20)
    began = time.monotonic()
    found = values(Gauges())
    assert time.monotonic() - began < 50  # a single statement takes a minute
    assert (found["supportbot_gauges_up"], found["supportbot_gauges_late"]) == (0, 20)


@pytest.fixture
def silent_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that accepts connections and never answers, like one behind a broken network."""
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "connect_timeout", int(PATIENCE_SECONDS))
    address = connection.settings_dict["PORT"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connection.settings_dict["PORT"] = silent.getsockname()[1]  # all threads share the dictionary
        try:
            yield
        finally:
            connection.settings_dict["PORT"] = address


def test_a_silent_database_does_not_affect_the_counters(
    client: Client, monkeypatch: pytest.MonkeyPatch, silent_database: None
) -> None:
    monkeypatch.setattr(gauges, "PATIENCE_SECONDS", 0.3)
    began = time.monotonic()
    for _ in range(2):  # the second scrape finds the first one's thread still waiting
        answer = client.get("/metrics")
        assert b"supportbot_gauges_up 0.0" in answer.content and b"supportbot_build_info" in answer.content
        monkeypatch.setattr(gauges, "KEPT_SECONDS", 0.0)
    assert time.monotonic() - began < PATIENCE_SECONDS / 2


def deafen(opened: BaseDatabaseWrapper) -> None:
    """Drop every packet that arrives for this connection, including acknowledgements, as if the network were lost."""
    drop = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # a filter with one instruction: return 0
    with socket.socket(fileno=os.dup(opened.connection.fileno())) as own:
        own.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(drop)))


@pytest.mark.long
def test_gauges_return_soon_after_a_connection_was_lost_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = list[str]()

    def deafen_the_first(connection: BaseDatabaseWrapper, **_: Any) -> None:
        if threading.current_thread().name == "gauges":
            opened.append("")
            if len(opened) == 1:
                deafen(connection)

    port = connection.settings_dict["PORT"]
    asked = postgres_at(f"postgres://127.0.0.1:{port}/name?tcp_user_timeout=1000", most_connections=0)["OPTIONS"]
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", asked)
    monkeypatch.setattr(gauges, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(gauges, "PATIENCE_SECONDS", 0.5)
    connection_created.connect(deafen_the_first)
    try:
        collector = Gauges()
        assert values(collector)["supportbot_gauges_up"] == 0
        began = time.monotonic()
        while not values(collector)["supportbot_gauges_up"]:
            assert time.monotonic() < began + PATIENCE_SECONDS
        assert len(opened) > 1
    finally:
        connection_created.disconnect(deafen_the_first)


def test_a_request_is_counted_by_its_route_and_has_an_id(client: Client) -> None:
    def seen(route: str, code: str) -> float:
        labels = {"route": route, "method": "GET", "code": code}
        return REGISTRY.get_sample_value("supportbot_http_request_seconds_count", labels) or 0.0

    before = seen("unmatched", "404")
    first = client.get("/nothing/here/A-1001", headers={HEADER: "proxy-id-0001"})
    assert first.headers[HEADER] == "proxy-id-0001"
    assert client.get("/nothing", headers={HEADER: "two words\n"}).headers[HEADER] not in ("", "two words\n")
    assert seen("unmatched", "404") == before + 2
    assert client.get("/api/v1/docs/").status_code == 200 and seen("api/v1/docs/", "200") >= 1


async def test_a_socket_is_counted_by_its_close_code() -> None:
    async def serve(scope: Any, receive: Any, send: Any) -> None:
        assert "socket" in about()
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    messages = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1012}]
    labels = {"kind": "test", "code": "1012"}
    await observed_socket("test", serve)({}, receive, None)
    assert REGISTRY.get_sample_value("supportbot_socket_closes_total", labels) == 1
    assert REGISTRY.get_sample_value("supportbot_sockets_open", {"kind": "test"}) == 0


def test_a_log_fields_value_is_one_word(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with concerning(turn="t-1"):
        log_event(Event.ANSWER, outcome="two words\nand a line", total_seconds=1.23456)
        [record] = caplog.records
        line = PlainFormatter().format(record)
    assert line.endswith("answer turn=t-1 outcome=two_words_and_a_line total_seconds=1.235")
    assert about() == {}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian's package prometheus)")
def test_prometheus_can_read_all_series(client: Client) -> None:
    log_event(Event.ANSWER)
    text = client.get("/metrics").content
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    # Exit code 3 means recommendations on names, which are not errors.
    assert checked.returncode in (0, 3), checked.stderr.decode()
    assert b"error while linting" not in checked.stderr


COUNT = """
import sys
from supportbot.observing.metrics import LEASES_LOST, SOCKETS
LEASES_LOST.inc(int(sys.argv[1]))
SOCKETS.labels("chat").inc(int(sys.argv[1]))
print("counted", flush=True)
sys.stdin.read()
"""


@pytest.mark.long
def test_web_processes_that_share_a_port_report_their_sum(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = SharedCounters(tmp_path / "metrics")
    counters.begin()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(counters.folder))

    def shown() -> tuple[float, float]:
        text = client.get("/metrics").content.decode()
        found = {
            line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"
        }
        return found["supportbot_turn_leases_lost_total"], found.get('supportbot_sockets_open{kind="chat"}', 0.0)

    processes = [
        subprocess.Popen([sys.executable, "-c", COUNT, str(count)], stdin=PIPE, stdout=PIPE, text=True)
        for count in (2, 3)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "counted\n"
    pids = {str(process.pid): process.pid for process in processes}
    counters.forget_dead(pids)
    assert shown() == (5, 5)
    with processes[0] as ended:
        ended.kill()
    counters.forget_dead({str(processes[1].pid): processes[1].pid})
    assert shown() == (5, 3), "counts stay, but the process's sockets are closed"
    processes[1].communicate("")
