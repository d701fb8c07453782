"""`manage.py serve`, `work`, `beat` and `migrate`: each checks the settings first."""

import errno
import io
import logging
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import InterfaceError, InternalError, OperationalError, ProgrammingError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from prometheus_client import REGISTRY
from psycopg import errors
from psycopg_pool import PoolTimeout

from supportbot.accounts.models import Workspace
from supportbot.embedded import open_files, separate_processes
from supportbot.embedded.child_processes import wait_until
from supportbot.embedded.separate_processes import serve_with_several, work
from supportbot.installation.errors import StartRefused
from supportbot.installation.process_identity import ProcessIdentity, identify, is_running
from supportbot.installation.start_plan import plan_from_environment
from supportbot.observing.database_errors import OutagesInOneLine, trouble
from supportbot.outbox.models import Announcement
from supportbot.outbox.relay_thread import relay
from supportbot.outbox.services import try_to_write
from tests.embedded.instance import MANAGE
from tests.embedded.test_checks import database_url
from tests.kb.test_full_disk import full_database
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port

LONG = pytest.mark.long
LOCAL = {"Host": "127.0.0.1:8000"}  # details are only for this machine


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An application that answers with the id of its process."""
    headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


def command(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1", **variables}
    return subprocess.run(
        [sys.executable, MANAGE, *arguments], env=environment, capture_output=True, text=True,
        timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip


def refusal(part: str, *arguments: str, **variables: str) -> str:
    """Return the line of an error with which a process exits."""
    answer = command(part, *arguments, **variables)
    assert (answer.returncode, len(answer.stderr.strip().splitlines())) == (1, 1), answer.stderr
    return answer.stderr


def output(*arguments: str) -> str:
    """Return the output of a command run in this process: a new one spends most of its time loading the product."""
    stdout = io.StringIO()
    call_command(*arguments, stdout=stdout, no_color=True)
    return stdout.getvalue()


@pytest.mark.parametrize("part", ["serve", *(pytest.param(part, marks=LONG) for part in ("work", "beat", "migrate"))])
def test_a_wrong_value_stops_every_start(part: str) -> None:
    assert "LLM_DAILY_BUDGET must be an amount" in refusal(part, LLM_DAILY_BUDGET="ten")


@LONG
@pytest.mark.parametrize(
    ("part", "missing"),
    [
        ("serve", "SECRET_KEY"),
        pytest.param("work", "REDIS_URL", marks=LONG),
        pytest.param("beat", "FIELD_KEYS", marks=LONG),
    ],
)
def test_a_single_part_needs_the_shared_settings(part: str, missing: str) -> None:
    assert f"{missing} is not set. Set it to the same value for all parts" in refusal(part, **{missing: ""})


@LONG
def test_a_misspelt_variable_is_named() -> None:
    assert "Did you mean DATABASE_URL?" in refusal("serve", DATABASE_URL="", DATABSE_URL="postgres://db/name")


@pytest.mark.long  # every run has one such value: a budget that `serve` refuses
@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("PORT", "70000", "PORT=70000 is not a valid port. Choose one from 1 to 65535."),
        ("WORKER_PROBE_PORT", "-1", "WORKER_PROBE_PORT=-1 is not a valid port. Choose one from 1 to 65535, or 0"),
        ("NUM_PROXIES", "-1", "NUM_PROXIES=-1 is below 0."),
        ("ALLOWED_HOSTS", "https://a.example", "ALLOWED_HOSTS=https://a.example is not a host name"),
        ("HOST", "nowhere.invalid", "HOST=nowhere.invalid is not an address of this machine."),
        ("DEFAULT_FROM_EMAIL", "Acme", "Use one such as support@example.com."),
        ("SECRET_KEY", "changeme", "SECRET_KEY has only 8 characters, so sessions could be forged."),
        ("DATA_DIR", "/proc/nowhere", "DATA_DIR /proc/nowhere is not writable"),
        ("KB_EMBEDDER", "nowhere.Embedder", "KB_EMBEDDER=nowhere.Embedder cannot be imported: No module named"),
        ("REDIS_URL", "http://:hidden@127.0.0.1", "REDIS_URL must be an address like redis://:secret@host:6379/0."),
        ("CELERY_BROKER_URL", "localhost", "CELERY_BROKER_URL localhost is not a broker's address"),
        ("CELERY_BROKER_URL", "redis://[::1", "CELERY_BROKER_URL (not a valid URL) is not a broker's address"),
        ("MCP_CALLS_PER_MINUTE", "0", "MCP_CALLS_PER_MINUTE=0 is below 1: no key could call anything."),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "collector",
            "OTLP_ENDPOINT is not a valid address. Use one such as http://collector:4318.",
        ),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://[::1", "OTLP_TRACES_ENDPOINT is not a valid address"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://", "OTLP_TRACES_ENDPOINT is not a valid address"),
    ],
)
def test_an_impossible_value_stops_a_start(name: str, value: str, wrong: str) -> None:
    assert wrong in refusal("serve", **{name: value})


@LONG
def test_a_sender_and_a_broker_inside_a_network_are_accepted() -> None:
    local = {"DEFAULT_FROM_EMAIL": "support@intranet", "CELERY_BROKER_URL": "redis+socket:///run/redis.sock"}
    assert "--processes must be at least 1" in refusal("serve", "--processes", "0", **local)


@LONG
def test_a_worker_for_a_queue_that_does_not_exist_is_refused() -> None:
    assert "There is no queue action. Choose from actions, default, " in refusal("work", "--queues", "mail,action")


def test_workers_do_not_gossip(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr("supportbot.celery.app.worker_main", given.extend)
    work("")
    assert "--without-gossip" in given


@LONG
def test_no_web_process_is_refused() -> None:
    assert "--processes must be at least 1" in refusal("serve", "--processes", "0")


@LONG
def test_beat_needs_a_place_for_its_schedule_and_a_worker_for_its_checkpoints() -> None:
    assert "DATA_DIR /proc/nowhere is not writable" in refusal("beat", DATA_DIR="/proc/nowhere")
    assert "DATA_DIR /proc/nowhere is not writable" in refusal("work", DATA_DIR="/proc/nowhere")
    told = refusal("beat", "--schedule", "/proc/nowhere/ticks")
    assert "/proc/nowhere/ticks cannot be written (No such file or directory). Choose another file" in told
    assert "/tmp cannot be written (Is a directory). Choose another file" in refusal("beat", "--schedule", "/tmp")
    assert "/proc/ticks cannot be written" in refusal("beat", "--schedule", "/proc/ticks")


@LONG
def test_migrate_names_an_owner_who_cannot_log_in() -> None:
    error = refusal("migrate", DATABASE_OWNER_URL="postgres://owner:hidden@127.0.0.1:1/name")
    assert "DATABASE_OWNER_URL postgres://owner:…@127.0.0.1:1/name could not be opened" in error
    assert error.endswith("Correct it.\n")
    error = refusal("migrate", DATABASE_OWNER_URL="postgres://owner:hidden@127.0.0.1:54 32/name")
    assert "DATABASE_OWNER_URL is not a valid address: Port" in error and "hidden" not in error


@LONG
@pytest.mark.django_db(transaction=True)
def test_a_command_on_a_read_only_database_says_so() -> None:
    read_only = "-c default_transaction_read_only=on"
    error = refusal("workspace_create", "Harbour", DATABASE_URL=database_url(), PGOPTIONS=read_only)
    assert error == (
        "Error: The database failed: it is read-only. Use the address of a server that accepts writes. "
        "PostgreSQL: cannot execute INSERT in a read-only transaction.\n"
    )
    assert not Workspace.objects.exists()


@LONG
@pytest.mark.django_db(transaction=True)
def test_the_error_for_a_missing_table_names_missing_migrations_only_if_there_are_any() -> None:
    last = MigrationRecorder.Migration.objects.filter(app="chat").latest("name")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_workspace RENAME TO elsewhere")
    try:
        error = command("workspace_create", "Harbour", DATABASE_URL=database_url()).stderr
        assert "Traceback" in error and 'relation "accounts_workspace" does not exist' in error
        assert "migrate`" not in error
        last.delete()
        error = refusal("workspace_create", "Harbour", DATABASE_URL=database_url())
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO accounts_workspace")
        MigrationRecorder.Migration.objects.get_or_create(app=last.app, name=last.name)
    assert error == (
        "Error: The database failed: it lacks this version's migrations. Run `manage.py migrate`. "
        'PostgreSQL: relation "accounts_workspace" does not exist.\n'
    )


@LONG
@pytest.mark.django_db(transaction=True)
def test_the_error_of_a_failed_migration_does_not_advise_to_migrate() -> None:
    last = MigrationRecorder.Migration.objects.filter(app="accounts").latest("name")
    with_dependents = MigrationLoader(connection).graph.backwards_plan((last.app, last.name))
    for app, name in with_dependents:
        MigrationRecorder.Migration.objects.filter(app=app, name=name).delete()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_workspace RENAME TO elsewhere")
    try:
        error = command("migrate", "accounts", DATABASE_URL=database_url()).stderr
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO accounts_workspace")
        for app, name in reversed(with_dependents):
            MigrationRecorder.Migration.objects.get_or_create(app=app, name=name)
    assert 'relation "accounts_workspace" does not exist' in error
    assert "Run `manage.py migrate`" not in error


@LONG
@pytest.mark.django_db(transaction=True)
def test_migrate_of_an_older_version_changes_nothing_and_says_so() -> None:
    applied = MigrationRecorder.Migration.objects
    before = set(applied.values_list("app", "name"))
    newer = applied.create(app="chat", name="9999_of_a_later_version")
    sentence = f"The database is newer than this version of SupportBot (chat.{newer.name} is unknown here)"
    try:
        refused = refusal("migrate", "--noinput", DATABASE_URL=database_url())
        going_back = command("migrate", "--noinput", DATABASE_URL=database_url(), MIGRATE_ALLOW_NEWER="1")
        with_option = output("migrate", "--noinput", "--allow-newer")
        told = output("migrate", "--plan")
    finally:
        newer.delete()
    assert refused.startswith(f"Error: {sentence}. Migrate with the newer version")
    assert (going_back.returncode, going_back.stderr) == (0, "")
    assert going_back.stdout == with_option == f"{sentence}. Nothing was migrated.\n"
    assert "No planned migration operations" in told
    assert set(applied.values_list("app", "name")) == before


@LONG
@pytest.mark.django_db(transaction=True)
def test_migrate_never_hides_that_a_newer_database_lacks_a_migration_of_this_version() -> None:
    applied = MigrationRecorder.Migration.objects
    last = applied.filter(app="chat").latest("name")
    last.delete()
    newer = applied.create(app="chat", name="9999_of_a_later_version")
    try:
        refused = refusal("migrate", "--noinput", DATABASE_URL=database_url(), MIGRATE_ALLOW_NEWER="1")
        plan = output("migrate", "--plan")
        with pytest.raises(SystemExit) as check:
            output("migrate", "--check")
        assert not applied.filter(app=last.app, name=last.name).exists()
    finally:
        newer.delete()
        applied.get_or_create(app=last.app, name=last.name)
    foreign = "Error: The database belongs to another version of SupportBot"
    assert refused.startswith(f"{foreign} (chat.{newer.name} is unknown")
    assert f"lacks chat.{last.name}, which this version needs" in refused
    assert f"chat.{last.name}" in plan
    assert check.value.code == 1


@pytest.mark.parametrize(
    ("cause", "error", "found"),
    [
        (psycopg.OperationalError("the connection is lost"), OperationalError, "it is not responding"),
        (errors.AdminShutdown(), OperationalError, "it is not responding"),
        (errors.ReadOnlySqlTransaction(), InternalError, "it is read-only. Use the address"),
        (errors.DiskFull("could not extend file"), OperationalError, "its disk is full. Free some space there"),
        (PoolTimeout("all connections are in use"), OperationalError, ""),
        (errors.InsufficientPrivilege("permission denied"), ProgrammingError, ""),
        (psycopg.InterfaceError("the cursor is closed"), InterfaceError, ""),
    ],
)
def test_only_an_outage_is_logged_without_its_traceback(
    cause: Exception, error: type[Exception], found: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    failure = error(str(cause))
    failure.__cause__ = cause
    record = logging.LogRecord("any", logging.ERROR, "", 0, "failed", (), (error, failure, None))
    assert [OutagesInOneLine().filter(record) for _ in range(2)] == [not found] * 2
    assert [found in line for line in caplog.messages] == ([True] if found else [])


@pytest.mark.django_db(transaction=True)
def test_reads_do_not_end_an_outage_of_writes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("supportbot.observing.server_trouble.SETTLED_AFTER_SECONDS", 0.0)
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        with pytest.raises(InternalError) as refused:
            Workspace.objects.all().update(name="")
        assert trouble.explains(refused.value)
        for _ in range(2):
            relay.round()
        assert [line.partition(".")[0] for line in caplog.messages] == ["the database: it is read-only"]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off")
    for _ in range(2):
        relay.round()
    assert caplog.messages[1:] == ["the database responds again"]


@pytest.mark.django_db(transaction=True)
def test_a_full_disk_ends_with_a_write_that_needs_space(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, client: Client
) -> None:
    """The disk of the database is full for the rows of a trial, as for all others."""
    monkeypatch.setattr("supportbot.observing.server_trouble.SETTLED_AFTER_SECONDS", 0.0)
    with full_database("outbox_announcement", "xxx"):
        with pytest.raises(OperationalError) as refused:
            try_to_write()
        assert trouble.explains(refused.value)
        for _ in range(2):
            relay.round()
        assert caplog.messages == [
            "the database: its disk is full. Free some space there (could not extend file: No space left on device);"
            " retrying"
        ]
        assert REGISTRY.get_sample_value("supportbot_writes_refused") == 1
        assert client.get("/healthz", headers=LOCAL).json()["checks"]["writes"] == "refused"
        assert client.get("/readyz", headers=LOCAL).status_code == 200
    relay.round()
    assert caplog.messages[1:] == ["the database responds again"]
    assert REGISTRY.get_sample_value("supportbot_writes_refused") == 0
    assert not Announcement.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_one_trial_ends_an_outage_of_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each leaves rows for PostgreSQL to clean up, which take up the last space of a disk that is nearly full."""
    trial = Mock()
    monkeypatch.setattr("supportbot.outbox.relay_thread.try_to_write", trial)
    failure = OperationalError("full")
    failure.__cause__ = errors.DiskFull("full")
    assert trouble.explains(failure)
    for _ in range(2):
        relay.round()
    assert (trial.call_count, trouble.refuses_writes) == (0, True)
    monkeypatch.setattr("supportbot.observing.server_trouble.SETTLED_AFTER_SECONDS", 0.0)
    for _ in range(2):
        relay.round()
    assert (trial.call_count, trouble.refuses_writes) == (1, False)


# Tasks and requests while the database is away, then the relay until it is back.
DURING_AN_OUTAGE = """
import sys, django
django.setup()
from django.conf import settings
from django.test import Client
from supportbot.outbox.models import Announcement
from supportbot.outbox.relay_thread import relay
from supportbot.outbox.services import try_to_write
from supportbot.outbox.tasks import purge
if int(sys.argv[1]):
    settings.DATABASES["default"]["OPTIONS"]["pool"].update(timeout=1, reconnect_timeout=1)
relay.start()
for _ in range(2):
    purge.apply()
    answer = Client(headers={"Authorization": "Bearer sk_1_2", "Host": "localhost"}).get("/api/v1/articles")
    assert answer.status_code == 503, answer.content
print("away", flush=True)
sys.stdin.read()
"""


@LONG
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pool_size", [pytest.param("0", marks=LONG), "4"])
def test_an_outage_is_one_line_of_a_process_and_so_is_its_end(pool_size: str) -> None:
    with closed_to_new_connections() as reopen:
        process = subprocess.Popen(
            [sys.executable, "-c", DURING_AN_OUTAGE, pool_size], cwd=settings.BASE_DIR, text=True,
            env={**os.environ, "DATABASE_URL": database_url(), "DATABASE_POOL_SIZE": pool_size},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin and process.stdout and process.stderr
        with process, process.stdout, process.stderr:
            assert process.stdout.readline() == "away\n", process.stderr.read()
            reopen()
            lines = [process.stderr.readline().partition("database_errors ")[2] for _ in range(2)]
            process.stdin.close()
            more = process.stderr.read()
    assert lines[0].startswith("the database: it is not responding (connection failed: ")
    assert "is not currently accepting connections); retrying" in lines[0], "PostgreSQL's own words"
    assert lines[1].startswith("the database responds again")
    assert more == ""


@contextmanager
def closed_to_new_connections() -> Iterator[Callable[[], None]]:
    """Close the test's database to new connections, as if the server were down; yields a function that opens it."""
    name = connection.settings_dict["NAME"]

    def allow(value: str) -> None:
        # From a connection to another database.
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as other:
            other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {value}')

    allow("false")
    try:
        yield lambda: allow("true")
    finally:
        allow("true")


@LONG
def test_a_worker_that_waits_for_its_database_ends_at_sigterm() -> None:
    nowhere = {"DATABASE_URL": "postgres://someone:hidden@127.0.0.1:1/name", "REDIS_URL": "redis://127.0.0.1:1"}
    worker = subprocess.Popen(
        [sys.executable, MANAGE, "work"], env={**os.environ, **nowhere, "WORKER_PROBE_PORT": "0"},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert worker.stderr is not None
    with worker, worker.stderr:
        assert any("the database: it is not responding" in line for line in worker.stderr)
        worker.terminate()
        assert worker.wait(timeout=PATIENCE_SECONDS) == 0, (
            "ended by a handler, which the first process of a container needs"
        )


@contextmanager
def serving(port: int) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1", "PORT": str(port), "WEB_PROCESSES": "2"}
    command = [sys.executable, MANAGE, "serve", f"{__name__}:application", "--lifespan", "off"]
    now, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    process = subprocess.Popen(
        command, env=environment, cwd=settings.BASE_DIR,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (min(now, 1024), allowed)),
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)


def asked(port: int) -> int | None:
    try:
        with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/", timeout=PATIENCE_SECONDS) as answer:
            return int(answer.read())
    except (URLError, OSError):
        return None


def test_beat_starts_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = Mock()
    monkeypatch.setattr(separate_processes.app, "start", started)
    full = Mock(side_effect=OSError(errno.ENOSPC, "No space left on device"))
    with monkeypatch.context() as patch:
        patch.setattr(separate_processes, "TemporaryFile", full)
        separate_processes.beat(tmp_path / "beat" / "schedule")
    assert started.called
    monkeypatch.setattr(separate_processes, "TemporaryFile", Mock(side_effect=PermissionError(errno.EACCES, "refused")))
    with pytest.raises(StartRefused, match=r"cannot be written \(refused\)"):
        separate_processes.beat(tmp_path / "beat" / "schedule")


def test_web_processes_start_without_a_temporary_folder_that_has_space(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space() -> str:  # what Python raises if it can write to none of the folders it tries
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile._get_default_tempdir", no_space)
    monkeypatch.setattr("tempfile.tempdir", None)
    with separate_processes._folder_of_counters() as folder:
        assert Path(folder).parent == Path(separate_processes.IN_MEMORY)


@LONG
def test_two_web_processes_share_a_port_and_replace_each_other() -> None:
    port = reserved_port()
    seen: dict[int, ProcessIdentity] = {}

    def meets_two() -> bool:
        found = asked(port)
        known = identify(found) if found else None
        if known:
            seen[known.pid] = known
        return sum(is_running(known) for known in seen.values()) == 2

    with serving(port) as parent:
        assert wait_until(meets_two, seconds=PATIENCE_SECONDS)
        if sys.platform == "linux":
            for pid in seen:
                may_open, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
                assert may_open == min(most, open_files.MOST)
        os.kill(next(iter(seen)), signal.SIGKILL)
        assert wait_until(lambda: asked(port) is not None, seconds=PATIENCE_SECONDS), "the other process continues"
        assert wait_until(lambda: meets_two() and len(seen) >= 3, seconds=PATIENCE_SECONDS)
        with pytest.raises(StartRefused, match="is in use"):
            serve_with_several(plan_with(port), "any:application", lifespan="off")
        parent.terminate()
        assert parent.wait(timeout=PATIENCE_SECONDS) == 0
    assert not any(is_running(known) for known in seen.values())


def plan_with(port: int) -> Any:
    return replace(plan_from_environment(), port=port, web_processes=2)
