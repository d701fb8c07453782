"""The values that the signal broker carries, and their form between processes (not Django signals)."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID


@dataclass(frozen=True, slots=True)
class EventView:
    """One event of the log as a reader gets it. `prev_seq` is the previous event of the same reader's view."""

    seq: int
    prev_seq: int | None
    event: str
    payload: dict[str, Any]
    is_public: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewEvent:
    """The log reaches `seq` now. The event itself comes along where it happened in this process; else read the log."""

    seq: int
    event: EventView | None


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer being written; `index` counts the pieces of this attempt from 0.

    `offset` is how many characters of the attempt come before it. A piece that repeats all that was said has offset 0
    and the index of the last piece in it.
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
    """A person is writing: `who` is a name fit for the reader. `source` tells the reader's own side apart."""

    who: str
    source: str


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The customer wants no more of this answer."""

    turn: str


@dataclass(frozen=True, slots=True)
class TurnsSuperseded:
    """Whatever turn was running may not say another word."""


@dataclass(frozen=True, slots=True)
class TurnWaiting:
    """A turn waits for a runner."""


@dataclass(frozen=True, slots=True)
class WatchRequested:
    """A reader lacks what was said so far; one in another process also wants what will be said."""


@dataclass(frozen=True, slots=True)
class AtWork:
    """A person of the team has the conversation open; only colleagues hear of it.

    `doing` is reading, replying, noting or gone. Who `asks` wants the others to say what they do.
    """

    user: str
    who: str
    doing: str
    asks: bool = False


@dataclass(frozen=True, slots=True)
class DeskNotified:
    """Told to a workspace in place of a conversation: at its desk, this conversation looks different now."""

    conversation: str


@dataclass(frozen=True, slots=True)
class Erased:
    """The conversation is gone: whoever reads it has nothing to read any more."""


Signal = (
    NewEvent
    | Delta
    | Status
    | Typing
    | StopRequested
    | TurnsSuperseded
    | TurnWaiting
    | WatchRequested
    | AtWork
    | DeskNotified
    | Erased
)
# Names that cross processes; those that differ from the class are of earlier versions, which may run beside this one.
_NAMES: Final[dict[type[Any], str]] = {
    Delta: "Delta",
    Status: "Status",
    Typing: "Typing",
    StopRequested: "StopRequested",
    TurnsSuperseded: "TurnsSuperseded",
    TurnWaiting: "TurnWaiting",
    WatchRequested: "Watched",
    AtWork: "AtWork",
    DeskNotified: "DeskRings",
    Erased: "Erased",
}
_KINDS: Final = {name: kind for kind, name in _NAMES.items()}


def signal_to_wire(signal: Signal) -> dict[str, Any]:
    """Return the form that crosses processes: ids and short texts; an event's payload stays in the log."""
    if isinstance(signal, NewEvent):
        return {"kind": "NewEvent", "seq": signal.seq}
    return {"kind": _NAMES[type(signal)], **asdict(signal)}


def signal_from_wire(wire: dict[str, Any]) -> Signal:
    """Return the signal another process sent."""
    fields = {name: value for name, value in wire.items() if name != "kind"}
    if wire["kind"] == "NewEvent":
        return NewEvent(fields["seq"], None)
    signal: Signal = _KINDS[wire["kind"]](**fields)
    return signal


@dataclass(frozen=True, slots=True)
class TurnView:
    """The answer being written right now, for a reader who comes late."""

    turn_id: UUID
    message: str
    attempt: int
    index: int
    text: str
    runner: str
