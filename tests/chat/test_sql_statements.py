"""The hand-written statements return the same as the models' querysets, take few round trips and use the indexes."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from supportbot import sql
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.chat import selectors, turns
from supportbot.chat.answers import Answer
from supportbot.chat.models import Audience, Conversation, Message, Turn
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.chat.turns import Claim, Heartbeat, claim_turn, extend_leases, finish_turn
from supportbot.errors import NotFound
from supportbot.server_urls import PREPARED_AFTER

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("long_leases")]
ANSWER = Answer(text="On Thursday.", citations=(), by="model")


class AnySlot:
    runner = "runner"

    def take(self, claim: Claim) -> None: ...


def fields(row: Any) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def counted(run: Callable[[], Any]) -> int:
    """Count the statements, except those that begin and end transactions."""
    with CaptureQueriesContext(connection) as ran:
        run()
    return sum(
        not query["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")) for query in ran.captured_queries
    )


def claimable() -> Any:
    """Return the turns that can be claimed, by a queryset."""
    running = Turn.objects.filter(conversation_id=OuterRef("conversation_id"), state=Turn.State.RUNNING)
    waits = Q(state=Turn.State.PENDING) & ~Exists(running)
    is_held = Q(lease_until__gte=Now(), lease_until__lte=Now() + timedelta(minutes=1))
    is_lost = Q(state=Turn.State.RUNNING) & ~is_held
    return Turn.objects.filter(waits | is_lost).order_by("created_at")


def test_a_conversation_is_read_only_in_its_workspace(
    conversation: Conversation, workspace: Workspace, other_workspace: Workspace
) -> None:
    with transaction.atomic():
        for is_locked in (False, True):
            found = selectors.conversation_in_scope(conversation.pk, is_locked=is_locked)
            assert fields(found) == fields(Conversation.objects.get(pk=conversation.pk))
    assert selectors.conversation_in_scope(uuid4()) is None
    with workspace_scope(other_workspace.pk):
        assert selectors.conversation_in_scope(conversation.pk) is None
        with pytest.raises(NotFound):
            selectors.conversation_with_people(conversation.pk)


def test_a_conversation_comes_with_its_people(conversation: Conversation, workspace: Workspace) -> None:
    found = selectors.conversation_with_people(conversation.pk)
    same = Conversation.objects.select_related("customer", "workspace").get(pk=conversation.pk)
    with CaptureQueriesContext(connection) as ran:
        assert [fields(row) for row in (found, found.customer, found.workspace)] == [
            fields(row) for row in (same, same.customer, same.workspace)
        ]
    assert not ran.captured_queries


def test_messages_are_those_of_the_episode_that_customers_see(conversation: Conversation) -> None:
    for number in range(4):
        add_customer_message(conversation.pk, text=f"Message {number}", client_id=f"c{number}")
    Message.objects.filter(text="Message 2").update(audience=Audience.STAFF)
    conversation.refresh_from_db()
    conversation.episode_start_seq = Message.objects.get(text="Message 0").seq
    same = Message.objects.filter(
        conversation=conversation, audience=Audience.EVERYONE, seq__gt=conversation.episode_start_seq
    )
    for limit in (1, 20):
        found = selectors.history(conversation, limit=limit)
        assert [fields(row) for row in reversed(found)] == [fields(row) for row in same.order_by("-seq")[:limit]]
    first = selectors.message_by_client_id(conversation, "customer", "c0")
    assert fields(first) == fields(Message.objects.get(client_id="c0"))
    assert selectors.message_by_client_id(conversation, "agent", "c0") is None


def test_the_oldest_claimable_turn_is_the_one_that_the_models_find(workspace: Workspace, alice: Customer) -> None:
    """For every state of a turn, next to a running one and alone, with a valid and an expired lease, and with one from
    before the clock was set back.
    """
    later = now() + timedelta(seconds=30)
    for state in Turn.State.values:
        for lease in (later, now() - timedelta(minutes=1), now() + timedelta(hours=1)):
            own = Conversation.objects.create(customer=alice)
            Turn.objects.create(conversation=own, state=state, lease_until=lease)
            if state == Turn.State.PENDING:
                Turn.objects.create(conversation=own, state=Turn.State.RUNNING, lease_until=later)
    add_customer_message(start_conversation(alice.pk).pk, text="When?", client_id="c1")
    found: list[Turn] = []
    with across_workspaces("as a runner does"), transaction.atomic():
        expected = list(claimable())
        while (turn := turns.lock_claimable(only=None, in_hand=[one.pk for one in found])) is not None:
            found.append(turn)
            same = turns.lock_claimable(only=turn.conversation_id, in_hand=[])
            assert same is not None and same.pk == turn.pk
        assert [fields(turn) for turn in found] == [fields(turn) for turn in expected]
        assert [fields(turn.conversation) for turn in found] == [fields(turn.conversation) for turn in expected]
    assert len(found) == 3


def test_leases_are_extended_together(alice: Customer) -> None:
    claims = []
    for number in range(3):
        add_customer_message(start_conversation(alice.pk).pk, text="When?", client_id=f"c{number}")
        claim = claim_turn("runner")
        assert claim is not None
        claims.append(claim)
    Turn.objects.update(lease_until=now())
    Turn.objects.filter(pk=claims[1].turn_id).update(stop_requested=True)
    Turn.objects.filter(pk=claims[2].turn_id).update(attempt=2)
    beats = [Heartbeat(claim, f"Text {number}", number) for number, claim in enumerate(claims)]
    assert counted(lambda: extend_leases(beats)) == 1
    assert extend_leases(beats) == {claims[0].turn_id: False, claims[1].turn_id: True}
    saved = {turn.pk: turn for turn in Turn.objects.all()}
    for claim, text in zip(claims, ("Text 0", "Text 1", ""), strict=True):
        turn = saved[claim.turn_id]
        assert turn.partial_text == text
        assert (turn.lease_until is not None and turn.lease_until > now() + timedelta(seconds=3)) == bool(text)


def test_a_turn_takes_few_statements(conversation: Conversation) -> None:
    assert counted(lambda: add_customer_message(conversation.pk, text="When?", client_id="c1")) == 2
    claims: list[Any] = []
    assert counted(lambda: claims.append(claim_turn("runner"))) == 2
    with CaptureQueriesContext(connection) as ran:
        finish_turn(claims[0], ANSWER)
    assert len(ran.captured_queries) == 1  # without a transaction
    send = partial(add_customer_message, conversation.pk, text="And where?", client_id="c2", slot=AnySlot())
    with CaptureQueriesContext(connection) as ran:
        send()
    assert len(ran.captured_queries) == 1  # with the claim, and without a transaction
    assert counted(send) == 4  # the same again


def test_the_server_keeps_a_statement_prepared_unless_it_is_to_be_planned_each_time(conversation: Conversation) -> None:
    again, each_time = "SELECT 1 AS kept WHERE %s", "SELECT 1 AS planned WHERE %s"
    for _ in range(PREPARED_AFTER + 1):
        assert sql.fetch(again, [True]) == sql.fetch_planned(each_time, [True]) == [(1,)]
    [(kept, planned)] = sql.fetch(
        "SELECT count(*) FILTER (WHERE statement LIKE '%% AS kept %%'), "
        "count(*) FILTER (WHERE statement LIKE '%% AS planned %%') FROM pg_prepared_statements WHERE %s",
        [True],
    )
    assert (kept, planned) == (1, 0)


def test_a_claim_finds_its_turn_with_the_indexes(conversation: Conversation) -> None:
    """This does not depend on the number of ended turns, since both halves of the condition have a partial index."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO chat_turn (id, workspace_id, conversation_id, kind, state, attempt, losses, runner, message_id,
                stop_requested, partial_text, partial_index, failure_code, created_at)
            SELECT gen_random_uuid(), %s, %s, 'reply', 'done', 1, 0, 'r', gen_random_uuid(),
                false, '', 0, '', now() FROM generate_series(1, 20000)""",
            [conversation.workspace_id, conversation.pk],
        )
        cursor.execute("ANALYZE chat_turn")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {turns._CLAIMABLE}", {"only": None, "in_hand": [uuid4()]})
        plan = cursor.fetchone()
    assert plan is not None
    text = json.dumps(plan)
    assert "turn_waiting" in text
    assert "turn_lease" in text or "turn_one_running_per_conversation" in text
    # The few conversations may be read with a full scan.
    assert "chat_turn" not in {node["Relation Name"] for node in nodes_of(plan) if node["Node Type"] == "Seq Scan"}


def nodes_of(plan: Any) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a plan, at any depth."""
    if isinstance(plan, dict):
        if "Node Type" in plan:
            yield plan
        plan = plan.values()
    elif not isinstance(plan, list | tuple):
        return
    for part in plan:
        yield from nodes_of(part)
