"""Liveness, readiness by role, overall health, and the right to see details."""

import asyncio
import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from django.core.cache import cache
from django.db import OperationalError, ProgrammingError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils.timezone import now
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from kb.errors import EmbeddingUnavailable
from kb.indexing.models import Recipe
from kb.ports import RecipeSpec
from supportbot.assistant.runner import runner
from supportbot.health import checks, main_loop
from supportbot.health.probe_responses import BEAT, WORKER
from supportbot.health.server import ProbeServer, start_probes
from supportbot.ids import uuid7
from supportbot.outbox.models import Announcement
from supportbot.outbox.tasks import HEARTBEAT_KEY, heartbeat
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    """A browser or a scraper on this machine."""
    return Client(headers={"Host": "127.0.0.1:8000"})


@pytest.fixture(autouse=True)
def live_worker() -> None:
    heartbeat()


def test_liveness_needs_no_database(client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert client.get("/livez").content == b"ok\n"


@pytest.mark.parametrize(("path", "verdict"), [("/readyz", "ready"), ("/healthz", "healthy")])
def test_the_verdict_lists_its_checks(client: Client, path: str, verdict: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()[verdict]) == (200, True)
    assert set(answer.json()["checks"].values()) == {"ok"}


@pytest.mark.parametrize("ago", [60, -3600])  # an hour ahead, since the clock was set back
def test_a_web_process_stays_ready_without_a_worker(client: Client, ago: int) -> None:
    cache.set(HEARTBEAT_KEY, time.time() - ago)
    assert client.get("/readyz").json() == {
        "ready": True,
        "checks": {"database": "ok", "migrations": "ok", "runner": "ok"},
    }
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["checks"]["worker"]) == (503, "no heartbeat")


def test_a_web_process_without_its_runner_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(runner), "has_died", True)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["runner"]) == (503, "stopped")


def test_an_older_schema_is_not_ready_and_a_newer_one_is(client: Client) -> None:
    row = MigrationRecorder.Migration.objects.create(app="chat", name="9999_of_a_later_version")
    assert client.get("/readyz").status_code == 200
    MigrationRecorder.Migration.objects.filter(app="chat").exclude(pk=row.pk).delete()
    assert client.get("/readyz").json()["checks"]["migrations"] == "behind"


def test_a_worker_waits_for_migrations_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    last = MigrationRecorder.Migration.objects.filter(app="chat").latest("name")
    last.delete()
    pauses: list[float] = []

    def migrate_meanwhile(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            MigrationRecorder.Migration.objects.create(app=last.app, name=last.name)

    monkeypatch.setattr("supportbot.health.checks.time.sleep", migrate_meanwhile)
    monkeypatch.setattr(connection, "close", lambda: None)
    checks.wait_for_migrations()
    assert (len(pauses), len([line for line in caplog.messages if "lacks this version's migrations" in line])) == (3, 1)


@pytest.mark.django_db
def test_a_web_process_with_an_older_schema_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    checks.report_missing_migrations()
    assert caplog.messages == []
    MigrationRecorder.Migration.objects.latest("id").delete()
    checks.report_missing_migrations()
    assert caplog.messages == ["the database: it lacks this version's migrations. Run `manage.py migrate`"]


@pytest.mark.django_db(transaction=True)
def test_a_worker_without_rights_names_them_each_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE without_rights")
        cursor.execute("SET SESSION AUTHORIZATION without_rights")

    def grant_meanwhile(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            with connection.cursor() as cursor:
                cursor.execute("RESET SESSION AUTHORIZATION")

    monkeypatch.setattr("supportbot.health.checks.time.sleep", grant_meanwhile)
    monkeypatch.setattr("supportbot.observing.server_trouble.REPEATED_AFTER_SECONDS", 0)
    monkeypatch.setattr("supportbot.observing.server_trouble.SETTLED_AFTER_SECONDS", 0)
    monkeypatch.setattr(connection, "close", lambda: None)
    try:
        checks.wait_for_migrations()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET SESSION AUTHORIZATION")
            cursor.execute("DROP ROLE without_rights")
    assert caplog.messages == [
        "the database: the role in DATABASE_URL lacks privileges. Run `manage.py migrate` with DATABASE_OWNER_URL "
        "(permission denied for table django_migrations); retrying"
    ] * 3 + ["the database responds again"]


@pytest.mark.django_db(transaction=True)
def test_a_worker_waits_for_a_database_that_is_down(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    address, pauses = dict(connection.settings_dict), []

    def start_meanwhile(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            connection.settings_dict["PORT"] = address["PORT"]

    monkeypatch.setattr("supportbot.health.checks.time.sleep", start_meanwhile)
    connection.close()
    connection.settings_dict["PORT"] = 1
    try:
        checks.wait_for_migrations()
    finally:
        connection.settings_dict["PORT"] = address["PORT"]
    assert len(pauses) == 2
    assert "it is not responding" in caplog.messages[0]


@pytest.mark.parametrize("path", ["/readyz", "/healthz"])
def test_a_database_that_is_away_is_tried_once(client: Client, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Each attempt takes as long as the pool waits for a connection."""
    attempts = []

    def away(*args: Any, **options: Any) -> None:
        attempts.append(args)
        raise OperationalError("Connection refused")

    with monkeypatch.context() as patch:
        patch.setattr("django.db.backends.base.base.BaseDatabaseWrapper.cursor", away)
        answer = client.get(path)
    found = answer.json()["checks"]
    assert answer.status_code == 503
    assert {found.pop(name) for name in ("database", "migrations")} == {"OperationalError"}
    assert {found.pop(name, "OperationalError") for name in ("vector", "recipe")} == {"OperationalError"}
    assert set(found.values()) == {"ok"}
    assert len(attempts) == 1


def test_a_check_that_lacks_a_right_does_not_answer_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> str:
        raise ProgrammingError("permission denied for table django_migrations")

    monkeypatch.setitem(checks.CHECKS, "migrations", refused)
    assert checks.outcomes(["migrations", "recipe"]) == {"migrations": "ProgrammingError", "recipe": "ok"}


def test_a_database_that_refuses_writes_is_not_ready(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET transaction_read_only = on")
    assert client.get("/readyz").json()["checks"]["database"] == "read-only"


def test_a_role_that_cannot_write_is_not_ready(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE a_reader")
        cursor.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO a_reader")
        cursor.execute("SET LOCAL ROLE a_reader")
    assert client.get("/readyz").json()["checks"]["database"] == "lacks privileges"


def test_probes_by_address_are_answered(client: Client) -> None:
    """Probes and Prometheus address a process by its IP, which is not in ALLOWED_HOSTS."""
    named = {"Host": "10.1.2.3:8000"}
    assert client.get("/livez", headers=named).status_code == 200
    assert client.get("/readyz", headers=named).json() == {"ready": True}
    assert client.get("/healthz", headers=named).json() == {"healthy": True}
    assert client.get("/metrics", headers=named).status_code == 403
    assert client.get("/", headers=named).status_code == 400


def test_a_scraper_with_the_token_may_use_an_address(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = "secret"
    headers = {"Host": "10.1.2.3:8000", "Authorization": "Bearer secret"}
    assert client.get("/metrics", headers=headers).status_code == 200


@pytest.mark.parametrize("host", ["evil.example:8000", "127.0.0.1.evil.example", "", "[::1", "10.0.0.1"])
def test_a_page_of_another_site_cannot_read_metrics(client: Client, host: str) -> None:
    """The site's name can be made to resolve to this machine; the browser then sends that name."""
    assert client.get("/metrics", headers={"Host": host}).status_code == 403
    assert client.get("/metrics", headers={"Host": "[::1]:8000"}).status_code == 200


def test_vectors_of_another_model_are_not_healthy(client: Client) -> None:
    Recipe.objects.create(name="another-model", model="x", dimensions=3, is_active=True)
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert "kb_reindex" in answer.json()["checks"]["recipe"]


class Unreachable:
    """An embedder with an unavailable model server, so the size of its vectors is unknown."""

    @property
    def recipe(self) -> RecipeSpec:
        raise EmbeddingUnavailable


def test_an_unavailable_embedder_is_named(client: Client, settings: Settings) -> None:
    Recipe.objects.create(name="any", model="x", dimensions=3, is_active=True)
    settings.KB_EMBEDDER = f"{__name__}.Unreachable"
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["checks"]["recipe"]) == (503, "EmbeddingUnavailable")


@pytest.mark.parametrize("error", [RuntimeError("the handler is closed"), None])
def test_a_channel_layer_that_refuses_or_hangs_is_not_healthy(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    async def send(self: InMemoryChannelLayer, *message: Any) -> None:
        if error is not None:
            raise error
        await asyncio.Event().wait()

    monkeypatch.setattr(InMemoryChannelLayer, "send", send)
    monkeypatch.setattr(checks, "PATIENCE_SECONDS", 0.05)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["checks"]["layer"]) == (503, type(error or TimeoutError()).__name__)


def test_parked_announcements_are_counted_but_do_not_affect_health(client: Client) -> None:
    assert client.get("/healthz").json()["parked_announcements"] == 0
    Announcement.objects.create(topic="action_changed", object_id=uuid7(), workspace_id=uuid7(), parked_at=now())
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["parked_announcements"]) == (200, 1)
    assert "parked_announcements" not in client.get("/healthz", headers={"Via": "1.1 proxy"}).json()


@pytest.mark.parametrize(
    ("setting", "headers"),
    [
        ({"PUBLIC_URL": "https://support.example"}, {}),
        ({"HOST": "0.0.0.0"}, {}),
        ({}, {"X-Forwarded-For": "203.0.113.9"}),
        ({}, {"Forwarded": "for=203.0.113.9"}),
        ({}, {"X-Real-IP": "203.0.113.9"}),
        ({}, {"Via": "1.1 proxy"}),
        ({}, {"CF-Connecting-IP": "203.0.113.9"}),
        ({}, {"True-Client-IP": "203.0.113.9"}),
        ({"METRICS_TOKEN": "secret", "HOST": "0.0.0.0"}, {"Authorization": "Bearer s\u00e9cret"}),
        ({"METRICS_TOKEN": "secret", "PUBLIC_URL": "https://support.example"}, {"Authorization": "Bearer wrong"}),
    ],
)
def test_details_need_the_token(
    client: Client, settings: Settings, setting: dict[str, str], headers: dict[str, str]
) -> None:
    for name, value in setting.items():
        setattr(settings, name, value)
    assert "checks" not in client.get("/readyz", headers=headers).json()
    assert client.get("/metrics", headers=headers).status_code == 403


def test_the_token_gives_details_and_metrics(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN, settings.PUBLIC_URL = "secret", "https://support.example"
    headers = {"Authorization": "Bearer secret"}
    assert "checks" in client.get("/readyz", headers=headers).json()
    assert b"python_info" in client.get("/metrics", headers=headers).content


@pytest.fixture
def worker_port() -> Iterator[int]:
    server = ProbeServer(WORKER, host="127.0.0.1", port=0)
    server.start()
    yield server.port
    server.stop()


def told(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    line = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    line.request("GET", path, headers=headers)
    answer = line.getresponse()
    return answer.status, answer.read()


@pytest.mark.django_db(transaction=True)
def test_a_worker_answers_probes_on_its_own_port(worker_port: int) -> None:
    assert told(worker_port, "/livez") == (200, b"ok\n")
    status, body = told(worker_port, "/readyz")
    assert (status, set(json.loads(body)["checks"])) == (200, {"database", "migrations", "broker"})
    assert told(worker_port, "/metrics")[0] == 200
    assert told(worker_port, "/metrics", Host="evil.example")[0] == 403
    assert told(worker_port, "/healthz")[0] == 404


def test_a_stalled_loop_is_stuck_only_while_the_broker_is_available(
    worker_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main_loop, "_last_tick", time.monotonic() - 2 * main_loop.PATIENCE_SECONDS)
    assert told(worker_port, "/livez") == (503, b"loop: stuck\n")
    monkeypatch.setitem(checks.CHECKS, "broker", lambda: "OperationalError")
    monkeypatch.setattr(checks, "_broker", lambda: "OperationalError")
    assert told(worker_port, "/livez") == (200, b"ok\n")
    assert "broker" in BEAT.ready and "database" not in BEAT.ready


def test_a_port_in_use_is_reported_and_stops_nothing(worker_port: int, caplog: pytest.LogCaptureFixture) -> None:
    ProbeServer(WORKER, host="127.0.0.1", port=worker_port).start()
    assert f"127.0.0.1:{worker_port}" in caplog.text


def test_a_default_port_above_the_last_one_is_reported(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.WORKER_PROBE_PORT = 66_000
    start_probes("worker")
    assert "WORKER_PROBE_PORT would be 66000" in caplog.text
