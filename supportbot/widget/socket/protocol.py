"""The frames that `/ws/v1/chat/` receives and sends. Their JSON Schemas are in `schemas/`; docs/protocol.md explains
them.

A client's frame is parsed once (`parsing`) into one of the values below. A server's frame is encoded from one of them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import orjson

from supportbot.chat.blocks import BlockRef, Filled
from supportbot.chat.errors import InvalidClientId
from supportbot.chat.rate_limit import MESSAGES_PER_MINUTE
from supportbot.chat.services import MAX_MESSAGE_CHARACTERS, clean_client_id
from supportbot.errors import SupportBotError

PROTOCOL: Final = 1
MAX_FRAME_BYTES: Final = 16 * 1024
LIMITS: Final = {
    "message_characters": MAX_MESSAGE_CHARACTERS,
    "frame_bytes": MAX_FRAME_BYTES,
    "messages_per_minute": MESSAGES_PER_MINUTE,
}


# --- From the client.


@dataclass(frozen=True, slots=True)
class Hello:
    ticket: str
    last_seq: int | None = None


@dataclass(frozen=True, slots=True)
class CustomerMessage:
    client_id: str
    text: str
    has_attachments: bool = False


@dataclass(frozen=True, slots=True)
class Choose:
    """The customer pressed a button."""

    client_id: str
    block: BlockRef
    option: str


@dataclass(frozen=True, slots=True)
class Submit:
    """The customer submitted a form."""

    client_id: str
    block: BlockRef
    values: Filled


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the answer being written."""


@dataclass(frozen=True, slots=True)
class Confirm:
    request: UUID
    digest: str


@dataclass(frozen=True, slots=True)
class Decline:
    request: UUID


@dataclass(frozen=True, slots=True)
class Undo:
    """Propose the action that undoes a completed request."""

    request: UUID


@dataclass(frozen=True, slots=True)
class RequestHuman:
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CancelHuman:
    """The customer no longer wants to wait for an agent."""


@dataclass(frozen=True, slots=True)
class Identify:
    token: str


@dataclass(frozen=True, slots=True)
class Logout:
    """Log the customer out, and close the socket."""


@dataclass(frozen=True, slots=True)
class Retry:
    message: UUID


@dataclass(frozen=True, slots=True)
class Rate:
    score: int
    comment: str = ""
    message: UUID | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CustomerTyping:
    """The customer is typing."""


@dataclass(frozen=True, slots=True)
class Ping:
    """The client is alive. The server answers with `head`."""


# Frames after the greeting that act on the conversation (`handlers`).
Command = (
    CustomerMessage
    | Choose
    | Submit
    | Stop
    | Confirm
    | Decline
    | Undo
    | RequestHuman
    | CancelHuman
    | Retry
    | Rate
    | CustomerTyping
)
ClientFrame = Hello | Identify | Logout | Ping | Command


# --- From the server. A field that is None is left out of the frame.


@dataclass(frozen=True, slots=True)
class LiveTurn:
    """The answer being written. `index` is the index of the next delta."""

    message: str
    attempt: int
    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Welcome:
    conversation: UUID
    seq: int
    notice: str
    turn: LiveTurn | None
    limits: dict[str, int]
    protocol: int = PROTOCOL
    type: Literal["welcome"] = "welcome"


@dataclass(frozen=True, slots=True)
class Ack:
    client_id: str
    seq: int
    type: Literal["ack"] = "ack"


@dataclass(frozen=True, slots=True)
class Event:
    seq: int
    prev_seq: int | None
    event: str
    payload: dict[str, Any]
    created_at: datetime
    type: Literal["event"] = "event"


@dataclass(frozen=True, slots=True)
class Delta:
    message: str
    attempt: int
    index: int
    text: str
    type: Literal["delta"] = "delta"


@dataclass(frozen=True, slots=True)
class Status:
    message: str
    text: str
    type: Literal["status"] = "status"


@dataclass(frozen=True, slots=True)
class Typing:
    who: str
    type: Literal["typing"] = "typing"


@dataclass(frozen=True, slots=True)
class Queue:
    """A waiting customer's position in the queue. `wait` is a range of minutes, {"min", "max"}.

    `away` is true while no agent is available, and is otherwise left out.
    """

    ticket: UUID
    place: int
    wait: dict[str, int] | None = None
    away: bool | None = None
    type: Literal["queue"] = "queue"


@dataclass(frozen=True, slots=True)
class Head:
    seq: int
    type: Literal["head"] = "head"


@dataclass(frozen=True, slots=True)
class Reset:
    """The client has missed too many events. It should read the log over HTTP, then continue from the next `head`."""

    type: Literal["reset"] = "reset"


@dataclass(frozen=True, slots=True)
class ErrorFrame:
    """The client's request was not carried out."""

    code: str
    message: str
    field: str | None = None
    client_id: str | None = None
    request: UUID | None = None
    type: Literal["error"] = "error"


ServerFrame = Welcome | Ack | Event | Delta | Status | Typing | Queue | Head | Reset | ErrorFrame


def encode(frame: ServerFrame) -> str:
    """Return the frame as JSON."""
    fields = {name: getattr(frame, name) for name in frame.__slots__}
    named = {name: value for name, value in fields.items() if value is not None}
    # REST writes times with a Z, and events should look the same in both.
    return orjson.dumps(named, option=orjson.OPT_UTC_Z).decode()


def error_frame(
    error: SupportBotError, frame: ClientFrame | None = None, *, client_id: str | None = None
) -> ErrorFrame:
    """Return the `error` frame with the reason, the field, and the message or request that it is about."""
    request = None
    match frame:
        case CustomerMessage() | Choose() | Submit() if is_client_id(frame.client_id):
            client_id = frame.client_id
        case Confirm() | Decline():
            request = frame.request
    return ErrorFrame(error.code, error.message, next(iter(error.fields), None), client_id, request)


def is_client_id(text: str) -> bool:
    """Return whether a string is a valid client id that can be sent back."""
    try:
        clean_client_id(text)
    except InvalidClientId:
        return False
    return True
