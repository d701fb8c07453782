"""The values sent through the signal broker, and their wire format between processes (not Django signals)."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID


@dataclass(frozen=True, slots=True)
class EventView:
    """One event of the log in its reader's view. `prev_seq` is the event before it in that view."""

    seq: int
    prev_seq: int | None
    event: str
    payload: dict[str, Any]
    is_public: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewEvent:
    """The log has reached `seq`.

    The event is included only if it was created in this process; otherwise, read the log.
    """

    seq: int
    event: EventView | None


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer being written; `index` counts the pieces of this attempt from 0.

    `offset` is the number of characters that precede it in this attempt. A piece that repeats the whole text so far has
    offset 0 and the index of the last piece it contains.
    """

    message: str
    attempt: int
    index: int
    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Status:
    """What the assistant is doing, in words."""

    message: str
    text: str


@dataclass(frozen=True, slots=True)
class Typing:
    """A person is typing.

    `who` is a name that the reader may see; `source` is that person's side of the conversation.
    """

    who: str
    source: str


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The customer stopped this answer."""

    turn: str


@dataclass(frozen=True, slots=True)
class TurnsSuperseded:
    """The running turn, if any, has lost its claim."""


@dataclass(frozen=True, slots=True)
class TurnWaiting:
    """A turn is waiting for a runner."""


@dataclass(frozen=True, slots=True)
class WatchRequested:
    """A reader needs the text so far and, if the reader is in another process, the text that follows."""


@dataclass(frozen=True, slots=True)
class AgentViewing:
    """An agent has the conversation open; only colleagues see this.

    `doing` is reading, replying, noting or gone. If `asks` is true, the sender asks colleagues for their status.
    """

    user: str
    who: str
    doing: str
    asks: bool = False


@dataclass(frozen=True, slots=True)
class DeskNotified:
    """Tells a workspace's desk that this conversation has changed.

    It is published to the workspace, not to the conversation.
    """

    conversation: str


@dataclass(frozen=True, slots=True)
class Erased:
    """The conversation was erased."""


Signal = (
    NewEvent
    | Delta
    | Status
    | Typing
    | StopRequested
    | TurnsSuperseded
    | TurnWaiting
    | WatchRequested
    | AgentViewing
    | DeskNotified
    | Erased
)
# The names used between processes. Two are from earlier versions, which may run at the same time as this one.
_NAMES: Final[dict[type[Any], str]] = {
    Delta: "Delta",
    Status: "Status",
    Typing: "Typing",
    StopRequested: "StopRequested",
    TurnsSuperseded: "TurnsSuperseded",
    TurnWaiting: "TurnWaiting",
    WatchRequested: "Watched",
    AgentViewing: "AtWork",
    DeskNotified: "DeskRings",
    Erased: "Erased",
}
_KINDS: Final = {name: kind for kind, name in _NAMES.items()}


def signal_to_wire(signal: Signal) -> dict[str, Any]:
    """Return a signal in the wire format used between processes: ids and short texts.

    An event's payload stays in the log.
    """
    if isinstance(signal, NewEvent):
        return {"kind": "NewEvent", "seq": signal.seq}
    return {"kind": _NAMES[type(signal)], **asdict(signal)}


def signal_from_wire(wire: dict[str, Any]) -> Signal:
    """Return the signal that another process sent."""
    fields = {name: value for name, value in wire.items() if name != "kind"}
    if wire["kind"] == "NewEvent":
        return NewEvent(fields["seq"], None)
    signal: Signal = _KINDS[wire["kind"]](**fields)
    return signal


@dataclass(frozen=True, slots=True)
class TurnView:
    """The answer being written, for readers who join late."""

    turn_id: UUID
    message: str
    attempt: int
    index: int
    text: str
    runner: str
