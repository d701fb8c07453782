"""The nights in which old data is erased: their time, their pauses for chats, and their reports."""

import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils.timezone import now

from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.chat import retention
from supportbot.chat.models import Conversation, RetentionRun, Turn
from supportbot.chat.retention import Report, erase_expired, latest_runs
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.chat.tasks import retain
from supportbot.chat.turns import claim_turn
from supportbot.health.gauges import Gauges
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.models import Announcement
from supportbot.outbox.services import count_due
from tests.chat.old_conversations import OLD, Clock, in_batches_of, left, old_body, silent

pytestmark = pytest.mark.django_db


def test_erasures_that_take_too_long_are_left_to_the_next_night(
    limited: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        silent()
    in_batches_of(1, monkeypatch)
    with monkeypatch.context() as patch:
        Clock(patch).erasing_takes(retention.MOST_SECONDS)
        assert erase_expired() == {limited.pk: Report(conversations=1, kept=0, bodies=0, left=2)}
    assert erase_expired() == {limited.pk: Report(conversations=2, kept=0, bodies=0)}


def test_a_workspace_with_years_of_conversations_leaves_time_for_the_others(
    limited: Workspace, other_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    Workspace.objects.update(keep_conversations_days=30)
    for _ in range(4):
        silent()
    with workspace_scope(other_workspace.pk):
        for _ in range(2):
            silent()
    in_batches_of(1, monkeypatch)
    monkeypatch.setattr(retention, "AT_ONCE", 1)
    Clock(monkeypatch).erasing_takes(retention.MOST_SECONDS / 4)
    erased = {pk: (report.conversations, report.left) for pk, report in erase_expired().items()}
    assert erased == {limited.pk: (2, 2), other_workspace.pk: (2, 0)}


def test_a_workspace_whose_sums_cannot_be_stored_keeps_its_conversations_and_delays_no_other(
    limited: Workspace, other_workspace: Workspace, settings: Any
) -> None:
    Workspace.objects.update(keep_conversations_days=30)
    kept = silent()
    with workspace_scope(other_workspace.pk):
        silent()
    settings.BEFORE_RETENTION = [f"{__name__}.{refuse_wrenfell.__name__}"]
    erased = {pk: report.conversations for pk, report in erase_expired().items()}
    assert erased == {limited.pk: 0, other_workspace.pk: 1}
    assert left() == {kept.pk}


def test_texts_that_cannot_be_cleared_delay_no_erasure(limited: Workspace, settings: Any) -> None:
    silent()
    settings.RETENTION_OF_TEXTS = [f"{__name__}.{refuse_texts.__name__}"]
    assert erase_expired()[limited.pk].conversations == 1


def refuse_texts() -> None:
    raise ArithmeticError


def refuse_wrenfell(workspace: Workspace) -> None:
    if workspace.slug == "wrenfell":
        raise ArithmeticError


def test_without_chats_it_does_not_pause(limited: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    silent()
    clock = Clock(monkeypatch)
    clock.erasing_takes(0.3)
    assert erase_expired()[limited.pk].conversations == 1
    assert clock.paused == []


def test_batches_are_small_and_pauses_long_while_an_answer_is_being_written(
    limited: Workspace, other_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(7):
        silent()
    with workspace_scope(other_workspace.pk):
        add_customer_message(start_conversation(Customer.objects.create().pk).pk, text="Hello?", client_id="1")
        assert claim_turn("runner") is not None
    monkeypatch.setattr(retention, "MANY", 4)
    monkeypatch.setattr(retention, "FEW", 1)
    clock = Clock(monkeypatch)
    clock.erasing_takes(0.4, 0.1, 0.2, 0.9)
    assert erase_expired()[limited.pk].conversations == 7
    # At least four times as long as the batch; longer, up to three seconds, if an earlier batch was faster.
    assert clock.paused == pytest.approx([1.6, 0.4, 1.6, 3.6])


@pytest.mark.parametrize(("waiting", "paused"), [(timedelta(minutes=-1), []), (timedelta(minutes=1), [3.0])])
def test_pauses_are_longest_while_a_question_waits(
    limited: Workspace, waiting: timedelta, paused: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent()
    add_customer_message(start_conversation(Customer.objects.create().pk).pk, text="Hello?", client_id="1")
    Turn.objects.update(created_at=now() - waiting)
    clock = Clock(monkeypatch)
    assert erase_expired()[limited.pk].conversations == 1
    assert clock.paused == paused


def test_a_run_waits_while_erasures_are_being_announced(limited: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        silent()
    in_batches_of(1, monkeypatch)
    monkeypatch.setattr(retention, "MOST_ANNOUNCED", 1)
    clock, waiting = Clock(monkeypatch), list[int]()

    def deliver(seconds: float) -> None:
        if seconds == retention.PAUSE_SECONDS:
            waiting.append(count_due())
            deliver_due()

    monkeypatch.setattr(clock, "sleep", deliver)
    deliver_due()  # the announcements that the conversations began
    assert erase_expired()[limited.pk].conversations == 3
    assert waiting == [2]


def test_announcements_that_wait_for_another_attempt_do_not_delay_a_run(
    limited: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent()
    monkeypatch.setattr(retention, "MOST_ANNOUNCED", 0)
    clock = Clock(monkeypatch)
    assert Announcement.objects.filter(delivered_at=None).update(due_at=now() + timedelta(hours=1))
    assert erase_expired()[limited.pk].conversations == 1
    assert retention.PAUSE_SECONDS not in clock.paused


@pytest.mark.parametrize(("is_writing", "pauses"), [(False, 0), (True, 3)])
def test_bodies_also_leave_time_for_chats(
    limited: Workspace, is_writing: bool, pauses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_batches_of(2, monkeypatch)
    for _ in range(5):
        old_body()
    if is_writing:
        add_customer_message(start_conversation(Customer.objects.create().pk).pk, text="Hello?", client_id="1")
        assert claim_turn("runner") is not None
    clock = Clock(monkeypatch)
    assert erase_expired()[limited.pk].bodies == 5
    assert len(clock.paused) == pauses


def test_bodies_do_not_wait_behind_conversations_and_what_is_left_is_counted(
    limited: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind gets its share in turn, even in small batches; the next run erases the rest, including visitors."""
    in_batches_of(1, monkeypatch)
    monkeypatch.setattr(retention, "AT_ONCE", 4)
    for _ in range(8):
        old_body()
        silent()
    Customer.objects.create()
    Customer.objects.update(created_at=now() - OLD)
    Clock(monkeypatch).erasing_takes(retention.MOST_SECONDS / 4)
    report = erase_expired()[limited.pk]
    assert report == Report(conversations=4, kept=0, bodies=4, left=4 + 4 + 5)  # the last chats of four visitors
    found = latest_runs(limited)
    assert found is not None and found[0].remaining == 13 and found[0].visitors == 0
    monkeypatch.undo()
    assert erase_expired()[limited.pk] == Report(conversations=4, kept=0, bodies=4, visitors=9)
    assert RetentionRun.objects.latest("ended_at").visitors == 9


def test_each_run_is_reported_in_a_line_in_rows_and_in_metrics(
    limited: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        silent()
    erase_expired()
    silent()
    erase_expired()
    first, second = (record.fields for record in caplog.records if getattr(record, "event", "") == "retention")  # type: ignore[attr-defined]
    assert first == {
        "workspace": str(limited.pk), "conversations": 3, "bodies": 0, "kept": 0, "visitors": 0, "left": 0,
        "failed": False,
    }  # fmt: skip
    assert second["conversations"] == 1
    found = latest_runs(limited)
    assert found is not None and (found[0].conversations, found[1], found[2]) == (1, 4, 0)


def test_a_night_that_fails_is_reported_as_failed(limited: Workspace, settings: Any) -> None:
    settings.BEFORE_RETENTION = [f"{__name__}.no_sums"]
    conversation = silent()
    [report] = erase_expired().values()
    assert report.has_failed and report.conversations == 0 and left() == {conversation.pk}
    found = latest_runs(limited)
    assert found is not None and found[0].has_failed


def test_a_workspace_in_which_a_run_crashes_is_recorded_as_failed_and_delays_no_other(
    limited: Workspace, other_workspace: Workspace, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    Workspace.objects.update(keep_conversations_days=30)
    for _ in range(3):
        silent()
    with workspace_scope(other_workspace.pk):
        for _ in range(3):
            silent()
    in_batches_of(1, monkeypatch)
    erase, seen = retention.erase, list[Conversation]()

    def waits_in_vain(conversations: list[Conversation]) -> int:
        seen.extend(own := [one for one in conversations if one.workspace_pk == limited.pk])
        if own and len(seen) > 1:
            raise OperationalError("canceling statement due to lock timeout")
        return erase(conversations)

    monkeypatch.setattr(retention, "erase", waits_in_vain)
    settings.EMAIL_FILE_PATH = str(tmp_path)
    (tmp_path / "old.log").write_text("Hello Alice")
    os.utime(tmp_path / "old.log", (0, 0))
    retain()
    assert (len(seen), len(left()), list(tmp_path.iterdir())) == (2, 2, [])
    assert rows() == [(1, 0, 2, True)]
    with workspace_scope(other_workspace.pk):
        assert rows() == [(3, 0, 0, False)]


def rows() -> list[tuple[Any, ...]]:
    return list(RetentionRun.objects.values_list("conversations", "kept", "remaining", "has_failed"))


def test_a_conversation_that_continues_during_the_count_does_not_distort_the_report(
    limited: Workspace, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    conversation = silent()
    settings.BEFORE_RETENTION = []  # conversations without these checks count, too

    def goes_on(execute: Any, sql: str, *args: Any) -> Any:
        result = execute(sql, *args)
        if sql.startswith("SELECT COUNT("):
            Conversation.objects.filter(pk=conversation.pk).update(last_event_at=now())
        return result

    monkeypatch.setattr(retention, "MOST_SECONDS", 0.0)
    with connection.execute_wrapper(goes_on):
        retain()
    conversation.refresh_from_db()
    assert conversation.last_event_at > now() - OLD / 2 and rows() == [(0, 0, 1, False)]


def test_old_reports_are_deleted_even_where_limits_were_lifted(limited: Workspace, other_workspace: Workspace) -> None:
    with workspace_scope(other_workspace.pk):
        for days in (89, 91):
            RetentionRun.objects.create(
                ended_at=now() - timedelta(days), conversations=days, bodies=0, kept=0, remaining=0, has_failed=False
            )
    retain()
    with workspace_scope(other_workspace.pk):
        assert rows() == [(89, 0, 0, False)]


def no_sums(workspace: Workspace) -> None:
    raise RuntimeError("the sums cannot be stored")


@pytest.mark.django_db(transaction=True)
def test_the_newest_runs_are_counted_where_there_are_limits(limited: Workspace, other_workspace: Workspace) -> None:
    def counted() -> dict[str, float]:
        mine = [one for one in Gauges().collect() if one.name.startswith("supportbot_retention_")]
        return {one.name.removeprefix("supportbot_retention_"): one.samples[0].value for one in mine}

    def run(hours: int, **values: Any) -> None:
        none = {"conversations": 0, "bodies": 0, "kept": 0, "remaining": 0, "has_failed": False}
        RetentionRun.objects.create(ended_at=now() - timedelta(hours=hours), **{**none, **values})

    none_yet = counted()
    assert (none_yet["missing"], none_yet["failed"], none_yet["oldest_seconds"]) == (1, 0, 0)
    run(30, remaining=900, has_failed=True)
    run(5, remaining=40)
    with workspace_scope(other_workspace.pk):
        run(1, remaining=7, has_failed=True)  # its limits have been removed since
    found = counted()
    assert (found["left"], found["failed"], found["missing"]) == (40, 0, 0)
    assert 4 * 3600 < found["oldest_seconds"] < 6 * 3600
