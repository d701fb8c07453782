"""Data past its retention is erased at night, unless a matter is still open."""

import logging
import os
import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from actions.models import ActionPolicy, ActionRequest
from actions.policy_store import ensure_policies
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.services import create_channel
from supportbot.chat import retention
from supportbot.chat.models import Citation, Conversation, Message, RetentionRun, Turn
from supportbot.chat.retention import Report, erase_expired, latest_runs
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.chat.tasks import retain
from supportbot.chat.turns import claim_turn
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services
from supportbot.health.gauges import Gauges
from supportbot.llm.models import LLMBody, LLMCall
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.models import Announcement
from supportbot.outbox.services import count_due
from supportbot.widget.models import Rating
from tests.widget.page import PAGE_ORIGIN, ask_for_ticket

pytestmark = pytest.mark.django_db
OLD = timedelta(days=40)


def silent(age: timedelta = OLD) -> Conversation:
    made = start_conversation(Customer.objects.create().pk)
    Message.objects.create(conversation=made, seq=9, source="customer", text="Thanks")
    Conversation.objects.filter(pk=made.pk).update(last_event_at=now() - age)
    return made


@pytest.fixture
def limited(workspace: Workspace) -> Workspace:
    Workspace.objects.filter(pk=workspace.pk).update(keep_conversations_days=30, keep_bodies_days=5)
    return workspace


def in_batches_of(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MANY", "FEW"):
        monkeypatch.setattr(retention, name, count)


def left() -> set[Any]:
    return set(Conversation.objects.values_list("pk", flat=True))


def test_old_conversations_are_erased_and_others_kept(
    limited: Workspace, other_workspace: Workspace, monkeypatch: Any
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    fresh = silent(timedelta(days=29))
    for _ in range(5):
        silent()
    with workspace_scope(other_workspace.pk):
        foreign = silent()
    assert erase_expired() == {limited.pk: Report(conversations=5, kept=0, bodies=0)}
    assert left() == {fresh.pk}
    with workspace_scope(other_workspace.pk):
        assert left() == {foreign.pk}
    retain()
    assert left() == {fresh.pk}


@dataclass
class Clock:
    """The clock of a night: a pause takes no time, and each erasure takes as long as the test says."""

    patch: pytest.MonkeyPatch
    at: float = 0.0
    paused: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.patch.setattr(retention, "time", self)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.paused.append(seconds)

    def erasing_takes(self, *seconds: float) -> None:
        """Set how long each batch takes; the last value counts for all further batches."""
        erase, waits = retention._erase, list(seconds)

        def slowly(*args: Any) -> int:
            self.at += waits.pop(0) if len(waits) > 1 else waits[0]
            return erase(*args)

        self.patch.setattr(retention, "_erase", slowly)


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


def test_texts_that_cannot_be_emptied_delay_no_erasure(limited: Workspace, settings: Any) -> None:
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
    # Four times as long as the batch at least, and up to three seconds if others were faster.
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


def old_conversation() -> Conversation:
    """Return an old conversation with something in every table."""
    made = silent()
    services.request(made.pk, reason="customer_asked", by="customer")
    answer = Message.objects.create(conversation=made, seq=10, source="assistant", text="30 days [1]")
    Citation.objects.create(message=answer, position=1, article_id=made.pk, revision=1, start=0, end=1, quote="30")
    Rating.objects.create(conversation=made, score=5)
    call = LLMCall.objects.create(
        purpose="answer", provider="p", model="m", duration_ms=1, outcome="done", conversation_id=made.pk
    )
    LLMBody.objects.create(call=call, request="x", expires_at=now() + timedelta(days=9))
    Ticket.objects.filter(conversation=made).update(state="resolved", ended_at=now())
    Conversation.objects.filter(pk=made.pk).update(mode="assistant", last_event_at=now() - OLD)
    return made


def test_many_conversations_take_as_many_statements_as_one(limited: Workspace) -> None:
    """Count the statements of a batch and of the delivery of its announcements."""
    counts = []
    deliver_due()
    for number in (1, 12):
        for _ in range(number):
            old_conversation()
        Announcement.objects.update(delivered_at=now())
        with CaptureQueriesContext(connection) as erasing:
            retain()
        with CaptureQueriesContext(connection) as delivering:
            assert deliver_due() == number
        counts.append((len(erasing), len(delivering)))
    assert counts[0] == counts[1], counts
    assert left() == set() and not LLMBody.objects.exists() and LLMCall.objects.count() == 13


def test_no_turn_that_has_ended_is_read_to_find_a_batch(limited: Workspace) -> None:
    """There may be millions of them; turns that wait or run have small indexes of their own."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        plan = retention._settled(now()).order_by("pk")[:500].explain()
    assert re.findall(r"using (\w+) on chat_turn", plan) == [
        "turn_one_pending_per_conversation", "turn_one_running_per_conversation",
    ]  # fmt: skip


def test_a_run_that_dies_in_a_batch_has_erased_none_of_it_and_the_next_run_continues(
    limited: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        old_conversation()
    in_batches_of(2, monkeypatch)
    erase, batches = retention.erase, list[int]()

    def dies(conversations: Any) -> int:
        batches.append(erase(conversations))
        if len(batches) == 2:
            raise SystemExit
        return batches[-1]

    monkeypatch.setattr(retention, "erase", dies)
    with pytest.raises(SystemExit):
        retain()
    assert len(left()) == Rating.objects.count() == 2
    assert Announcement.objects.filter(topic="conversation_erased").count() == 2
    assert erase_expired()[limited.pk] == Report(conversations=2, kept=0, bodies=0)
    assert left() == set() and batches == [2, 2, 2]


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
    deliver_due()  # the announcements of their beginnings
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


def test_only_workers_deliver_the_announcements_of_erasures(limited: Workspace, settings: Any) -> None:
    silent()
    erase_expired()
    deliver_due(without=settings.OUTBOX_OF_WORKERS)
    waiting = Announcement.objects.filter(delivered_at=None)
    assert set(waiting.values_list("topic", flat=True)) == {"conversation_erased"}
    assert deliver_due() == 1 and count_due() == 0


def test_conversations_with_open_matters_are_kept(limited: Workspace, bob: User) -> None:
    waiting, asked, requested = silent(), silent(), silent()
    services.request(waiting.pk, reason="customer_asked", by="customer")
    add_customer_message(asked.pk, text="Hello?", client_id="1")
    ensure_policies()
    policy = ActionPolicy.objects.get(action="cancel_order").current
    ActionRequest.objects.create(
        customer_id=requested.customer_id, conversation_id=requested.pk, proposal_key="1", action="cancel_order",
        spec_version=1, policy_version=policy, asked_digest="x", arguments={}, digest="x", proposed_by="x",
    )  # fmt: skip
    ActionRequest.objects.update(state="awaiting_confirmation", expires_at=now())
    Conversation.objects.update(last_event_at=now() - OLD)
    assert erase_expired()[limited.pk] == Report(conversations=0, kept=3, bodies=0)
    ActionRequest.objects.update(state="cancelled")
    assert erase_expired()[limited.pk].conversations == 1
    assert ActionRequest.objects.count() == 1  # records of money stay


def test_a_message_at_the_last_moment_keeps_a_conversation(limited: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = silent(), silent()
    erase = retention._erase

    def late(ids: Any, before: Any) -> int:
        add_customer_message(one.pk, text="Wait", client_id="1")
        return erase(ids, before)

    monkeypatch.setattr(retention, "_erase", late)
    assert erase_expired()[limited.pk].conversations == 1
    assert left() == {one.pk} and other.pk not in left()


def old_body(days: int = 6) -> None:
    call = LLMCall.objects.create(
        purpose="answer", provider="p", model="m", duration_ms=1, outcome="done", started_at=now() - timedelta(days)
    )
    LLMBody.objects.create(call=call, request="x", expires_at=now() + timedelta(days=9))


def test_bodies_have_their_own_limit(limited: Workspace) -> None:
    for days in (4, 6):
        old_body(days)
    assert erase_expired()[limited.pk].bodies == 1
    assert LLMCall.objects.count() == 2


def test_visitors_are_erased_after_their_last_conversation(limited: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each browser that opens a chat is a visitor. Signed-in customers and visitors who may still write are kept."""
    in_batches_of(2, monkeypatch)
    gone = [silent().customer_id for _ in range(3)] + [Customer.objects.create(name="An agent").pk]
    writes = silent(timedelta(days=1)).customer_id
    known = start_conversation(Customer.objects.create(external_id="cus_1").pk)
    Conversation.objects.filter(pk=known.pk).update(last_event_at=now() - OLD)
    Customer.objects.update(created_at=now() - OLD)
    new = Customer.objects.create().pk
    assert erase_expired()[limited.pk] == Report(conversations=4, kept=0, bodies=0, visitors=4)
    assert set(Customer.objects.values_list("pk", flat=True)) == {writes, known.customer_id, new}
    assert not Customer.objects.filter(pk__in=gone).exists()


def test_a_visitor_who_writes_at_the_last_moment_is_kept(limited: Workspace) -> None:
    Customer.objects.create()
    Customer.objects.update(created_at=now() - OLD)
    visitor = Customer.objects.get()

    def writes(execute: Any, sql: str, *args: Any) -> Any:
        result = execute(sql, *args)
        if "FOR UPDATE SKIP LOCKED" in sql and not left():
            start_conversation(visitor.pk)
        return result

    with connection.execute_wrapper(writes):
        retain()
    assert Customer.objects.get() == visitor and len(left()) == 1


def test_a_browser_whose_visitor_is_gone_becomes_a_new_one(limited: Workspace) -> None:
    """The widget forgets the secret on this error, and asks for a ticket without it."""
    channel = create_channel(limited, "Shop", allowed_origins=[PAGE_ORIGIN]).channel

    def ticket(**facts: str) -> Any:
        return ask_for_ticket({"channel": channel.key, **facts}).json()

    first = ticket()
    Conversation.objects.update(last_event_at=now() - OLD)
    Customer.objects.update(created_at=now() - OLD)
    retain()
    assert ticket(visitor=first["visitor"])["code"] == "invalid_visitor"
    assert ticket()["visitor"] != first["visitor"]


@pytest.mark.parametrize(("is_writing", "pauses"), [(False, 0), (True, 3)])
def test_bodies_leave_time_to_chats_too(
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
    assert report == Report(conversations=4, kept=0, bodies=4, left=4 + 4 + 5)  # four visitors lost their last one
    found = latest_runs(limited)
    assert found is not None and found[0].remaining == 13 and found[0].visitors == 0
    monkeypatch.undo()
    assert erase_expired()[limited.pk] == Report(conversations=4, kept=0, bodies=4, visitors=9)
    assert RetentionRun.objects.latest("ended_at").visitors == 9


def test_each_batch_of_visitors_begins_behind_the_last_one(limited: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    in_batches_of(2, monkeypatch)
    for number in range(5):
        Customer.objects.create(external_id=f"cus_{number}")
        Customer.objects.create()
    Customer.objects.update(created_at=now() - OLD)
    with CaptureQueriesContext(connection) as queries:
        assert erase_expired()[limited.pk].visitors == 5
    locks = [query["sql"] for query in queries if "FOR UPDATE SKIP LOCKED" in query["sql"]]
    assert ['"accounts_customer"."id" >' in sql for sql in locks] == [False, True, True]


def test_without_a_limit_nothing_is_erased(workspace: Workspace) -> None:
    silent(timedelta(days=4000))
    assert erase_expired() == {}
    assert len(left()) == 1


def test_mail_files_are_deleted_after_the_shortest_limit(
    limited: Workspace, other_workspace: Workspace, settings: Any, tmp_path: Path
) -> None:
    settings.EMAIL_FILE_PATH = str(tmp_path)
    Workspace.objects.filter(pk=other_workspace.pk).update(keep_conversations_days=300)
    for name, days in (("old.log", 31), ("young.log", 29), ("other.txt", 99)):
        (tmp_path / name).write_text("Hello Alice")
        at = (now() - timedelta(days=days)).timestamp()
        os.utime(tmp_path / name, (at, at))
    retain()
    assert {file.name for file in tmp_path.iterdir()} == {"young.log", "other.txt"}
    settings.EMAIL_FILE_PATH = None  # while a mail server is configured
    retain()


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


def test_a_conversation_that_continues_during_the_count_does_not_falsify_the_report(
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


def test_old_reports_are_deleted_where_limits_were_lifted_too(limited: Workspace, other_workspace: Workspace) -> None:
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
