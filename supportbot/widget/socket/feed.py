"""What one reader has seen of a conversation, and which frames the next signal adds to that.

Invariant: events leave in the order of the log, each once; `seq` is the last that left. A delta leaves only while the
answer it belongs to is being written, in the attempt the reader knows or a newer one, and never after a person joined.
What leaves of an attempt has no gap and nothing twice: the turn repeats itself for a reader who lacks something.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from supportbot.asyncdb import db
from supportbot.chat import signals
from supportbot.chat.selectors import events_after, head_of, live_turn
from supportbot.chat.signals import EventView, NewEvent, Signal, TurnView
from supportbot.chat.stream import switchboard
from supportbot.widget.socket.protocol import Delta, Event, ServerFrame, Status, Typing

MAX_MISSED: Final = 500
ENDS_AN_ANSWER = frozenset({"assistant.final", "assistant.failed"})


@dataclass(frozen=True, slots=True)
class Opening:
    """The state of a conversation when a reader comes, and the event after which this one goes on."""

    head: int
    start: int
    is_too_far_back: bool
    turn: TurnView | None


def opening(conversation_id: UUID, last_seq: int | None) -> Opening:
    """Return where the log stands, and whether what a reader who has seen `last_seq` missed can be sent by socket.

    Raises NotFound for a conversation that has been erased.
    """
    head, turn = head_of(conversation_id), live_turn(conversation_id)
    if last_seq is None:
        return Opening(head, head, is_too_far_back=False, turn=turn)
    # A seq beyond the head is of a log that this database does not have (any more).
    if last_seq > head or len(events_after(conversation_id, last_seq, limit=MAX_MISSED + 1)) > MAX_MISSED:
        return Opening(head, head, is_too_far_back=True, turn=turn)
    return Opening(head, last_seq, is_too_far_back=False, turn=turn)


class Feed:
    """One reader's view. Not safe for use by two tasks: the socket's writer owns it."""

    __slots__ = ("_answer", "_attempt", "_conversation_id", "_ended", "_is_muted", "_shown", "hears_elsewhere", "seq")

    def __init__(self, conversation_id: UUID, seq: int, turn: TurnView | None) -> None:
        self._conversation_id = conversation_id
        self.seq = seq
        self._answer = turn.message if turn else ""
        self._attempt = turn.attempt if turn else 0
        self._shown = len(turn.text) if turn else 0  # characters of that attempt
        self._ended = ""
        self._is_muted = False
        self.hears_elsewhere = False

    async def frames(self, signal: Signal) -> list[ServerFrame]:
        """Return what the reader is to be sent. A database error says that the log cannot be read: ring again later."""
        match signal:
            case signals.Delta():
                return self._delta(signal)
            case NewEvent():
                return await self._events(signal)
            case signals.Status(message=message, text=text):
                return [] if self._is_muted else [Status(message, text)]
            case signals.Typing(who=who, source=source):
                return [] if source == "customer" else [Typing(who)]
            case _:  # the rest concerns runners
                return []

    def event(self, view: EventView) -> Event:
        """Note that the event leaves now, and return its frame."""
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
            self.ask_for_words()
            return []
        fresh = delta.text[self._shown - delta.offset :]
        self._shown += len(fresh)
        return [Delta(delta.message, delta.attempt, delta.index, fresh)] if fresh else []

    def _begin(self, answer: str, attempt: int) -> None:
        if (answer, attempt) != (self._answer, self._attempt):
            self._answer, self._attempt, self._shown = answer, attempt, 0

    @property
    def is_in_an_answer(self) -> bool:
        """Say whether an answer is being written, as far as this reader knows."""
        return bool(self._answer) and self._answer != self._ended

    def ask_for_words(self) -> None:
        """Ask the running turn, here or in another process, for what this reader lacks of it."""
        switchboard().watch(self._conversation_id)

    async def _events(self, news: NewEvent) -> list[ServerFrame]:
        if news.seq <= self.seq:
            return []
        if news.event is not None and not news.event.is_public:
            return []
        if news.event is not None and news.event.prev_seq == self.seq:
            return [self.event(news.event)]
        views: list[EventView] = []  # all are read before one counts as sent: the database may go away in between
        while more := await db(events_after, self._conversation_id, views[-1].seq if views else self.seq):
            views += more
        if any(view.event == "assistant.started" for view in views):
            self.hears_elsewhere = True  # its event came without the content: it is perhaps written there
            self.ask_for_words()
        return [self.event(view) for view in views]
