"""A turn is answered by one runner, once; a runner that has lost its lease writes nothing more."""

import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connections, transaction
from django.utils.timezone import now
from prometheus_client import REGISTRY

from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.principals import CustomerCaller
from supportbot.accounts.scope import current_workspace_id, workspace_scope
from supportbot.chat import services, signal_broker
from supportbot.chat.answers import Answer
from supportbot.chat.errors import ConversationEnded, LeaseLost, NothingToRetry
from supportbot.chat.event_log import lock_conversation, touch
from supportbot.chat.models import Conversation, ConversationEvent, Message, Turn
from supportbot.chat.selectors import events_after, history, live_turn
from supportbot.chat.services import add_customer_message, give_back, hand_over
from supportbot.chat.signals import NewEvent, Signal, TurnWaiting
from supportbot.chat.turns import (
    Claim,
    add_and_claim,
    claim_turn,
    extend_lease,
    fail_turn,
    finish_turn,
    release_turn,
    request_stop,
    restart_attempt,
    retry_turn,
    supersede_turns,
)
from supportbot.errors import NotFound
from supportbot.observing.logs import JsonFormatter, concerning
from tests.chat.slots import Slots
from tests.locks import has_waiting_locks

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("long_leases")]
ANSWER = Answer(text="It arrives on Thursday.", citations=(), by="builtin")


@pytest.fixture
def claim(conversation: Conversation) -> Claim:
    add_customer_message(conversation.pk, text="When?", client_id="c1")
    claimed = claim_turn("runner-1")
    assert claimed is not None
    return claimed


def names(conversation: Conversation) -> list[str]:
    """Return the names of the log's events after the notice, which begins every log."""
    return [event.event for event in events_after(conversation.pk, 1)]


def expire_lease() -> None:
    Turn.objects.filter(state=Turn.State.RUNNING).update(lease_until=now() - timedelta(seconds=1))


def test_a_claimed_turn_is_announced_with_its_attempt(claim: Claim, conversation: Conversation) -> None:
    started = events_after(conversation.pk, 0)[-1]
    assert started.event == "assistant.started"
    assert started.payload == {"message": str(claim.message_id), "attempt": 1}
    assert claim_turn("runner-2") is None


@pytest.mark.django_db(transaction=True)
def test_a_message_comes_with_a_claimed_turn_for_a_slot(conversation: Conversation) -> None:
    slots = Slots()
    receipt = add_customer_message(conversation.pk, text="When?", client_id="c1", slot=slots)
    [claim] = slots.claims
    assert names(conversation) == ["message", "assistant.started"]
    assert (claim.attempt, claim.runner, claim.through_seq) == (1, "runner-1", receipt.seq)
    assert claim_turn("runner-2") is None
    assert extend_lease(claim, text="", index=0) is False
    finish_turn(claim, ANSWER)
    assert names(conversation)[-1] == "assistant.final"


@pytest.mark.django_db(transaction=True)
def test_a_message_waits_for_the_turn_that_is_running(conversation: Conversation) -> None:
    slots = Slots()
    for client_id in ("c1", "c2", "c3"):
        add_customer_message(conversation.pk, text="When?", client_id=client_id, slot=slots)
    [claim] = slots.claims
    assert claim_turn("runner-2") is None
    finish_turn(claim, ANSWER)
    following = claim_turn("runner-2")
    assert following is not None
    assert following.from_seq == claim.through_seq
    assert following.through_seq >= Message.objects.get(client_id="c3").seq


@pytest.mark.django_db(transaction=True)
def test_a_waiting_turn_covers_a_message_with_a_slot(conversation: Conversation) -> None:
    slots = Slots()
    add_customer_message(conversation.pk, text="When?", client_id="c1")
    add_customer_message(conversation.pk, text="And where?", client_id="c2", slot=slots)
    assert slots.claims == []
    waiting = claim_turn("runner-2")
    assert waiting is not None
    assert waiting.through_seq >= Message.objects.get(client_id="c2").seq
    finish_turn(waiting, ANSWER)
    assert claim_turn("runner-2") is None


@pytest.mark.django_db(transaction=True)
def test_nothing_is_handed_over_without_a_commit(conversation: Conversation) -> None:
    slots = Slots()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        add_customer_message(conversation.pk, text="When?", client_id="c1", slot=slots)
        raise ZeroDivisionError
    assert slots.claims == []
    assert not Turn.objects.exists()


def test_an_answer_is_kept_if_the_next_turn_cannot_be_announced(
    claim: Claim, conversation: Conversation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_: Conversation) -> bool:
        raise OperationalError("the connection is lost")

    add_customer_message(conversation.pk, text="And where?", client_id="c2")
    monkeypatch.setattr("supportbot.chat.turns.is_turn_pending", away)
    finish_turn(claim, ANSWER)
    assert Turn.objects.get(pk=claim.turn_id).state == Turn.State.DONE
    assert "could not be announced" in caplog.text
    assert claim_turn("runner-2") is not None


def test_an_answer_is_never_older_than_the_event_before_it(claim: Claim, conversation: Conversation) -> None:
    later = now() + timedelta(minutes=1)
    Conversation.objects.filter(pk=conversation.pk).update(last_event_at=later)
    finish_turn(claim, ANSWER)
    assert Message.objects.get(pk=claim.message_id).created_at == later


def test_an_answer_ends_the_turn_once(claim: Claim, conversation: Conversation) -> None:
    finish_turn(claim, ANSWER)
    with pytest.raises(LeaseLost):
        finish_turn(claim, ANSWER)
    assert names(conversation) == ["message", "assistant.started", "assistant.final"]
    assert Message.objects.get(source="assistant").text == ANSWER.text


def test_a_message_sent_during_an_answer_waits_for_the_next_turn(claim: Claim, conversation: Conversation) -> None:
    add_customer_message(conversation.pk, text="And where?", client_id="c2")
    assert claim_turn("runner-2") is None
    finish_turn(claim, ANSWER)
    following = claim_turn("runner-2")
    assert following is not None
    assert following.turn_id != claim.turn_id


def test_a_lost_turn_is_retried_and_its_stale_runner_is_fenced_off(claim: Claim, conversation: Conversation) -> None:
    extend_lease(claim, text="It arri", index=2)
    expire_lease()
    second = claim_turn("runner-2")

    assert second is not None
    assert (second.turn_id, second.attempt) == (claim.turn_id, 2)
    for zombie_write in (
        lambda: finish_turn(claim, ANSWER),
        lambda: fail_turn(claim, "late"),
        lambda: extend_lease(claim, text="It arrives", index=3),
        lambda: restart_attempt(claim),
    ):
        with pytest.raises(LeaseLost):
            zombie_write()
    view = live_turn(conversation.pk)
    assert view is not None
    assert (view.text, view.attempt) == ("", 2)
    finish_turn(second, ANSWER)
    assert names(conversation).count("assistant.final") == 1


def test_a_late_heartbeat_of_a_running_turn_is_not_a_loss(claim: Claim, conversation: Conversation) -> None:
    expire_lease()
    assert claim_turn("runner-1", in_hand=[claim.turn_id]) is None
    assert extend_lease(claim, text="", index=0) is False
    finish_turn(claim, ANSWER)
    assert names(conversation).count("assistant.started") == 1


def test_a_running_turn_can_be_taken_over_by_another_runner(claim: Claim) -> None:
    expire_lease()
    taken = claim_turn("runner-2", in_hand=[uuid4()])
    assert taken is not None
    assert (taken.turn_id, taken.attempt) == (claim.turn_id, 2)


def test_the_third_loss_fails_the_turn(claim: Claim, conversation: Conversation) -> None:
    for attempt, runner in enumerate(("runner-2", "runner-3"), 2):
        expire_lease()
        taken = claim_turn(runner)
        assert taken is not None and taken.attempt == attempt
    expire_lease()
    assert claim_turn("runner-4") is None
    failed = events_after(conversation.pk, 0)[-1]
    assert failed.event == "assistant.failed"
    assert failed.payload == {"message": str(claim.message_id), "code": "runner_lost", "retry": True}


def test_a_failed_answer_can_be_retried(claim: Claim, conversation: Conversation) -> None:
    fail_turn(claim, "model_unavailable")
    retry_turn(conversation.pk, claim.message_id)
    again = claim_turn("runner-1")
    assert again is not None
    with pytest.raises(NothingToRetry):
        retry_turn(conversation.pk, claim.message_id)


def test_no_answer_can_be_retried_after_the_conversation_has_ended(claim: Claim, conversation: Conversation) -> None:
    fail_turn(claim, "model_unavailable")
    touch(lock_conversation(conversation.pk), ended_at=now())
    with pytest.raises(ConversationEnded):
        retry_turn(conversation.pk, claim.message_id)
    assert Turn.objects.count() == 1


def test_nothing_can_be_retried_after_an_answer(claim: Claim, conversation: Conversation) -> None:
    finish_turn(claim, ANSWER)
    with pytest.raises(NothingToRetry):
        retry_turn(conversation.pk, claim.message_id)
    assert Turn.objects.count() == 1


def test_after_a_takeover_the_runner_cannot_write(claim: Claim, conversation: Conversation, bob: User) -> None:
    locked = lock_conversation(conversation.pk)
    supersede_turns(locked)
    hand_over(locked, mode=Conversation.Mode.PERSON, agent=bob)
    with pytest.raises(LeaseLost):
        finish_turn(claim, ANSWER)
    assert names(conversation) == ["message", "assistant.started"]
    assert not Message.objects.filter(source="assistant").exists()


def test_stop_reaches_the_runner_with_its_next_heartbeat(claim: Claim, conversation: Conversation) -> None:
    assert extend_lease(claim, text="It", index=1) is False
    request_stop(conversation.pk)
    assert extend_lease(claim, text="It arrives", index=2) is True
    finish_turn(claim, Answer(text="It arrives", citations=(), by="model", is_stopped=True))
    assert events_after(conversation.pk, 0)[-1].payload["stopped"] is True


def test_stop_before_the_first_word_ends_the_turn(conversation: Conversation) -> None:
    add_customer_message(conversation.pk, text="When?", client_id="c1")
    request_stop(conversation.pk)
    assert claim_turn("runner-1") is None
    assert events_after(conversation.pk, 0)[-1].payload["stopped"] is True


def test_a_released_turn_is_claimed_at_once(claim: Claim) -> None:
    release_turn(claim)
    again = claim_turn("runner-2")
    assert again is not None
    assert again.attempt == 2


def test_a_restart_raises_the_attempt(claim: Claim, conversation: Conversation) -> None:
    second = restart_attempt(claim)
    assert second.attempt == 2
    assert events_after(conversation.pk, 0)[-1].payload["attempt"] == 2
    finish_turn(second, ANSWER)


def test_messages_during_an_answer_belong_to_the_next_turn(claim: Claim, conversation: Conversation) -> None:
    for number in (2, 3):
        add_customer_message(conversation.pk, text=f"More {number}", client_id=f"c{number}")
    finish_turn(claim, ANSWER)
    following = claim_turn("runner-1")
    assert following is not None
    assert (claim.from_seq, claim.through_seq) == (0, 2)
    assert following.from_seq == claim.through_seq
    asked = Message.objects.filter(
        source="customer", seq__gt=following.from_seq, seq__lte=following.through_seq
    ).values_list("text", flat=True)
    assert list(asked) == ["More 2", "More 3"]


def test_a_retry_answers_the_same_messages(claim: Claim, conversation: Conversation) -> None:
    fail_turn(claim, "model_unavailable")
    retry_turn(conversation.pk, claim.message_id)
    again = claim_turn("runner-1")
    assert again is not None
    assert (again.from_seq, again.through_seq) == (claim.from_seq, claim.through_seq)


def test_messages_before_a_retry_starts_are_answered_with_it(claim: Claim, conversation: Conversation) -> None:
    fail_turn(claim, "model_unavailable")
    retry_turn(conversation.pk, claim.message_id)
    receipt = add_customer_message(conversation.pk, text="Meanwhile", client_id="c2")
    again = claim_turn("runner-1")
    assert again is not None
    assert (again.from_seq, again.through_seq) == (claim.from_seq, receipt.seq)


def test_a_failed_question_answered_with_the_next_one_cannot_be_retried(
    claim: Claim, conversation: Conversation
) -> None:
    fail_turn(claim, "model_unavailable")
    add_customer_message(conversation.pk, text="Hello?", client_id="c2")
    following = claim_turn("runner-1")
    assert following is not None
    assert following.from_seq == claim.from_seq
    finish_turn(following, ANSWER)
    with pytest.raises(NothingToRetry):
        retry_turn(conversation.pk, claim.message_id)


def test_a_question_that_an_agent_took_over_is_not_answered_afterwards(
    claim: Claim, conversation: Conversation, bob: User
) -> None:
    add_customer_message(conversation.pk, text="Second", client_id="c2")
    finish_turn(claim, ANSWER)
    locked = lock_conversation(conversation.pk)
    supersede_turns(locked)
    hand_over(locked, mode=Conversation.Mode.PERSON, agent=bob)
    give_back(lock_conversation(conversation.pk), note="")
    assert claim_turn("runner-1") is None
    add_customer_message(conversation.pk, text="Third", client_id="c3")
    following = claim_turn("runner-1")
    assert following is not None
    assert following.from_seq >= Message.objects.get(text="Second").seq


def test_a_question_waiting_for_the_assistant_survives_a_handoff_request(
    conversation: Conversation,
) -> None:
    asked = add_customer_message(conversation.pk, text="Where is my parcel?", client_id="c1")
    hand_over(lock_conversation(conversation.pk), mode=Conversation.Mode.WAITING)
    give_back(lock_conversation(conversation.pk), note="")
    following = claim_turn("runner-1")
    assert following is not None
    assert following.from_seq < asked.seq <= following.through_seq
    conversation.refresh_from_db()
    assert asked.seq in [message.seq for message in history(conversation)]


def test_a_lost_turn_that_was_stopped_is_not_retried(claim: Claim, conversation: Conversation) -> None:
    extend_lease(claim, text="It arri", index=2)
    request_stop(conversation.pk)
    expire_lease()
    assert claim_turn("runner-2") is None
    final = events_after(conversation.pk, 0)[-1]
    assert (final.event, final.payload["text"], final.payload["stopped"]) == ("assistant.final", "It arri", True)


def lost() -> float:
    return REGISTRY.get_sample_value("supportbot_turn_leases_lost_total") or 0.0


@pytest.mark.django_db(transaction=True)
def test_a_lost_lease_is_counted_once_it_is_certain(claim: Claim) -> None:
    before = lost()
    expire_lease()
    with pytest.raises(RuntimeError, match="undone"), transaction.atomic():
        assert claim_turn("runner-2") is not None
        raise RuntimeError("undone")
    assert lost() == before
    assert claim_turn("runner-2") is not None
    assert lost() == before + 1


@pytest.mark.django_db(transaction=True)
def test_a_log_line_connects_the_request_with_its_turn(
    conversation: Conversation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with concerning(socket="s-1"):
        for number in range(2):  # the second message joins the waiting turn
            add_customer_message(conversation.pk, text="When?", client_id=str(number))
        lines = [
            JsonFormatter().format(record) for record in caplog.records if getattr(record, "event", "") == "message"
        ]
    claimed = claim_turn("runner-1")
    assert claimed is not None and len(lines) == 2
    for line in map(json.loads, lines):
        assert (line["socket"], line["turn"]) == ("s-1", str(claimed.turn_id))


# --- An answer that is stored while another transaction has the conversation.


def after(
    meanwhile: Callable[[Conversation], object], conversation_id: UUID, waiting: Callable[[], Any]
) -> "Future[Any]":
    """Call `waiting` in another thread while a transaction has the conversation locked and calls `meanwhile`; return
    its result, as a future.
    """
    workspace_id = current_workspace_id()

    def run() -> Any:
        try:
            with workspace_scope(workspace_id):
                return waiting()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            locked = lock_conversation(conversation_id)
            running = pool.submit(run)
            while not has_waiting_locks():
                assert not running.done()
                time.sleep(0.01)
            meanwhile(locked)
        wait([running])
    return running


def finished_after(claim: Claim, meanwhile: Callable[[Conversation], object]) -> "Future[int]":
    return after(meanwhile, claim.conversation_id, lambda: finish_turn(claim, ANSWER))


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_stored_after_a_heartbeat_that_came_first(claim: Claim, conversation: Conversation) -> None:
    stored = finished_after(claim, lambda _: extend_lease(claim, text="It", index=1))
    assert [event.seq for event in events_after(conversation.pk, 0)][-1] == stored.result()
    assert Turn.objects.get().state == Turn.State.DONE


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_void_once_an_agent_has_the_conversation(
    claim: Claim, conversation: Conversation, bob: User
) -> None:
    def take_over(locked: Conversation) -> None:
        supersede_turns(locked)
        hand_over(locked, mode=Conversation.Mode.PERSON, agent=bob)

    with pytest.raises(LeaseLost):
        finished_after(claim, take_over).result()
    assert names(conversation) == ["message", "assistant.started"]
    assert Turn.objects.get().state == Turn.State.SUPERSEDED


@pytest.mark.django_db(transaction=True)
def test_a_message_that_came_first_gets_its_turn_at_once(
    claim: Claim, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[Signal] = []
    monkeypatch.setattr(signal_broker, "publish", lambda _, signal: published.append(signal))
    finished_after(claim, lambda _: add_customer_message(conversation.pk, text="And where?", client_id="c2")).result()
    assert names(conversation) == ["message", "assistant.started", "message", "assistant.final"]
    assert published.count(TurnWaiting()) == 2  # for the message, which is too early, and for the end of the answer
    assert isinstance(claim_turn("runner-2"), Claim)


# --- A message that is stored with its claim in one statement, or in steps.


@pytest.mark.django_db(transaction=True)
def test_a_message_that_waits_for_a_retry_is_answered_with_it(claim: Claim, conversation: Conversation) -> None:
    """The message's statement began before the retry was stored, so it does not see the retry's turn."""
    fail_turn(claim, "model_unavailable")
    slots = Slots()
    send = partial(add_customer_message, conversation.pk, text="Meanwhile", client_id="c2", slot=slots)
    receipt = after(lambda _: retry_turn(conversation.pk, claim.message_id), conversation.pk, send).result()
    assert slots.claims == []
    again = claim_turn("runner-1")
    assert again is not None
    assert (again.from_seq, again.through_seq) == (claim.from_seq, receipt.seq)
    finish_turn(again, ANSWER)
    assert claim_turn("runner-1") is None


@pytest.mark.django_db(transaction=True)
def test_a_message_that_waits_for_an_agent_gets_no_turn(conversation: Conversation, bob: User) -> None:
    slots = Slots()
    send = partial(add_customer_message, conversation.pk, text="When?", client_id="c1", slot=slots)
    after(lambda locked: hand_over(locked, mode=Conversation.Mode.PERSON, agent=bob), conversation.pk, send).result()
    assert slots.claims == []
    assert names(conversation) == ["message"]
    assert not Turn.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_message_with_its_claim_is_logged_in_order(conversation: Conversation) -> None:
    slots = Slots()
    receipt = add_customer_message(conversation.pk, text="When?", client_id="c1", slot=slots)
    first, message, started = events_after(conversation.pk, 0)
    assert (message.seq, message.prev_seq) == (receipt.seq, first.seq)
    assert (started.seq, started.prev_seq) == (receipt.seq + 1, receipt.seq)
    assert first.created_at <= message.created_at <= started.created_at
    stored = Conversation.objects.get(pk=conversation.pk)
    assert (stored.last_seq, stored.last_public_seq, stored.last_event_at) == (
        started.seq,
        started.seq,
        started.created_at,
    )
    turn = Turn.objects.get()
    assert (turn.from_seq, turn.through_seq, turn.state, turn.runner) == (0, receipt.seq, "running", "runner-1")
    assert turn.lease_until is not None and turn.started_at is not None and turn.lease_until > turn.started_at
    [claim] = slots.claims
    assert (claim.from_seq, claim.through_seq, claim.message_id) == (0, receipt.seq, turn.message_id)


def test_the_start_of_an_answer_is_never_older_than_its_message(conversation: Conversation) -> None:
    """Both times are taken before the statement, and the clock may be set back in between."""
    message = Message(conversation=conversation, source="customer", text="When?", client_id="c1")
    event = ConversationEvent(
        conversation=conversation,
        event="message",
        payload={"message": str(message.pk)},
        created_at=now() + timedelta(minutes=1),
    )
    assert add_and_claim(message, event, of=None, unless_known=services._UNLESS_KNOWN, slot=Slots()) is not None
    times = [one.created_at for one in events_after(conversation.pk, 0)]
    assert times == sorted(times)


@pytest.mark.django_db(transaction=True)
def test_both_events_of_a_message_with_its_claim_are_published(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[Signal] = []
    monkeypatch.setattr(signal_broker, "publish", lambda _, signal: published.append(signal))
    receipt = add_customer_message(conversation.pk, text="When?", client_id="c1", slot=Slots())
    views = [signal.event for signal in published if isinstance(signal, NewEvent)]
    assert views == events_after(conversation.pk, 1)
    assert [view.seq for view in views if view is not None] == [receipt.seq, receipt.seq + 1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("case", ["another customer", "another workspace", "ended"])
def test_a_message_with_a_slot_is_refused_and_leaves_nothing_behind(
    case: str, conversation: Conversation, other_workspace: Workspace
) -> None:
    workspace_id, owner = conversation.workspace_pk, conversation.customer_id
    sender = CustomerCaller(workspace_id, owner, is_verified=False)
    if case == "another customer":
        sender = CustomerCaller(workspace_id, Customer.objects.create(visitor_hash="other").pk, is_verified=False)
    elif case == "another workspace":
        sender = CustomerCaller(other_workspace.pk, owner, is_verified=False)
    else:
        Conversation.objects.filter(pk=conversation.pk).update(ended_at=now())
    slots = Slots()
    with pytest.raises(ConversationEnded if case == "ended" else NotFound):
        add_customer_message(conversation.pk, text="When?", client_id="c1", sender=sender, slot=slots)
    assert slots.claims == []
    assert names(conversation) == []
    assert not Message.objects.filter(source="customer").exists()
    assert not Turn.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("stored", "is_called", "is_claimed"),
    [
        ({}, False, True),
        ({"episode_start_seq": 1}, True, True),
        ({"mode": Conversation.Mode.WAITING}, True, False),
        ({"ended_at": datetime(2100, 1, 1, tzinfo=UTC)}, True, True),
    ],
)
def test_the_team_hears_of_a_message_unless_there_never_was_a_ticket(
    stored: dict[str, Any],
    is_called: bool,
    is_claimed: bool,
    conversation: Conversation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Conversation.objects.filter(pk=conversation.pk).update(**stored)
    heard: list[int] = []

    def hear(conversation: Conversation, seq: int) -> None:
        heard.append(seq)

    hear.only_with_tickets = True  # type: ignore[attr-defined]
    monkeypatch.setattr(services, "on_customer_message", lambda: hear)
    slots = Slots()
    receipt = add_customer_message(conversation.pk, text="When?", client_id="c1", slot=slots)
    assert heard == ([receipt.seq] if is_called else [])
    assert len(slots.claims) == is_claimed


@pytest.mark.django_db(transaction=True)
def test_an_operators_own_hook_is_called_for_every_message(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    monkeypatch.setattr(services, "on_customer_message", lambda: lambda _, seq: heard.append(seq))
    slots = Slots()
    receipt = add_customer_message(conversation.pk, text="When?", client_id="c1", slot=slots)
    assert heard == [receipt.seq] and len(slots.claims) == 1
