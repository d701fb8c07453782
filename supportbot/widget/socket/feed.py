"""Keeps track of what a reader has received of a conversation, and turns signals into the frames to send next.

Invariants: each event is sent once, in the order of the log; `seq` is the last event sent. A delta is sent only while
its answer is being written, only for the attempt that the reader knows or a newer one, and never after an agent has
joined. The text sent for an attempt has no gaps and no repetitions; for readers who have missed some, the turn repeats
its text.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from supportbot.accounts.scope import workspace_scope
from supportbot.async_db import db
from supportbot.chat import signals
from supportbot.chat.selectors import events_after, head_of, live_turn
from supportbot.chat.signal_broker import signal_broker
from supportbot.chat.signals import EventView, NewEvent, Signal, TurnView
from supportbot.widget.socket.protocol import Delta, Event, ServerFrame, Status, Typing

MAX_MISSED: Final = 500
ENDS_AN_ANSWER = frozenset({"assistant.final", "assistant.failed"})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a conversation when a reader connects, and the event after which that reader continues."""

    head: int
    start: int
    is_too_far_back: bool
    turn: TurnView | None


def snapshot(conversation_id: UUID, last_seq: int | None) -> Snapshot:
    """Return the state of the log for a reader who has seen `last_seq`, including whether they have missed more events
    than a socket sends.

    Raises NotFound if the conversation has been erased.
    """
    head, turn = head_of(conversation_id), live_turn(conversation_id)
    if last_seq is None:
        return Snapshot(head, head, is_too_far_back=False, turn=turn)
    # A seq beyond the head belongs to a log that this database no longer has.
    if last_seq > head or len(events_after(conversation_id, last_seq, limit=MAX_MISSED + 1)) > MAX_MISSED:
        return Snapshot(head, head, is_too_far_back=True, turn=turn)
    return Snapshot(head, last_seq, is_too_far_back=False, turn=turn)


class Feed:
    """One reader's view. Not safe for concurrent tasks; only the socket's writer uses it."""

    __slots__ = (
        "_answer",
        "_attempt",
        "_conversation_id",
        "_ended",
        "_is_muted",
        "_shown",
        "_workspace_id",
        "is_turn_remote",
        "seq",
    )

    def __init__(self, workspace_id: UUID, conversation_id: UUID, seq: int, turn: TurnView | None) -> None:
        self._workspace_id = workspace_id
        self._conversation_id = conversation_id
        self.seq = seq
        self._answer = turn.message if turn else ""
        self._attempt = turn.attempt if turn else 0
        self._shown = len(turn.text) if turn else 0  # the number of that attempt's characters sent so far
        self._ended = ""
        self._is_muted = False
        self.is_turn_remote = False

    async def frames(self, signal: Signal) -> list[ServerFrame]:
        """Return the frames to send for a signal.

        Raises a database error if the log cannot be read; try again later.
        """
        match signal:
            case signals.Delta():
                return self._delta(signal)
            case NewEvent():
                return await self._events(signal)
            case signals.Status(message=message, text=text):
                return [] if self._is_muted else [Status(message, text)]
            case signals.Typing(who=who, source=source):
                return [] if source == "customer" else [Typing(who)]
            case _:  # other signals are for runners
                return []

    def event(self, view: EventView) -> Event:
        """Record the event as sent, and return its frame."""
        self.seq = view.seq
        if view.event == "assistant.started":
            self._begin(view.payload["message"], view.payload["attempt"])
            self._is_muted = False
        elif view.event == "handoff.joined":
            self._is_muted = True
        elif view.event in ENDS_AN_ANSWER:
            self._ended = view.payload["message"]
        return Event(view.seq, view.prev_seq, view.event, view.payload, view.created_at)

    def _delta(self, delta: signals.Delta) -> list[ServerFrame]:
        is_old = delta.message == self._answer and delta.attempt < self._attempt
        if self._is_muted or is_old or delta.message == self._ended:
            return []
        self._begin(delta.message, delta.attempt)
        if delta.offset > self._shown:
            self.request_missing_text()
            return []
        fresh = delta.text[self._shown - delta.offset :]
        self._shown += len(fresh)
        return [Delta(delta.message, delta.attempt, delta.index, fresh)] if fresh else []

    def _begin(self, answer: str, attempt: int) -> None:
        if (answer, attempt) != (self._answer, self._attempt):
            self._answer, self._attempt, self._shown = answer, attempt, 0

    @property
    def is_answer_in_progress(self) -> bool:
        """Return whether this reader is currently being shown an answer as it is written."""
        return bool(self._answer) and self._answer != self._ended

    def request_missing_text(self) -> None:
        """Ask the running turn, in this process or another, to repeat its text."""
        signal_broker().watch(self._conversation_id)

    async def _events(self, news: NewEvent) -> list[ServerFrame]:
        if news.seq <= self.seq:
            return []
        if news.event is not None and not news.event.is_public:
            return []
        if news.event is not None and news.event.prev_seq == self.seq:
            return [self.event(news.event)]
        # read all of them before any counts as sent, because the database may become unavailable in between
        views: list[EventView] = []
        with workspace_scope(self._workspace_id):
            while more := await db(events_after, self._conversation_id, views[-1].seq if views else self.seq):
                views += more
        if any(view.event == "assistant.started" for view in views):
            self.is_turn_remote = True  # the event came without content, so the turn may run in another process
            self.request_missing_text()
        return [self.event(view) for view in views]
