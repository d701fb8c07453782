"""Migrations killed partway through are continued by the next `migrate`, in an empty database and a populated one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from django.conf import settings

from supportbot.embedded.backup import load_database
from supportbot.embedded.child_processes import wait_until
from tests.deploy.conftest import database_url
from tests.patience import PATIENCE_SECONDS

__all__ = ["database_url"]  # a fixture
pytestmark = pytest.mark.long
# The first change of the schema after this many migrations waits before or after its work, which is not committed yet.
HELD_AFTER: Final = ((10, "start"), (40, "end"), (50, "end"), (80, "start"))
APPLIED = "SELECT count(*) FROM django_migrations"
# Without a limit: `migrate` would end the wait, and be killed between two attempts.
HOLDING = """
CREATE OR REPLACE FUNCTION hold() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass('django_migrations') IS NOT NULL THEN
        IF (SELECT count(*) FROM django_migrations) >= {} THEN
            PERFORM set_config('lock_timeout', '0', true);
            PERFORM pg_advisory_xact_lock(19);
        END IF;
    END IF;
END $$"""
INVALID: Final = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
OLDEST = Path(__file__).parent / "data" / "0.1.0.dump"
FILLING = Path(__file__).with_name("many_rows.sql")
ROWS: Final = 12_000  # in each table: three batches of each migration that fills in columns
# The rows that the migrations have filled in.
REQUESTS: Final = "SELECT count(*) FROM actions_actionrequest JOIN copied USING (id) WHERE subject_id = order_id"
ENTRIES: Final = """
SELECT count(*) FROM actions_ledgerentry entry JOIN copied ON copied.id = request_id
WHERE subject_id = order_id AND subject_kind = 'order'
"""
CHATS: Final = """
SELECT count(*) FROM chat_conversation chat JOIN copied USING (id) WHERE answered_seq =
  (SELECT max(seq) FROM chat_message message WHERE message.conversation_id = chat.id AND source = 'assistant')
"""


def begin(database_url: str, folder: Path, *options: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "DATABASE_URL": database_url, "DATABASE_OWNER_URL": "", "DATA_DIR": str(folder)}
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "migrate", "--noinput", *options]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def applied(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        if connection.execute("SELECT to_regclass('django_migrations')").fetchone() == (None,):
            return 0
        row = connection.execute(APPLIED).fetchone()
        return int(row[0]) if row else 0


def test_two_machines_may_migrate_at_once(database_url: str, tmp_path: Path) -> None:
    """The second one must not wait in a statement: an index that is built concurrently waits for all statements."""
    running = [begin(database_url, tmp_path) for _ in range(2)]
    for one in running:
        errors = one.communicate(timeout=PATIENCE_SECONDS)[1]
        assert one.returncode == 0, errors


def test_a_killed_migration_is_continued(database_url: str, tmp_path: Path) -> None:
    """Each waits in a statement until it is killed. The server then completes the statement, but no transaction."""
    for number, moment in HELD_AFTER:
        with psycopg.connect(database_url, autocommit=True) as keeper:
            keeper.execute(HOLDING.format(number).encode())
            keeper.execute(f"CREATE EVENT TRIGGER hold ON ddl_command_{moment} EXECUTE FUNCTION hold()".encode())
            keeper.execute("SELECT pg_advisory_lock(19)")
            pid = kill_in(database_url, tmp_path, "wait_event = 'advisory'")
            assert applied(database_url) >= number
            keeper.execute("DROP EVENT TRIGGER hold")
        wait_for_end(database_url, pid)
    finish(database_url, tmp_path)


def test_an_index_that_was_being_built_is_replaced(database_url: str, tmp_path: Path) -> None:
    """Its server process ends with the migration, as when the machine fails. The index then stays, and is invalid."""
    with psycopg.connect(database_url) as older:
        older.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        older.execute("SELECT 1")  # the index is complete only when this transaction has ended
        pid = kill_in(
            database_url, tmp_path, "wait_event = 'virtualxid' AND starts_with(query, 'CREATE INDEX CONCURRENTLY')"
        )
        count(database_url, f"SELECT pg_terminate_backend({pid})::int")
        wait_for_end(database_url, pid)
    assert count(database_url, INVALID) == 1
    finish(database_url, tmp_path)


def finish(database_url: str, folder: Path) -> None:
    """Migrate, and check that everything is there."""
    for options in ((), ("--check",)):
        done = begin(database_url, folder, *options)
        errors = done.communicate(timeout=PATIENCE_SECONDS)[1]
        assert done.returncode == 0, errors
    assert count(database_url, INVALID) == 0


@contextmanager
def stopped_at(database_url: str, table: str, order: str) -> Iterator[None]:
    """Let an update of the last row of a table wait until the end of this context."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute(f"SELECT id FROM {table} ORDER BY {order} DESC LIMIT 1").fetchone()  # type: ignore[arg-type]
        assert row is not None
        connection.execute(
            f"CREATE TRIGGER wait_at BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION wait_at('{row[0]}')"  # type: ignore[arg-type]
        )
        connection.execute("SELECT pg_advisory_lock(18)")
        yield
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"DROP TRIGGER wait_at ON {table}")  # type: ignore[arg-type]


def count(database_url: str, query: Any) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def kill_in(database_url: str, folder: Path, waiting: str) -> int:
    """Kill a migration while one of its statements waits like this (in pg_stat_activity). Return its server process."""
    found = f"SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE datname = current_database() AND {waiting}"
    pid = 0
    killed = begin(database_url, folder)

    def is_waiting() -> bool:
        nonlocal pid
        assert killed.poll() is None, killed.communicate()[1]
        pid = count(database_url, found)
        return pid > 0

    try:
        assert wait_until(is_waiting, seconds=PATIENCE_SECONDS)
    finally:
        killed.kill()
    assert killed.wait(timeout=PATIENCE_SECONDS) == -9
    return pid


def wait_for_end(database_url: str, pid: int) -> None:
    """Wait until a server process has ended. It completes its statement before it notices that its client is gone."""
    running = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}"
    assert wait_until(lambda: count(database_url, running) == 0, seconds=PATIENCE_SECONDS)


def kill_in_statement(database_url: str, folder: Path, beginning: str) -> None:
    """Kill a migration while it waits in a statement that begins like this, until the limit on waiting ends it."""
    waiting = f"wait_event_type = 'Lock' AND starts_with(query, '{beginning}')"
    wait_for_end(database_url, kill_in(database_url, folder, waiting))


def test_batches_are_continued_where_they_were_killed(database_url: str, tmp_path: Path) -> None:
    """With rows of 0.1.0, in the last of three batches: the batches before it stay, and nothing is filled in twice."""
    load_database(database_url, OLDEST)
    with psycopg.connect(database_url) as connection:
        connection.execute(FILLING.read_bytes())
    with stopped_at(database_url, "actions_actionrequest", "ctid"):
        kill_in_statement(database_url, tmp_path, "UPDATE actions_actionrequest SET subject_kind")
        assert 0 < count(database_url, REQUESTS) < ROWS and count(database_url, ENTRIES) == 0
    with stopped_at(database_url, "chat_conversation", "id"):
        kill_in_statement(database_url, tmp_path, "\nWITH chats AS")
        assert 0 < count(database_url, CHATS) < ROWS
    done = begin(database_url, tmp_path)
    errors = done.communicate(timeout=PATIENCE_SECONDS)[1]
    assert done.returncode == 0, errors
    assert [count(database_url, query) for query in (REQUESTS, ENTRIES, CHATS)] == [ROWS, ROWS, ROWS]
