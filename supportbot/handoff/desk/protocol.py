"""The frames that `/ws/v1/desk/` receives and sends. Their JSON Schemas are in `schemas/`; docs/protocol.md explains
them.

Frames from an agent's browser are validated as strictly as a customer's: they have exactly the known fields, each of
the right type.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from supportbot.chat.errors import InvalidClientId
from supportbot.chat.services import clean_client_id
from supportbot.handoff.errors import BadFrame

PROTOCOL: Final = 1
MAX_FRAME_BYTES: Final = 16 * 1024
MAX_SEQ: Final = 2**53 - 1
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


# --- Client frames.


@dataclass(frozen=True, slots=True)
class Hello:
    """Start the session; the queue follows."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Subscribe to this conversation only; `last_seq` is the last event already shown."""

    conversation: UUID
    last_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    conversation: UUID
    client_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    conversation: UUID
    client_id: str
    text: str


@dataclass(frozen=True, slots=True)
class AgentTyping:
    """The agent is typing a `reply` or a `note`, or has stopped typing (`reading`)."""

    conversation: UUID
    kind: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Keep the connection alive. The server answers with `head`."""


ClientFrame = Hello | Subscribe | Reply | Note | AgentTyping | Ping


def _conversation(value: Any) -> UUID:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise ValueError("must be an id sent by the server")
    return UUID(value)


def _seq(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_SEQ:
        raise ValueError(f"must be a whole number from 0 to {MAX_SEQ}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value


def _client_id(value: Any) -> str:
    try:
        return clean_client_id(_text(value))
    except InvalidClientId as error:
        raise ValueError("must be 1 to 128 visible ASCII characters") from error


def _kind(value: Any) -> str:
    if value not in ("reply", "note", "reading"):
        raise ValueError("must be reply, note or reading")
    return str(value)


Field = Callable[[Any], Any]
_MESSAGE_FIELDS: Final[Mapping[str, Field]] = {"conversation": _conversation, "client_id": _client_id, "text": _text}
_OPTIONAL: Final = frozenset({"last_seq"})
FRAMES: Final[Mapping[str, tuple[type[ClientFrame], Mapping[str, Field]]]] = {
    "hello": (Hello, {}),
    "subscribe": (Subscribe, {"conversation": _conversation, "last_seq": _seq}),
    "reply": (Reply, _MESSAGE_FIELDS),
    "note": (Note, _MESSAGE_FIELDS),
    "typing": (AgentTyping, {"conversation": _conversation, "kind": _kind}),
    "ping": (Ping, {}),
}


def parse_client_frame(text: str | None) -> ClientFrame:
    """Return the parsed frame; raises BadFrame with the field's name and what is wrong with it."""
    content = _parse_object(text)
    kind = content.pop("type", None)
    if not isinstance(kind, str) or kind not in FRAMES:
        raise BadFrame(
            f"The `type` of a frame must be one of {', '.join(FRAMES)}.", fields={"type": ["Unknown frame."]}
        )
    frame_class, fields = FRAMES[kind]
    unknown = sorted(set(content) - set(fields))
    if unknown:
        raise BadFrame("This frame has an unknown field.", fields={repr(unknown[0][:40]): ["Unknown field."]})
    for name in fields:
        if name not in content and name not in _OPTIONAL:
            raise BadFrame(f"The field `{name}` is missing.", fields={name: ["Missing."]})
    return frame_class(**{name: _validated(name, fields[name], value) for name, value in content.items()})


def _validated(name: str, field: Field, value: Any) -> Any:
    try:
        return field(value)
    except ValueError as error:
        raise BadFrame(f"The field `{name}` {error}.", fields={name: [f"It {error}."]}) from error


def _parse_object(text: str | None) -> dict[str, Any]:
    if text is None:
        raise BadFrame("Frames must be text, not binary.")
    if len(text) > MAX_FRAME_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_FRAME_BYTES:
        raise BadFrame(f"A frame can have at most {MAX_FRAME_BYTES:,} bytes.")
    try:
        content = json.loads(text, object_pairs_hook=_reject_duplicate_keys)
    except (ValueError, RecursionError) as error:
        raise BadFrame("A frame must be a JSON object with a `type` and no duplicate keys.") from error
    if not isinstance(content, dict):
        raise BadFrame("A frame must be a JSON object with a `type`.")
    return content


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def encode(kind: str, **fields: Any) -> str:
    """Return a server frame as text; fields that are None are left out."""
    named = {name: value for name, value in fields.items() if value is not None}
    return orjson.dumps({"type": kind, **named}, option=orjson.OPT_UTC_Z).decode()
