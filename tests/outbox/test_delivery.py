"""Announcements arrive at least once, in order per object, in their workspace; a failing consumer loses nothing."""

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.ids import uuid7
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.models import Announcement
from supportbot.outbox.relay_thread import Relay
from supportbot.outbox.services import announce, announce_all, purge_delivered
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db
heard: list[tuple[str, UUID, UUID]] = []
deaf_to: set[UUID] = set()
batches: list[int] = []


def consumer(announcement: Announcement) -> None:
    if announcement.object_id in deaf_to:
        raise RuntimeError("not now")
    heard.append((announcement.topic, announcement.object_id, current_workspace_id()))


@pytest.fixture(autouse=True)
def topics(settings: Settings) -> None:
    heard.clear()
    deaf_to.clear()
    batches.clear()
    settings.OUTBOX_CONSUMERS = {"thing_changed": [f"{__name__}.consumer"], "thing_gone": [f"{__name__}.consumer"]}


def make_due() -> None:
    Announcement.objects.filter(delivered_at=None).update(due_at="2000-01-01T00:00:00Z")


def test_an_announcement_is_delivered_once_inside_its_workspace(workspace: Workspace) -> None:
    thing = uuid7()
    announce("thing_changed", thing, workspace_id=workspace.pk)
    assert deliver_due() == 1
    assert deliver_due() == 0
    assert heard == [("thing_changed", thing, workspace.pk)]


def test_a_rolled_back_announcement_is_never_delivered(workspace: Workspace) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        announce("thing_changed", uuid7(), workspace_id=workspace.pk)
        raise ZeroDivisionError
    assert deliver_due() == 0


def test_a_failed_delivery_is_retried_and_delays_only_its_own_object(workspace: Workspace) -> None:
    stuck, free = uuid7(), uuid7()
    deaf_to.add(stuck)
    announce("thing_changed", stuck, workspace_id=workspace.pk)
    announce("thing_gone", stuck, workspace_id=workspace.pk)
    announce("thing_changed", free, workspace_id=workspace.pk)

    deliver_due()
    assert [object_id for _, object_id, _ in heard] == [free]
    row = Announcement.objects.get(topic="thing_changed", object_id=stuck)
    assert (row.attempts, row.delivered_at) == (1, None)
    assert "not now" in row.last_error

    deaf_to.clear()
    make_due()
    deliver_due()
    assert [topic for topic, object_id, _ in heard if object_id == stuck] == ["thing_changed", "thing_gone"]


def together(announcements: list[Announcement]) -> None:
    for announcement in announcements:
        consumer(announcement)
    batches.append(len(announcements))


def test_a_topic_may_be_delivered_together_for_each_workspace(
    workspace: Workspace, other_workspace: Workspace, settings: Settings
) -> None:
    settings.OUTBOX_CONSUMERS["thing_gone"] = [f"{__name__}.together"]
    settings.OUTBOX_TOGETHER = ["thing_gone"]
    mine, foreign, changed = [uuid7(), uuid7(), uuid7()], uuid7(), uuid7()
    announce_all("thing_gone", mine[:2], workspace_id=workspace.pk)
    announce("thing_changed", changed, workspace_id=workspace.pk)
    announce("thing_gone", foreign, workspace_id=other_workspace.pk)
    announce_all("thing_gone", mine[2:], workspace_id=workspace.pk)
    assert (deliver_due(), deliver_due()) == (5, 0)
    assert batches == [3, 1]
    assert [(thing, where) for _, thing, where in heard] == [
        *((thing, workspace.pk) for thing in mine), (changed, workspace.pk), (foreign, other_workspace.pk)
    ]  # fmt: skip


def test_a_failing_announcement_among_several_delays_only_itself(workspace: Workspace, settings: Settings) -> None:
    settings.OUTBOX_CONSUMERS["thing_gone"] = [f"{__name__}.together"]
    settings.OUTBOX_TOGETHER = ["thing_gone"]
    things = [uuid7() for _ in range(3)]
    deaf_to.add(things[1])
    announce_all("thing_gone", things, workspace_id=workspace.pk)
    deliver_due()
    assert batches == [1, 1]
    waiting = Announcement.objects.get(delivered_at=None)
    assert (waiting.object_id, waiting.attempts) == (things[1], 1)
    assert Announcement.objects.exclude(pk=waiting.pk).filter(attempts=0).count() == 2
    deaf_to.clear()
    make_due()
    assert deliver_due() == 1
    assert batches == [1, 1, 1] and heard[-1][1] == things[1]


def test_many_waiting_announcements_are_not_compared_with_each_other(workspace: Workspace) -> None:
    """As after an import, while the planner's statistics are from a time when everything was delivered."""
    fill = (
        "INSERT INTO outbox_announcement (topic, object_id, workspace_id, attempts, last_error, delivered_at) "
        "SELECT 'thing_changed', gen_random_uuid(), %s, 0, '', {} FROM generate_series(1, {})"
    )
    with connection.cursor() as cursor:
        cursor.execute(fill.format("now()", 20_000), [workspace.pk])
        cursor.execute("ANALYZE outbox_announcement")
        cursor.execute(fill.format("NULL", 15_000), [workspace.pk])
        cursor.execute("SET LOCAL statement_timeout = '1min'")  # a third of them took 16 s on a fast machine
    assert deliver_due(limit=1) == 1


def test_announcing_a_topic_without_a_consumer_is_an_error(workspace: Workspace) -> None:
    with pytest.raises(ValueError, match="OUTBOX_CONSUMERS"):
        announce("unheard", uuid7(), workspace_id=workspace.pk)
    assert not Announcement.objects.exists()


def test_only_old_delivered_rows_are_purged(workspace: Workspace) -> None:
    for _ in range(3):
        announce("thing_changed", uuid7(), workspace_id=workspace.pk)
    deliver_due(limit=2)
    old = Announcement.objects.exclude(delivered_at=None).earliest("id")
    Announcement.objects.filter(pk=old.pk).update(delivered_at="2000-01-01T00:00:00Z")

    assert purge_delivered() == 1
    assert Announcement.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_relay_wakes_at_once_and_can_be_restarted(workspace: Workspace) -> None:
    before = connections_of_others()
    relay = Relay()
    for _ in range(2):
        relay.start()
        thing = uuid7()
        announce("thing_changed", thing, workspace_id=workspace.pk)
        assert wait_until(lambda thing=thing: thing in [object_id for _, object_id, _ in heard])
        relay.stop()
    assert wait_until(lambda: connections_of_others() <= before), "the relay's threads have left connections open"


@pytest.mark.django_db(transaction=True)
def test_a_stopping_relay_starts_no_other_delivery(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    is_hearing, may_go_on = threading.Event(), threading.Event()

    def slow(announcement: Announcement) -> None:
        is_hearing.set()
        may_go_on.wait(PATIENCE_SECONDS)
        heard.append((announcement.topic, announcement.object_id, announcement.workspace_id))

    monkeypatch.setattr(f"{__name__}.consumer", slow)
    for _ in range(3):
        announce("thing_changed", uuid7(), workspace_id=workspace.pk)
    relay = Relay()
    relay.start()
    assert is_hearing.wait(PATIENCE_SECONDS)
    stopping = threading.Thread(target=relay.stop)
    stopping.start()
    assert wait_until(relay._stopping.is_set)
    may_go_on.set()
    stopping.join()
    assert (len(heard), Announcement.objects.filter(delivered_at=None).count()) == (1, 2)


@pytest.mark.django_db(transaction=True)
def test_a_relay_logs_once_why_it_cannot_reach_the_database(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: list[None] = []

    def counted(**options: Any) -> int:
        rounds.append(None)
        return deliver_due(**options)

    monkeypatch.setattr("supportbot.outbox.relay_thread.deliver_due", counted)
    monkeypatch.setattr("supportbot.outbox.relay_thread.POLL_SECONDS", 0.01)
    monkeypatch.setattr("supportbot.observing.server_trouble.SETTLED_AFTER_SECONDS", 0)
    relay, thing = Relay(), uuid7()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE outbox_announcement RENAME TO not_migrated_yet")
        try:
            relay.start()
            assert wait_until(lambda: len(rounds) > 3)
        finally:
            cursor.execute("ALTER TABLE not_migrated_yet RENAME TO outbox_announcement")
    announce("thing_changed", thing, workspace_id=workspace.pk)
    assert wait_until(lambda: thing in [object_id for _, object_id, _ in heard])
    relay.stop()
    assert [line for line in caplog.messages if line.startswith("the database")] == [
        "the database: it lacks this version's migrations. Run `manage.py migrate` "
        '(relation "outbox_announcement" does not exist); retrying',
        "the database responds again",
    ]


def connections_of_others() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def wait_until(is_true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return is_true()
