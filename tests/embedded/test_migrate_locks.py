"""`manage.py migrate` while a long transaction uses a table that it changes."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, migrations, models
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from supportbot.embedded.management.commands import migrate
from supportbot.installation.errors import StartRefused
from tests.embedded.test_database_roles import address
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)
PATIENT: Final = ("5s",)  # so that the watch sees what is waited for, although it gets no processor time for a while


@pytest.fixture
def undone() -> Iterator[None]:
    """Undo the newest migration of the widget, which adds a column to `widget_rating`."""
    last = MigrationRecorder.Migration.objects.filter(app="widget").latest("name")
    assert last.name == "0003_rating_reason"
    last.delete()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE widget_rating DROP COLUMN reason")
    yield
    call_command("migrate", "widget", verbosity=0)


@pytest.fixture
def other() -> Iterator[Callable[[], "psycopg.Connection[Any]"]]:
    opened = []

    def connect() -> "psycopg.Connection[Any]":
        opened.append(psycopg.connect(address(str(connection.settings_dict["NAME"]))))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


@pytest.mark.long
def test_chats_do_not_wait_behind_a_waiting_migration(
    undone: None,
    other: Callable[[], "psycopg.Connection[Any]"],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The output names the transaction that it waits for, which is not the oldest one."""
    monkeypatch.setattr(migrate, "LOCK_TIMEOUTS", PATIENT)
    report, backup, chat = other(), other(), other()
    report.execute("SET application_name = 'report'")
    report.execute("SELECT 1 FROM chat_conversation")
    backup.execute("SET application_name = 'backup'")
    backup.execute("SELECT 1 FROM widget_rating")  # in a transaction, so the table stays locked
    pauses = []

    def write_meanwhile(seconds: float) -> None:
        pauses.append(seconds)
        chat.execute("SET LOCAL lock_timeout = '1s'")
        chat.execute("UPDATE widget_rating SET id = id")
        chat.commit()
        backup.commit()

    monkeypatch.setattr(f"{migrate.__name__}.time.sleep", write_meanwhile)
    call_command("migrate", "widget", no_color=True)
    assert pauses == [migrate.LOCK_PAUSE_SECONDS]
    told = capsys.readouterr()
    name, pid = "widget.0003_rating_reason", backup.info.backend_pid
    assert re.fullmatch(
        rf"{name} changes a table that another transaction, such as a backup, is using\. "
        rf"`migrate` is waiting for process {pid} \(backup\), whose transaction has been open for \d+ s\.\n",
        told.err,
    )
    lines = told.out.splitlines()
    assert lines[-2:] == [f"  Applying {name}...", f"  Applying {name}... OK"]
    assert len(set(lines)) == len(lines), "the plan is printed once"
    assert chat.execute("SELECT count(reason) FROM widget_rating").fetchone() == (0,)


WAITING = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted)"


def until_waiting(looking: "psycopg.Connection[Any]", pid: int) -> None:
    """Return when a connection waits for a lock."""
    until = time.monotonic() + PATIENCE_SECONDS
    while looking.execute(WAITING, [pid]).fetchone() != (True,):
        assert time.monotonic() < until, "nothing waits for a lock"


@pytest.fixture
def locking(undone: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Let the undone migration lock the ratings, call a function, and lock the tickets."""

    def lock(between: Callable[[], object]) -> None:
        migration = MigrationExecutor(connection).loader.get_migration("widget", "0003_rating_reason")
        steps = [
            migrations.RunSQL("LOCK TABLE widget_rating"),
            migrations.RunPython(lambda apps, editor: between()),
            migrations.RunSQL("LOCK TABLE handoff_ticket"),
        ]
        monkeypatch.setattr(type(migration), "operations", [*steps, *migration.operations])

    return lock


@pytest.mark.long
@pytest.mark.parametrize("chat_waits_first", [True, False], ids=["the chat waits first", "the migration waits first"])
def test_a_migration_and_a_chat_that_wait_for_each_other_both_succeed(
    locking: Callable[[Callable[[], object]], None],
    other: Callable[[], "psycopg.Connection[Any]"],
    monkeypatch: pytest.MonkeyPatch,
    *,
    chat_waits_first: bool,
) -> None:
    """The chat never looks for a deadlock, so that the migration may be late on a busy machine. In production, it looks
    after a second, and the migration's first limit is shorter than that.
    """
    chat, looking = other(), other()
    looking.autocommit = True
    assert looking.execute("SELECT %s::interval < '1s'", [migrate.LOCK_TIMEOUTS[0]]).fetchone() == (True,)
    chat.execute("SET deadlock_timeout = '10min'")
    connection.connection.execute(f"SET deadlock_timeout = '{'1min' if chat_waits_first else '1s'}'")
    chat.execute("UPDATE handoff_ticket SET id = id")
    migrating = connection.connection.info.backend_pid

    def write() -> None:
        if not chat_waits_first:
            until_waiting(looking, migrating)
        chat.execute("UPDATE widget_rating SET id = id")
        chat.commit()

    def begin() -> None:
        if not chats:
            chats.append(pool.submit(write))
            if chat_waits_first:
                until_waiting(looking, chat.info.backend_pid)

    chats: list[Future[None]] = []
    pauses: list[float] = []
    locking(begin)
    monkeypatch.setattr(f"{migrate.__name__}.time.sleep", pauses.append)
    if not chat_waits_first:
        monkeypatch.setattr(migrate, "LOCK_TIMEOUTS", ("1min",))  # a later attempt, on a machine of any speed
    with ThreadPoolExecutor(1) as pool:
        call_command("migrate", "widget", verbosity=0)
        chats[0].result(timeout=PATIENCE_SECONDS)
    connection.connection.execute("RESET deadlock_timeout")
    assert pauses == [migrate.LOCK_PAUSE_SECONDS]
    assert chat.execute("SELECT count(reason) FROM widget_rating").fetchone() == (0,)


@pytest.mark.long
def test_a_wait_is_reported_once_for_each_transaction(
    undone: None,
    other: Callable[[], "psycopg.Connection[Any]"],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = other(), other()
    first.execute("SELECT 1 FROM widget_rating")
    steps = iter([lambda: None, lambda: second.execute("SELECT 1 FROM widget_rating"), first.commit, second.commit])
    monkeypatch.setattr(f"{migrate.__name__}.time.sleep", lambda seconds: next(steps)())
    monkeypatch.setattr(migrate, "LOCK_TIMEOUTS", PATIENT)
    call_command("migrate", "widget", verbosity=0)
    told = [re.findall(r"process (\d+)", line) for line in capsys.readouterr().err.splitlines()]
    one, another = str(first.info.backend_pid), str(second.info.backend_pid)
    assert told == [[one], [one, another]]


@pytest.mark.long
def test_a_migration_that_gives_up_waiting_says_what_to_do(
    undone: None, other: Callable[[], "psycopg.Connection[Any]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(migrate, "LOCK_TIMEOUTS", PATIENT)
    backup = other()
    backup.execute("SELECT 1 FROM widget_rating")
    with pytest.raises(StartRefused, match=rf"process {backup.info.backend_pid} .*pg_terminate_backend"):
        call_command("migrate", "widget", verbosity=0)
    backup.rollback()


@pytest.mark.long
def test_a_migration_that_cannot_look_says_who_can(
    undone: None, other: Callable[[], "psycopg.Connection[Any]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example, because the server has no connection left."""
    monkeypatch.setattr(migrate, "LOCK_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(connection, "get_connection_params", lambda: {"host": "127.0.0.1", "port": 1})
    backup = other()
    backup.execute("SELECT 1 FROM widget_rating")
    with pytest.raises(StartRefused, match="pg_blocking_pids"):
        call_command("migrate", "widget", verbosity=0)
    backup.rollback()


def test_an_index_may_wait_without_a_limit() -> None:
    """Nobody waits behind it, and with a time limit it would start again and again."""
    from supportbot.concurrent_indexes import _patience

    with connection.schema_editor(atomic=False) as editor, connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        before = cursor.fetchone()
        cursor.execute("SET lock_timeout = '2s'")
        with _patience(editor):
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == ("0",)
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("2s",)
        # RESET would remove the application's limit, which it sets itself after it has connected.
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", before)


@pytest.mark.long
def test_an_index_names_the_transaction_it_waits_for(
    other: Callable[[], "psycopg.Connection[Any]"], caplog: pytest.LogCaptureFixture
) -> None:
    """It is named before the build, since nothing can be printed during it."""
    from supportbot.concurrent_indexes import AddBigIndex

    backup = other()
    backup.execute("SELECT pg_sleep(1.1)")
    state = MigrationExecutor(connection).loader.project_state()
    index = AddBigIndex("rating", models.Index(fields=["id"], name="tried"))
    with connection.schema_editor(atomic=False) as editor:
        index.database_forwards("widget", editor, state, state)
        editor.execute("DROP INDEX tried")
    assert "index tried is complete only when" in caplog.text and f"process {backup.info.backend_pid} " in caplog.text
