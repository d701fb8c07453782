"""Every task of beat, called as a worker calls it: without arguments and outside any workspace."""

import dbm
import errno
import pickle
import shelve
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from celery import current_app
from celery.beat import PersistentScheduler, Service
from django.conf import settings as product
from django.contrib.sessions.models import Session
from django.db import transaction
from django.test import Client
from django.utils.timezone import now

from actions.policy_store import ensure_policies
from actions.principals import Principal
from actions.services import propose
from actions.testing import FakeShop, connected
from kb import ports
from kb.services import Change, create_article, publish
from supportbot.accounts.errors import UnscopedQuery
from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.team_members import add_member
from supportbot.accounts.workspaces import create_workspace
from supportbot.beat_scheduler import TickingScheduler
from supportbot.celery import STOP_SIGNALS, app
from supportbot.chat.models import Conversation
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services

pytestmark = pytest.mark.django_db

EVERY_TASK = sorted({str(entry["task"]) for entry in product.CELERY_BEAT_SCHEDULE.values()})


@pytest.fixture(autouse=True)
def small_model(settings: Any) -> Any:
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"
    ports._load.cache_clear()
    yield
    ports._load.cache_clear()


@pytest.fixture
def shop() -> Any:
    with connected(FakeShop()) as fake:
        fake.add_order("A-1001", "cus_alice", total="49.90")
        yield fake


@pytest.fixture
def busy_workspace(db: None, shop: FakeShop) -> Workspace:
    """An article without vectors, a snoozed ticket whose customer wrote, a late one, and a card."""
    workspace = create_workspace("Wrenfell Outdoor", slug="wrenfell")
    agent = User.objects.create_user("bob")
    add_member(workspace, agent, Membership.Role.AGENT)
    with workspace_scope(workspace.pk):
        alice = Customer.objects.create(external_id="cus_alice", name="Alice", locale="en")
        publish(create_article(Change(title="Delivery", body="A parcel takes two days.")).pk)
        _snoozed(alice, agent)
        late = services.request(start_conversation(alice.pk).pk, reason="customer_asked", by="customer", summary="")
        Ticket.objects.filter(pk=late.pk).update(waiting_since=now() - timedelta(hours=1))
        ensure_policies()
        principal = Principal(
            workspace_id=workspace.pk,
            customer_id=alice.pk,
            external_id="cus_alice",
            is_verified=True,
            locale="en",
            expires_at=now() + timedelta(minutes=10),
        )
        propose(principal, "refund_order", {"order_id": "A-1001", "reason": "Damaged"}, proposal_key="turn:1:1")
    return workspace


def _snoozed(customer: Customer, agent: User) -> None:
    conversation: Conversation = start_conversation(customer.pk)
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer", summary="")
    services.claim(ticket.pk, agent=agent)
    services.snooze(ticket.pk, agent=agent, until=now() + timedelta(hours=1))
    add_customer_message(conversation.pk, text="One more thing", client_id="1")


def run(task: str) -> None:
    load_tasks()
    current_app.tasks[task]()


@cache
def load_tasks() -> None:
    """Load the tasks, once, because loading also checks all models."""
    current_app.loader.import_default_modules()


# As the databases of `shelve` report it: files, SQLite (Python 3.13), and others.
FULL: list[Exception] = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError("database or disk is full"),
    dbm.error[0]("no space"),
]


@pytest.mark.parametrize("error", FULL, ids=str)
def test_beat_continues_on_a_full_disk(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    no_space = Mock(side_effect=error)
    scheduler = TickingScheduler(app=app, schedule_filename=str(tmp_path / "schedule"), lazy=True)
    scheduler.setup_schedule()
    with monkeypatch.context() as patch:
        patch.setattr(scheduler._store, "sync", no_space)
        scheduler.sync()
        scheduler.close()
        patch.setattr("shelve.open", no_space)
        started = TickingScheduler(app=app, schedule_filename=str(tmp_path / "other"), lazy=True)
        started.setup_schedule()
    assert set(product.CELERY_BEAT_SCHEDULE) <= set(started.schedule)
    told = {record.getMessage() for record in caplog.records if record.name == "supportbot.beat_scheduler"}
    assert told == {f"beat: the times of the last ticks are not stored: {error}"}


class FullDisk(dict[bytes, bytes]):
    def __setitem__(self, key: bytes, value: bytes) -> None:
        raise OSError("database or disk is full")


def test_the_schedule_is_stored_again_once_there_is_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = TickingScheduler(app=app, schedule_filename=str(tmp_path / "schedule"), lazy=True)
    scheduler.setup_schedule()
    store = scheduler._store
    name, entry = next(iter(scheduler.schedule.items()))
    with monkeypatch.context() as patch:
        patch.setattr(store, "dict", FullDisk())
        scheduler.sync()
    entry.total_run_count = 7
    scheduler.sync()
    assert pickle.loads(store.dict[b"entries"])[name].total_run_count == 7
    scheduler.close()


def sqlite_error(code: int, text: str) -> OSError:
    """Return an error as `dbm.sqlite3` raises it while it handles SQLite's."""
    error, own = OSError(text), sqlite3.OperationalError(text)
    own.sqlite_errorcode = code
    error.__context__ = own
    return error


@pytest.mark.parametrize("error", [FULL[0], sqlite_error(sqlite3.SQLITE_FULL, "database or disk is full")], ids=str)
def test_a_beat_that_started_on_a_full_disk_stores_its_schedule_once_there_is_space(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "beat" / "schedule"  # a full disk has no space for a folder, either
    scheduler = TickingScheduler(app=app, schedule_filename=str(file), lazy=True)
    with monkeypatch.context() as patch:
        patch.setattr("shelve.open", Mock(side_effect=error))
        scheduler.setup_schedule()
    name, entry = next(iter(scheduler.schedule.items()))
    entry.total_run_count = 7
    with monkeypatch.context() as patch:
        patch.setattr("shelve.open", lambda *_, **named: shelve.Shelf(FullDisk(), writeback=True))
        scheduler.sync()
    file.touch()  # an unreadable leftover
    scheduler.sync()
    assert scheduler.schedule[name].total_run_count == 7
    scheduler.close()
    again = TickingScheduler(app=app, schedule_filename=str(file))
    assert again.schedule[name].total_run_count == 7
    again.close()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EACCES, "Permission denied"),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.EAGAIN, "Resource temporarily unavailable"),
        sqlite_error(sqlite3.SQLITE_BUSY, "database is locked"),
    ],
    ids=str,
)
def test_a_beat_without_its_file_for_another_reason_leaves_the_file_alone(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "schedule"
    scheduler = TickingScheduler(app=app, schedule_filename=str(file), lazy=True)
    with monkeypatch.context() as patch:
        patch.setattr("shelve.open", Mock(side_effect=error))
        scheduler.setup_schedule()
    file.write_text("another beat's")
    scheduler.sync()
    assert set(product.CELERY_BEAT_SCHEDULE) <= set(scheduler.schedule)
    scheduler.close()
    assert file.read_text() == "another beat's"


def test_these_tests_run_outside_every_workspace(busy_workspace: Workspace) -> None:
    with pytest.raises(UnscopedQuery):
        Ticket.objects.count()


@pytest.mark.parametrize("task", EVERY_TASK)
def test_every_task_runs_in_an_empty_installation(task: str) -> None:
    run(task)


def test_a_tick_with_work_to_do(busy_workspace: Workspace) -> None:
    for task in EVERY_TASK:
        with transaction.atomic():
            run(task)
            transaction.set_rollback(True)  # each task finds the same work


def test_the_ticket_tick_wakes_and_escalates(busy_workspace: Workspace) -> None:
    run("supportbot.handoff.tasks.sweep_tickets")
    with workspace_scope(busy_workspace.pk):
        assert sorted(Ticket.objects.values_list("state", flat=True)) == ["claimed", "waiting"]
        assert Ticket.objects.filter(state="waiting", escalated_at=None).count() == 0


def test_expired_sessions_are_deleted_every_night() -> None:
    old, current = Client(), Client()
    for browser in (old, current):
        browser.force_login(User.objects.create_user(f"bob{id(browser)}"))
    Session.objects.filter(pk=old.session.session_key).update(expire_date=now() - timedelta(seconds=1))
    [task] = [name for name in EVERY_TASK if "purge_sessions" in name]
    run(task)
    assert [one.pk for one in Session.objects.all()] == [current.session.session_key]


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TickingScheduler:
    """Beat's own scheduler, all of whose entries have just run; it sends nothing."""
    made = TickingScheduler(app=current_app, schedule_filename=str(tmp_path / "schedule"))
    monkeypatch.setattr(made, "apply_async", lambda entry, **_: None)
    while not made.tick():
        pass
    return made


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize("is_new", [False, True])
def test_ticks_continue_after_the_clock_has_jumped(
    scheduler: TickingScheduler, monkeypatch: pytest.MonkeyPatch, hours: int, is_new: bool
) -> None:
    """Otherwise, beat would wait for an hour after the clock was set back, even after a restart."""
    moment = app.now()
    monkeypatch.setattr(app, "now", lambda: moment + timedelta(hours=hours))
    if is_new:
        scheduler.close()
        scheduler.setup_schedule()
    pauses = [entry["schedule"] for entry in product.CELERY_BEAT_SCHEDULE.values()]
    assert 0 <= scheduler.tick() <= min(pause for pause in pauses if isinstance(pause, float))
    assert all(entry.last_run_at and entry.last_run_at <= app.now() for entry in scheduler.schedule.values())


@pytest.fixture
def own_signals() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("number", STOP_SIGNALS)
@pytest.mark.parametrize("moment", ["while it sends", "while it writes"])
def test_a_stopped_beat_has_written_its_schedule(
    number: signal.Signals, moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_signals: None
) -> None:
    """While beat sends, an `except` may swallow the exception of a stop; while it writes, nothing may be raised."""
    sent, write = list[str](), PersistentScheduler.sync

    def send(scheduler: TickingScheduler, entry: Any, **_: Any) -> None:
        sent.append(entry.name)
        if moment == "while it writes":
            scheduler._do_sync()
            return
        with suppress(SystemExit):
            signal.raise_signal(number)

    def interrupted(scheduler: TickingScheduler) -> None:
        if sent and moment == "while it writes" and signal.getsignal(number) != signal.SIG_IGN:
            signal.raise_signal(number)
        write(scheduler)

    monkeypatch.setattr(TickingScheduler, "apply_async", send)
    monkeypatch.setattr(PersistentScheduler, "sync", interrupted)
    monkeypatch.setattr("supportbot.health.server.start_probes", lambda part: None)
    service = Service(app=app, schedule_filename=str(tmp_path / "schedule"), scheduler_cls=TickingScheduler)
    service.start()
    assert len(sent) == 1
    again = TickingScheduler(app=app, schedule_filename=str(tmp_path / "schedule"))
    assert [name for name, entry in again.schedule.items() if entry.total_run_count] == sent
