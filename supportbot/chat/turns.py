"""The life of a turn: waiting, claimed under a lease, written to, ended once.

Every write of a runner names its claim (turn, attempt, runner). If the row says otherwise, the write does not happen
and LeaseLost is raised: a zombie can neither speak nor end a turn. A turn whose lease ran out is claimed again with
the next attempt; at the second loss it fails openly. Times are the database's.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from supportbot.accounts.scope import across_workspaces, current_workspace_id, workspace_scope
from supportbot.chat.answers import Answer, final_payload, store_message
from supportbot.chat.errors import LeaseLost, NothingToRetry
from supportbot.chat.log import append_event, check_open, lock_conversation, publish_after_commit, touch
from supportbot.chat.models import Conversation, Turn
from supportbot.chat.retrieval_trace import RetrievalTrace, with_trace
from supportbot.chat.signals import StopRequested, TurnsSuperseded, TurnWaiting
from supportbot.errors import NotFound

LEASE: Final = timedelta(seconds=5)
MAX_LOSSES: Final = 1
OPEN: Final = (Turn.State.PENDING, Turn.State.RUNNING)
RETRIABLE: Final = (Turn.State.FAILED, Turn.State.STOPPED)
_MARKS: Final = re.compile(r"[ \t]*\[\d{1,2}\]")


@dataclass(frozen=True, slots=True)
class Claim:
    """A runner's right to carry out one attempt of a turn: to answer what was said in from_seq < seq <= through_seq."""

    turn_id: UUID
    workspace_id: UUID
    conversation_id: UUID
    message_id: UUID
    attempt: int
    runner: str
    from_seq: int
    through_seq: int
    locale: str  # the conversation's


def start_turn(conversation: Conversation) -> None:
    """Let a locked conversation have a pending turn; the one it has already covers what was added since."""
    waiting = Turn.objects.filter(conversation=conversation, state=Turn.State.PENDING)
    # Where it tries again, its end was fixed: without this nobody would ever answer what is said before it begins.
    if not waiting.update(through_seq=None):
        Turn.objects.create(conversation=conversation)
    publish_after_commit(conversation.pk, TurnWaiting())


def claim_turn(runner: str, *, only: UUID | None = None, in_hand: Collection[UUID] = ()) -> Claim | None:
    """Claim the oldest turn that waits, or whose runner was lost; None if there is none. Appends `assistant.started`.

    `only` limits the choice to one conversation. `in_hand` are the turns that the caller is carrying out: a beat of its
    own that comes late, on a machine that can hardly keep up, is no loss.
    """
    while True:
        with across_workspaces("runner claims a turn"), transaction.atomic():
            turn = _lock_claimable(only, in_hand)
            if turn is None:
                return None
            with workspace_scope(turn.workspace_id):
                claim = _claim(turn, runner)
        if claim is not None:  # else this one was lost too often and has failed openly: look at the next
            return claim


def _lock_claimable(only: UUID | None, in_hand: Collection[UUID]) -> Any:
    """Return a claimable turn or None, its conversation and itself locked; what somebody else works on is left out.

    Locked, the rows are checked again: a turn that another runner took meanwhile does not match any more.
    """
    claimable = _claimable() if only is None else _claimable().filter(conversation_id=only)
    if in_hand:
        claimable = claimable.exclude(pk__in=in_hand)
    rows = claimable.select_related("conversation")
    return rows.select_for_update(no_key=True, skip_locked=True, of=("self", "conversation")).first()


def _claimable() -> Any:
    running = Turn.objects.filter(conversation_id=OuterRef("conversation_id"), state=Turn.State.RUNNING)
    waits = Q(state=Turn.State.PENDING) & ~Exists(running)
    is_lost = Q(state=Turn.State.RUNNING, lease_until__lt=Now())
    return Turn.objects.filter(waits | is_lost).order_by("created_at")


def _claim(turn: Turn, runner: str) -> Claim | None:
    """Claim a locked turn; None if it was lost too often."""
    conversation = turn.conversation
    if turn.stop_requested:
        _end_stopped(conversation, turn, through_seq=turn.through_seq or conversation.last_seq)
        return None
    # A runner that gave its turn up has left no name behind: that is no loss.
    was_lost = turn.state == Turn.State.RUNNING and turn.runner != ""
    if was_lost and turn.losses >= MAX_LOSSES:
        _fail(conversation, turn, "runner_lost")
        return None
    claim = Claim(
        turn.pk,
        current_workspace_id(),
        conversation.pk,
        turn.message_id,
        turn.attempt + 1,
        runner,
        conversation.answered_seq if turn.from_seq is None else turn.from_seq,
        # What is said from now on waits for the next turn.
        conversation.last_seq if turn.through_seq is None else turn.through_seq,
        conversation.locale,
    )
    _begin(claim, losses=turn.losses + was_lost)
    append_event(conversation, "assistant.started", {"message": str(turn.message_id), "attempt": claim.attempt})
    return claim


def _begin(claim: Claim, *, losses: int) -> None:
    """Write a claim into its locked turn."""
    Turn.objects.filter(pk=claim.turn_id).update(
        state=Turn.State.RUNNING,
        from_seq=claim.from_seq,
        through_seq=claim.through_seq,
        attempt=claim.attempt,
        runner=claim.runner,
        lease_until=Now() + LEASE,
        started_at=Now(),
        partial_text="",
        partial_index=0,
        losses=losses,
    )


def _held(claim: Claim) -> Any:
    return Turn.objects.filter(pk=claim.turn_id, state=Turn.State.RUNNING, attempt=claim.attempt, runner=claim.runner)


def _lock_claimed(claim: Claim) -> Conversation:
    """Return the claim's conversation, locked; raises LeaseLost for one that was erased, the claim with it."""
    try:
        return lock_conversation(claim.conversation_id)
    except NotFound as error:
        raise LeaseLost() from error


def extend_lease(claim: Claim, *, text: str, index: int) -> bool:
    """Keep the claim and save what was said so far; return whether the customer asked to stop. Raises LeaseLost."""
    beat = {"lease_until": Now() + LEASE, "partial_text": text, "partial_index": index}
    if _held(claim).filter(stop_requested=False).update(**beat):
        return False
    if not _held(claim).update(**beat):
        raise LeaseLost()
    return True


@transaction.atomic
def restart_attempt(claim: Claim) -> Claim:
    """Begin the next attempt under the same lease (another route answers): readers empty what they show."""
    conversation = _lock_claimed(claim)
    attempt = claim.attempt + 1
    if not _held(claim).update(attempt=attempt, lease_until=Now() + LEASE, partial_text="", partial_index=0):
        raise LeaseLost()
    append_event(conversation, "assistant.started", {"message": str(claim.message_id), "attempt": attempt})
    return replace(claim, attempt=attempt)


@transaction.atomic
def finish_turn(claim: Claim, answer: Answer, trace: RetrievalTrace | None = None) -> int:
    """End the turn with its answer, and what it was made from; return the seq of `assistant.final`.

    Raises LeaseLost: then nothing was written.
    """
    conversation = _lock_claimed(claim)
    state = Turn.State.STOPPED if answer.is_stopped else Turn.State.DONE
    if not _held(claim).update(state=state, finished_at=Now(), partial_text=""):
        raise LeaseLost()
    payload = with_trace(final_payload(claim.message_id, answer), trace)
    event = append_event(conversation, "assistant.final", payload)
    mark_answered(conversation, claim.through_seq)
    store_message(conversation, claim.message_id, event.seq, answer)
    _wake_runner_for_next(conversation)
    return event.seq


def mark_answered(conversation: Conversation, through_seq: int) -> None:
    """Note for a locked conversation that its customer's messages up to there have been answered."""
    if through_seq > conversation.answered_seq:
        touch(conversation, answered_seq=through_seq)


def is_turn_pending(conversation: Conversation) -> bool:
    """Say whether a question to the assistant waits for its turn."""
    pending: bool = Turn.objects.filter(conversation=conversation, state=Turn.State.PENDING).exists()
    return pending


def _wake_runner_for_next(conversation: Conversation) -> None:
    """Wake a runner if what came meanwhile waits for its turn."""
    if is_turn_pending(conversation):
        publish_after_commit(conversation.pk, TurnWaiting())


def explain(conversation: Conversation, text: str, *, request: UUID) -> None:
    """Let the assistant say unasked, whole and at once, what became of a request; the conversation is locked.

    This is a turn that needs no runner and never waits behind one: it is written in the transaction of what it tells.
    It answers nobody: a question that waits goes on waiting for its own turn.
    """
    turn = Turn.objects.create(
        conversation=conversation,
        kind=Turn.Kind.EXPLAIN,
        state=Turn.State.DONE,
        attempt=1,
        started_at=Now(),
        finished_at=Now(),
    )
    answer = Answer(text, (), by="builtin")
    payload = {**final_payload(turn.message_id, answer), "request": str(request)}
    event = append_event(conversation, "assistant.final", payload)
    store_message(conversation, turn.message_id, event.seq, answer)


def check_held(claim: Claim) -> None:
    """Raise LeaseLost if the turn is not this claim's any more."""
    if not _held(claim).exists():
        raise LeaseLost()


@transaction.atomic
def fail_turn(claim: Claim, code: str) -> None:
    """End the turn openly without an answer; raises LeaseLost."""
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
    """Give the turn up for another runner to claim at once (this process shuts down)."""
    _held(claim).update(lease_until=Now() - LEASE, runner="")
    publish_after_commit(claim.conversation_id, TurnWaiting())


@transaction.atomic
def request_stop(conversation_id: UUID) -> None:
    """Stop the answer being written, and the one that waits; without either nothing happens."""
    conversation = lock_conversation(conversation_id)
    for turn in Turn.objects.filter(conversation=conversation, state=Turn.State.RUNNING, stop_requested=False):
        Turn.objects.filter(pk=turn.pk).update(stop_requested=True)
        publish_after_commit(conversation_id, StopRequested(str(turn.pk)))
    for turn in Turn.objects.filter(conversation=conversation, state=Turn.State.PENDING):
        _end_stopped(conversation, turn, through_seq=conversation.last_seq)


def stop_now(conversation: Conversation) -> None:
    """End every open turn of a locked conversation here and now: nothing of the assistant's follows what comes next.

    A runner's words of the last second may be missing, since it saves them that often; what it writes finds no claim.
    """
    for turn in Turn.objects.filter(conversation=conversation, state__in=OPEN).order_by("created_at"):
        _end_stopped(conversation, turn, through_seq=turn.through_seq or conversation.last_seq)
        publish_after_commit(conversation.pk, StopRequested(str(turn.pk)))


def _end_stopped(conversation: Conversation, turn: Turn, *, through_seq: int) -> None:
    """End a turn that nobody runs any more, with what was shown of it."""
    Turn.objects.filter(pk=turn.pk).update(
        state=Turn.State.STOPPED,
        finished_at=Now(),
        partial_text="",
        from_seq=conversation.answered_seq if turn.from_seq is None else turn.from_seq,
        through_seq=through_seq,
    )
    # The sources were known to the runner alone: marks that point to none are left out.
    text = _MARKS.sub("", turn.partial_text).strip()
    # The built-in answerer has ended before anything of it is saved: what was saved is a model's.
    stopped = Answer(text=text, citations=(), by="model" if text else "builtin", is_stopped=True)
    event = append_event(conversation, "assistant.final", final_payload(turn.message_id, stopped))
    if text:
        store_message(conversation, turn.message_id, event.seq, stopped)
    mark_answered(conversation, through_seq)


@transaction.atomic
def retry_turn(conversation_id: UUID, message_id: UUID) -> None:
    """Try the newest answer again, if it failed or was stopped, as a new turn on the same messages.

    Raises ConversationEnded, and NothingToRetry for any other message: what was answered meanwhile is not asked again.
    """
    conversation = lock_conversation(conversation_id)
    check_open(conversation)
    replies = Turn.objects.filter(conversation=conversation, kind=Turn.Kind.REPLY)
    newest = replies.order_by("-created_at", "-id").first()
    may_retry = newest is not None and newest.message_id == message_id and newest.state in RETRIABLE
    if newest is None or not may_retry or conversation.mode != Conversation.Mode.ASSISTANT:
        raise NothingToRetry()
    Turn.objects.create(conversation=conversation, from_seq=newest.from_seq, through_seq=newest.through_seq)
    publish_after_commit(conversation.pk, TurnWaiting())


def supersede_turns(conversation: Conversation) -> None:
    """Void every open turn of a locked conversation (a person takes over): raising the attempt fences its runner."""
    turns = Turn.objects.filter(conversation=conversation, state__in=OPEN)
    for turn in turns:
        Turn.objects.filter(pk=turn.pk).update(
            state=Turn.State.SUPERSEDED, attempt=turn.attempt + 1, finished_at=Now(), partial_text=""
        )
    publish_after_commit(conversation.pk, TurnsSuperseded())
