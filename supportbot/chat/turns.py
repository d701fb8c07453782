"""The life cycle of a turn: pending, claimed under a lease, written to, ended once.

Every write by a runner specifies its claim (turn, attempt, runner). If the row has a different claim, nothing is
written and LeaseLost is raised, so a stale runner can neither add text nor end a turn. A turn whose lease has expired
is claimed again with the next attempt number; after the third loss, it fails visibly. Times come from the database. A
lease that ends too far in the future was granted before the database's clock was set back, and counts as expired.

The statements of each turn are plain SQL, built only once; `tests/chat/test_sql_statements.py` compares them with
querysets.
"""

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, Final, Protocol
from uuid import UUID

from django.db import Error as AnyDatabaseError
from django.db import transaction
from django.db.models.functions import Now
from django.utils.timezone import now

from supportbot import sql
from supportbot.accounts.scope import across_workspaces, current_workspace_id, workspace_scope
from supportbot.chat.answers import Answer, final_payload
from supportbot.chat.errors import LeaseLost, NothingToRetry
from supportbot.chat.event_log import (
    IF_CHANGED,
    IF_UP_TO_DATE,
    NEXT_SEQ,
    NEXT_TIME,
    append_event,
    append_if,
    check_open,
    lock_conversation,
    publish_after_commit,
    touch,
)
from supportbot.chat.models import Citation, Conversation, ConversationEvent, Message, Source, Turn
from supportbot.chat.retrieval_trace import RetrievalTrace, with_trace
from supportbot.chat.signals import StopRequested, TurnsSuperseded, TurnWaiting
from supportbot.errors import NotFound
from supportbot.observing.metrics import LEASES_LOST, TURNS

logger = logging.getLogger(__name__)
LEASE: Final = timedelta(seconds=5)
# Longer than any real lease, even as seen by a statement that began before the lease was given and then had to wait.
_LONGEST_LEASE: Final = timedelta(minutes=1)
# A turn that crashes its process each time must be stopped at some point; two crashes in one answer may be bad luck.
MAX_LOSSES: Final = 2
_NOW: Final = "statement_timestamp()"
_LEASE_FROM_NOW: Final = f"{_NOW} + interval '{LEASE.total_seconds()} seconds'"
_OF_A_CLAIM: Final = {"lease_until": _LEASE_FROM_NOW, "started_at": _NOW}
OPEN: Final = (Turn.State.PENDING, Turn.State.RUNNING)
RETRIABLE: Final = (Turn.State.FAILED, Turn.State.STOPPED)
_MARKS: Final = re.compile(r"[ \t]*\[\d{1,2}\]")
# PostgreSQL checks the condition again after locking, so a turn that another runner took in the meantime does not
# match.
_CLAIMABLE: Final = f"""
SELECT {sql.columns(Turn, "t")}, {sql.columns(Conversation, "c")}
FROM chat_turn t JOIN chat_conversation c ON c.id = t.conversation_id
WHERE (
    t.state = 'pending' AND NOT EXISTS (
        SELECT FROM chat_turn r WHERE r.conversation_id = t.conversation_id AND r.state = 'running')
    OR t.state = 'running' AND NOT t.lease_until
        BETWEEN statement_timestamp() AND statement_timestamp() + interval '{_LONGEST_LEASE.total_seconds()} seconds')
  AND NOT t.id = ANY(%(in_hand)s) AND (%(only)s::uuid IS NULL OR t.conversation_id = %(only)s)
ORDER BY t.created_at LIMIT 1 FOR NO KEY UPDATE OF t, c SKIP LOCKED"""
# A retry has a fixed end. It is removed here; otherwise, messages sent before the retry starts would never be answered.
_OR_WAITING: Final = "ON CONFLICT (conversation_id) WHERE state = 'pending' DO UPDATE SET through_seq = NULL"
_BEGIN: Final = """
UPDATE chat_turn SET state = 'running', from_seq = %s, through_seq = %s, attempt = %s, runner = %s, losses = %s,
    lease_until = statement_timestamp() + %s, started_at = statement_timestamp(), partial_text = '', partial_index = 0
WHERE id = %s"""
# Parts of the statements that start or end a turn together with an event (`log.append_if`). If the turn has changed
# during a wait for the conversation's lock, PostgreSQL checks its claim again.
_UNLESS_OPEN: Final = """locked WHERE NOT EXISTS (
    SELECT FROM chat_turn o WHERE o.conversation_id = locked.id AND o.state IN ('pending', 'running'))"""
# The conditions under which a message only has to be stored and answered by the assistant. A conversation whose episode
# starts at its beginning has never had a ticket: after a ticket, an episode starts later, since the first event is a
# notice.
_ONLY_TO_ANSWER: Final = f"""{_UNLESS_OPEN} AND {IF_UP_TO_DATE}
    AND locked.mode = 'assistant' AND locked.ended_at IS NULL AND locked.episode_start_seq = 0
    AND locked.customer_id = coalesce(%s, locked.customer_id)"""
_ENDED: Final = """
UPDATE chat_turn t SET state = %s, finished_at = statement_timestamp(), partial_text = '' FROM locked
WHERE t.id = %s AND t.conversation_id = locked.id AND t.state = 'running' AND t.attempt = %s AND t.runner = %s
RETURNING t.id"""
_COURTESY: Final = f"""
UPDATE chat_message m SET courtesy = %s FROM {IF_CHANGED}
WHERE m.conversation_id = locked.id AND m.source = 'customer' AND m.seq > %s AND m.seq <= %s"""
_EXTEND: Final = """
UPDATE chat_turn t SET lease_until = statement_timestamp() + %s, partial_text = b.text, partial_index = b.index
FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::int[]) AS b(turn, attempt, runner, text, index)
WHERE t.id = b.turn AND t.state = 'running' AND t.attempt = b.attempt AND t.runner = b.runner
RETURNING t.id, t.stop_requested"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A runner's claim on one attempt of a turn, which answers the messages with `from_seq` < seq <= `through_seq`."""

    turn_id: UUID
    workspace_id: UUID
    conversation_id: UUID
    message_id: UUID
    attempt: int
    runner: str
    from_seq: int
    through_seq: int
    locale: str  # the locale of the conversation
    waited_seconds: float = 0.0  # since the message or retry or, if claimed with its message, since the commit


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The data that a runner saves when it extends a turn's lease: the text shown so far and its number of deltas."""

    claim: Claim
    text: str
    index: int


class Slot(Protocol):
    """Room that a runner of this process keeps free for one turn."""

    runner: str

    def take(self, claim: Claim) -> None:
        """Keep a turn that was claimed for the runner. Called after the commit, from any thread; must not block."""


def start_turn(conversation: Conversation, *, slot: Slot | None = None) -> UUID:
    """Ensure that a locked conversation has an open turn for its newest message, and return the turn's id. If a turn is
    already waiting, it covers this message too.

    If a runner has a slot for it and the conversation has no other open turn, the new one is claimed at once, which
    saves a transaction and the time until a runner claims it. Otherwise, it waits for a runner.
    """
    claim = _start_claimed(conversation, slot.runner) if slot is not None else None
    if slot is not None and claim is not None:
        transaction.on_commit(partial(slot.take, claim))
        return claim.turn_id
    turn_id: UUID
    [turn_id] = sql.insert_or_find(Turn(conversation=conversation), on_conflict=_OR_WAITING, returning="chat_turn.id")
    publish_after_commit(conversation.pk, TurnWaiting())
    return turn_id


def add_and_claim(
    message: Message, event: ConversationEvent, *, of: UUID | None, unless_known: str, slot: Slot
) -> Claim | None:
    """Add a customer's message and start its turn, claimed for a slot. One statement does all of this, in a third of
    the time that the separate steps take.

    Returns None if nothing was written and the caller has to take the separate steps. This happens if there is an open
    turn or there was a ticket, if a person answers, or if the conversation has ended or is being changed. It also
    happens if the conversation does not belong to the customer `of` (None if the caller has checked this), or if the
    clause `unless_known` finds the message already stored.
    """
    turn, started = _claimed_turn(event.conversation, slot.runner)
    text, values = sql.insertion(message, _ONLY_TO_ANSWER, ending=unless_known, seq=NEXT_SEQ, created_at=NEXT_TIME)
    running = sql.insertion(turn, IF_CHANGED, **_OF_A_CLAIM, from_seq="locked.answered_seq", through_seq=NEXT_SEQ)
    grown = append_if(sql.Statement(text, [*values, of]), event, second=started, also={"running": running})
    if grown is None:
        return None
    claim = _claim_of(turn, grown, through=event.seq)
    transaction.on_commit(partial(slot.take, claim))
    return claim


def _start_claimed(conversation: Conversation, runner: str) -> Claim | None:
    """Start a turn that is already claimed, and append `assistant.started`; None if the conversation has an open
    turn.
    """
    through = conversation.last_seq
    turn, event = _claimed_turn(conversation, runner)
    turn.from_seq, turn.through_seq = conversation.answered_seq, through
    grown = append_if(sql.insertion(turn, _UNLESS_OPEN, ending="RETURNING id", **_OF_A_CLAIM), event)
    if grown is None:
        return None
    conversation.last_seq, conversation.last_public_seq = grown.last_seq, grown.last_public_seq
    conversation.last_event_at = grown.last_event_at
    return _claim_of(turn, conversation, through=through)


def _claimed_turn(conversation: Conversation, runner: str) -> tuple[Turn, ConversationEvent]:
    """Return a turn that is already claimed when it is inserted, and its `assistant.started` event."""
    turn = Turn(conversation=conversation, state=Turn.State.RUNNING, attempt=1, runner=runner)
    payload = {"message": str(turn.message_id), "attempt": turn.attempt}
    return turn, ConversationEvent(conversation=conversation, event="assistant.started", payload=payload)


def _claim_of(turn: Turn, conversation: Conversation, *, through: int) -> Claim:
    of = (turn.pk, current_workspace_id(), conversation.pk, turn.message_id)
    return Claim(*of, turn.attempt, turn.runner, conversation.answered_seq, through, conversation.locale)


def claim_turn(runner: str, *, only: UUID | None = None, in_hand: Collection[UUID] = ()) -> Claim | None:
    """Claim the oldest turn that is waiting or has lost its runner, and append `assistant.started`; return None if
    there is no such turn.

    `only` limits the choice to one conversation. `in_hand` lists the turns that the caller is running, so that a
    heartbeat delayed by an overloaded machine does not count as a loss.
    """
    while True:
        with across_workspaces("runner claims a turn"), transaction.atomic():
            turn = lock_claimable(only=only, in_hand=in_hand)
            if turn is None:
                return None
            with workspace_scope(turn.workspace_pk):
                claim = _claim(turn, runner)
        if claim is not None:  # otherwise, this turn was stopped or was lost too often and failed, so try the next one
            return claim


def lock_claimable(*, only: UUID | None, in_hand: Collection[UUID]) -> Turn | None:
    """Return the oldest claimable turn of any workspace, locked together with its conversation.

    Rows locked by others are skipped.
    """
    found = sql.fetch(_CLAIMABLE, {"only": only, "in_hand": list(in_hand)})
    if not found:
        return None
    turn: Turn
    turn, turn.conversation = sql.loaded_together(found[0], Turn, Conversation)
    return turn


def _claim(turn: Turn, runner: str) -> Claim | None:
    """Claim a locked turn; return None if it was stopped or has been lost too often."""
    conversation = turn.conversation
    if turn.stop_requested:
        _end_stopped(conversation, turn, through_seq=turn.through_seq or conversation.last_seq)
        return None
    # A runner that releases its turn clears its name, and this does not count as a loss.
    was_lost = turn.state == Turn.State.RUNNING and turn.runner != ""
    if was_lost:
        # only after the commit, because a claim that is rolled back has lost nothing
        transaction.on_commit(LEASES_LOST.inc)
    if was_lost and turn.losses >= MAX_LOSSES:
        _fail(conversation, turn, "runner_lost")
        TURNS.labels("failed", "nobody").inc()
        return None
    claim = Claim(
        turn.pk,
        current_workspace_id(),
        conversation.pk,
        turn.message_id,
        turn.attempt + 1,
        runner,
        conversation.answered_seq if turn.from_seq is None else turn.from_seq,
        # Later messages are left to the next turn.
        conversation.last_seq if turn.through_seq is None else turn.through_seq,
        conversation.locale,
        max(0.0, (now() - turn.created_at).total_seconds()),
    )
    append_event(
        conversation,
        "assistant.started",
        {"message": str(turn.message_id), "attempt": claim.attempt},
        also=_beginning_of(claim, losses=turn.losses + was_lost),
    )
    return claim


def _beginning_of(claim: Claim, *, losses: int) -> sql.Statement:
    """Return the statement that stores a claim in its locked turn."""
    values = [claim.from_seq, claim.through_seq, claim.attempt, claim.runner, losses, LEASE, claim.turn_id]
    return sql.Statement(_BEGIN, values)


def _held(claim: Claim) -> Any:
    return Turn.objects.filter(pk=claim.turn_id, state=Turn.State.RUNNING, attempt=claim.attempt, runner=claim.runner)


def _lock_claimed(claim: Claim) -> Conversation:
    """Return the claim's conversation, locked; raises LeaseLost if it was erased."""
    try:
        return lock_conversation(claim.conversation_id)
    except NotFound as error:
        raise LeaseLost() from error


def extend_leases(beats: Sequence[Heartbeat]) -> Mapping[UUID, bool]:
    """Extend the leases of all turns of a process and save their texts so far, in one statement.

    Returns, by turn, whether the customer asked to stop. A turn that is missing from the result was lost.
    """
    claims = [beat.claim for beat in beats]
    parameters = [
        LEASE,
        [claim.turn_id for claim in claims],
        [claim.attempt for claim in claims],
        [claim.runner for claim in claims],
        [beat.text for beat in beats],
        [beat.index for beat in beats],
    ]
    with across_workspaces("a process keeps its leases"):
        return dict(sql.fetch(_EXTEND, parameters))


def extend_lease(claim: Claim, *, text: str, index: int) -> bool:
    """Extend the lease of one turn; return whether the customer asked to stop. Raises LeaseLost."""
    kept = extend_leases([Heartbeat(claim, text, index)])
    if claim.turn_id not in kept:
        raise LeaseLost()
    return kept[claim.turn_id]


@transaction.atomic
def restart_attempt(claim: Claim) -> Claim:
    """Start the next attempt under the same lease, because another route answers.

    Readers clear the text shown so far.
    """
    conversation = _lock_claimed(claim)
    attempt = claim.attempt + 1
    if not _held(claim).update(attempt=attempt, lease_until=Now() + LEASE, partial_text="", partial_index=0):
        raise LeaseLost()
    append_event(conversation, "assistant.started", {"message": str(claim.message_id), "attempt": attempt})
    return replace(claim, attempt=attempt)


def finish_turn(claim: Claim, answer: Answer, trace: RetrievalTrace | None = None) -> int:
    """End the turn with its answer and retrieval trace; return the `seq` of `assistant.final`.

    Raises LeaseLost if nothing was written. One statement stores everything, so no transaction is needed.
    """
    conversation = Conversation(pk=claim.conversation_id)  # it is read when it is locked
    message, citations = message_of(conversation, claim.message_id, answer)
    payload = with_trace(final_payload(claim.message_id, answer), trace)
    event = ConversationEvent(conversation=conversation, event="assistant.final", payload=payload)
    state = Turn.State.STOPPED if answer.is_stopped else Turn.State.DONE
    also = {"message": sql.insertion(message, IF_CHANGED, seq=NEXT_SEQ, created_at=NEXT_TIME)}
    also |= {f"citation_{one.position}": sql.insertion(one, "changed") for one in citations}
    if answer.courtesy:
        also["courtesy"] = sql.Statement(_COURTESY, [answer.courtesy, claim.from_seq, claim.through_seq])
    ended = sql.Statement(_ENDED, [str(state), claim.turn_id, claim.attempt, claim.runner])
    if append_if(ended, event, also=also, answered_through=claim.through_seq) is None:
        raise LeaseLost()
    # Without an event between `assistant.started` and the answer, there is no message that another turn could answer.
    if event.seq > claim.through_seq + 2:
        try:
            _wake_runner_for_next(conversation)
        except AnyDatabaseError:  # the answer is stored, and runners also look for waiting turns by themselves
            logger.exception("the next turn of conversation %s could not be announced", conversation.pk)
    return event.seq


def message_of(conversation: Conversation, message_id: UUID, answer: Answer) -> tuple[Message, list[Citation]]:
    """Return an answer's message and citations, to be stored with its `assistant.final` event."""
    message = Message(
        id=message_id,
        conversation=conversation,
        source=Source.ASSISTANT,
        text=answer.text,
        by=answer.by,
        is_abstention=answer.is_abstention,
        is_withheld=answer.is_withheld,
        release_id=answer.release,
    )
    return message, _citation_rows(message, answer)


def _citation_rows(message: Message, answer: Answer) -> list[Citation]:
    return [
        Citation(
            message=message,
            position=position,
            article_id=span.article_id,
            external_id=span.external_id,
            title=span.title,
            url=span.url,
            revision=span.revision,
            start=span.start,
            end=span.end,
            quote=span.quote,
        )
        for position, span in enumerate(answer.citations, start=1)
    ]


def mark_answered(conversation: Conversation, through_seq: int) -> None:
    """Record that the customer's messages up to `through_seq` have been answered; the conversation is locked."""
    if through_seq > conversation.answered_seq:
        touch(conversation, answered_seq=through_seq)


def is_turn_pending(conversation: Conversation) -> bool:
    """Return whether a question to the assistant is waiting for its turn."""
    pending: bool = Turn.objects.filter(conversation=conversation, state=Turn.State.PENDING).exists()
    return pending


def _wake_runner_for_next(conversation: Conversation) -> None:
    """Wake a runner if messages that arrived in the meantime are waiting to be answered."""
    if is_turn_pending(conversation):
        publish_after_commit(conversation.pk, TurnWaiting())


def explain(
    conversation: Conversation,
    text: str,
    *,
    request: UUID,
    locale: str,
    blocks: tuple[Mapping[str, Any], ...] = (),
    offers_human: bool = False,
) -> None:
    """Add a message from the assistant about a request's outcome, including its receipt; the conversation is locked.

    This is a turn without a runner, written in the same transaction as the outcome. It does not count as an answer to
    the customer's messages, so a waiting question still gets its own turn.
    """
    turn = Turn.objects.create(
        conversation=conversation,
        kind=Turn.Kind.EXPLAIN,
        state=Turn.State.DONE,
        attempt=1,
        started_at=Now(),
        finished_at=Now(),
    )
    answer = Answer(text, (), by="builtin", blocks=blocks, offers_human=offers_human, locale=locale)
    payload = {**final_payload(turn.message_id, answer), "request": str(request)}
    message, _ = message_of(conversation, turn.message_id, answer)
    append_event(conversation, "assistant.final", payload, message=message)


def check_held(claim: Claim) -> None:
    """Raise LeaseLost if the claim no longer holds its turn."""
    if not _held(claim).exists():
        raise LeaseLost()


@transaction.atomic
def fail_turn(claim: Claim, code: str) -> None:
    """End the turn as failed; the customer sees this. Raises LeaseLost."""
    conversation = _lock_claimed(claim)
    turn = _held(claim).first()
    if turn is None:
        raise LeaseLost()
    _fail(conversation, turn, code)


def _fail(conversation: Conversation, turn: Turn, code: str) -> None:
    Turn.objects.filter(pk=turn.pk).update(
        state=Turn.State.FAILED, failure_code=code, finished_at=Now(), partial_text=""
    )
    append_event(conversation, "assistant.failed", {"message": str(turn.message_id), "code": code, "retry": True})
    _wake_runner_for_next(conversation)


@transaction.atomic
def release_turn(claim: Claim) -> None:
    """Release the turn because this process is shutting down, so that another runner can claim it at once."""
    _held(claim).update(lease_until=Now() - LEASE, runner="")
    publish_after_commit(claim.conversation_id, TurnWaiting())


@transaction.atomic
def request_stop(conversation_id: UUID) -> None:
    """Stop the answer being written and the one waiting, if any."""
    conversation = lock_conversation(conversation_id)
    for turn in Turn.objects.filter(conversation=conversation, state=Turn.State.RUNNING, stop_requested=False):
        Turn.objects.filter(pk=turn.pk).update(stop_requested=True)
        publish_after_commit(conversation_id, StopRequested(str(turn.pk)))
    for turn in Turn.objects.filter(conversation=conversation, state=Turn.State.PENDING):
        _end_stopped(conversation, turn, through_seq=conversation.last_seq)


def stop_now(conversation: Conversation) -> None:
    """End every open turn of a locked conversation at once; the assistant adds nothing afterwards.

    Up to a second of text may be missing: runners save once a second, and this one can no longer write.
    """
    for turn in Turn.objects.filter(conversation=conversation, state__in=OPEN).order_by("created_at"):
        _end_stopped(conversation, turn, through_seq=turn.through_seq or conversation.last_seq)
        publish_after_commit(conversation.pk, StopRequested(str(turn.pk)))


def _end_stopped(conversation: Conversation, turn: Turn, *, through_seq: int) -> None:
    """End a turn that has no runner, with the text that was shown."""
    Turn.objects.filter(pk=turn.pk).update(
        state=Turn.State.STOPPED,
        finished_at=Now(),
        partial_text="",
        from_seq=conversation.answered_seq if turn.from_seq is None else turn.from_seq,
        through_seq=through_seq,
    )
    # Only the runner knew the sources, so remove their markers.
    text = _MARKS.sub("", turn.partial_text).strip()
    # The built-in answerer finishes before anything is saved, so saved text comes from a model.
    stopped = Answer(text=text, citations=(), by="model" if text else "builtin", is_stopped=True)
    message = message_of(conversation, turn.message_id, stopped)[0] if text else None
    payload = final_payload(turn.message_id, stopped)
    append_event(conversation, "assistant.final", payload, message=message, answered_through=through_seq)


@transaction.atomic
def retry_turn(conversation_id: UUID, message_id: UUID) -> None:
    """Try the newest answer again if it failed or was stopped, in a new turn for the same messages.

    Raises ConversationEnded, and NothingToRetry for any other message.
    """
    conversation = lock_conversation(conversation_id)
    check_open(conversation)
    replies = Turn.objects.filter(conversation=conversation, kind=Turn.Kind.REPLY)
    newest = replies.order_by("-created_at", "-id").first()
    may_retry = newest is not None and newest.message_id == message_id and newest.state in RETRIABLE
    if newest is None or not may_retry or conversation.mode != Conversation.Mode.ASSISTANT:
        raise NothingToRetry()
    Turn.objects.create(conversation=conversation, from_seq=newest.from_seq, through_seq=newest.through_seq)
    # A message that is stored at the same time must notice this turn.
    touch(conversation, last_event_at=conversation.last_event_at)
    publish_after_commit(conversation.pk, TurnWaiting())


def supersede_turns(*conversations: Conversation) -> None:
    """Void every open turn of locked conversations because an agent takes over or the conversations are being erased. A
    higher attempt number fences off the runner.
    """
    turns = list(Turn.objects.filter(conversation__in=conversations, state__in=OPEN))
    for turn in turns:
        Turn.objects.filter(pk=turn.pk).update(
            state=Turn.State.SUPERSEDED, attempt=turn.attempt + 1, finished_at=Now(), partial_text=""
        )
    for conversation_id in {turn.conversation_id for turn in turns}:
        publish_after_commit(conversation_id, TurnsSuperseded())
