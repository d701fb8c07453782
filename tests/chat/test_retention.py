"""Data past its retention is erased at night, unless a matter is still open."""

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from actions import audit
from actions.models import ActionPolicy, ActionRequest, AuditEntry
from actions.policy_store import ensure_policies
from supportbot.accounts.channels import create_channel
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.chat import retention
from supportbot.chat.event_log import lock_conversation
from supportbot.chat.models import Citation, Conversation, Message
from supportbot.chat.retention import Report, erase_expired
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.chat.tasks import retain
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services
from supportbot.llm.models import LLMBody, LLMCall
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.models import Announcement
from supportbot.outbox.services import count_due
from supportbot.widget.models import Rating
from tests.chat.old_conversations import OLD, in_batches_of, left, old_body, silent
from tests.locks import has_waiting_locks
from tests.widget.page import PAGE_ORIGIN, ask_for_ticket

pytestmark = pytest.mark.django_db


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


@pytest.mark.long
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
    with transaction.atomic():
        audit.record("proposed", actor="test", request_id=ActionRequest.objects.get().pk)
    audited = list(AuditEntry.objects.values())
    Conversation.objects.update(last_event_at=now() - OLD)
    assert erase_expired()[limited.pk] == Report(conversations=0, kept=3, bodies=0)
    ActionRequest.objects.update(state="cancelled")
    assert erase_expired()[limited.pk].conversations == 1
    assert ActionRequest.objects.count() == 1  # records of money stay
    assert list(AuditEntry.objects.values()) == audited and audit.verify().is_whole


def test_a_message_at_the_last_moment_keeps_a_conversation(limited: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = silent(), silent()
    erase = retention._erase

    def late(ids: Any, before: Any) -> int:
        add_customer_message(one.pk, text="Wait", client_id="1")
        return erase(ids, before)

    monkeypatch.setattr(retention, "_erase", late)
    assert erase_expired()[limited.pk].conversations == 1
    assert left() == {one.pk} and other.pk not in left()


@pytest.mark.django_db(transaction=True)
def test_a_message_that_is_stored_while_the_erasure_waits_for_the_lock_keeps_a_conversation(
    limited: Workspace,
) -> None:
    one, other = silent(), silent()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            lock_conversation(one.pk)
            erasing = pool.submit(erased_in_a_thread)
            while not has_waiting_locks():
                assert not erasing.done()
                time.sleep(0.01)
            add_customer_message(one.pk, text="Wait", client_id="1")
        assert erasing.result()[limited.pk].conversations == 1
    assert left() == {one.pk} and other.pk not in left()
    assert Message.objects.filter(conversation=one, text="Wait").exists()


def erased_in_a_thread() -> dict[Any, Report]:
    try:
        return erase_expired()
    finally:
        connections.close_all()


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


def test_each_batch_of_visitors_begins_after_the_last_one(limited: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
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
