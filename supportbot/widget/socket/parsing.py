"""Parses a client's text into a frame, or raises an error that names the invalid field.

Unknown fields are rejected, so a client cannot inject a role, a sender or an identity.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import UUID

from supportbot import strict_json
from supportbot.chat.blocks import BlockRef, Filled, Values
from supportbot.chat.services import UNREADABLE
from supportbot.widget.errors import FrameError, FrameTooBig, UnknownFrame
from supportbot.widget.models import Reason
from supportbot.widget.socket.protocol import (
    MAX_FRAME_BYTES,
    CancelHuman,
    Choose,
    ClientFrame,
    Confirm,
    CustomerMessage,
    CustomerTyping,
    Decline,
    Hello,
    Identify,
    Logout,
    Ping,
    Rate,
    RequestHuman,
    Retry,
    Stop,
    Submit,
    Undo,
    is_client_id,
)

MAX_SEQ: Final = 2**53 - 1  # the largest integer JavaScript represents exactly
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MAX_VALUES: Final = 20
MAX_ENTRIES: Final = 20
MAX_CHOSEN: Final = 50
MAX_NAME_CHARACTERS: Final = 200
MAX_VALUE_CHARACTERS: Final = 1_000
_BLOCK: Final = re.compile(rf"(?P<message>{_UUID.pattern}):(?P<place>[0-9]{{1,2}})")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class Fields:
    """The fields of one frame. Each is read once; `close` rejects any that were not read."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._left = content

    def text(self, name: str, limit: int, *, is_checked: bool = True) -> str:
        """Return a required string.

        If it is not checked, it may contain any characters, because a service validates it.
        """
        if name not in self._left:
            raise FrameError(f"The field `{name}` is required.", fields={name: ["Required."]})
        return self._text(name, limit, is_checked=is_checked)

    def optional_text(self, name: str, limit: int) -> str:
        return self._text(name, limit, is_checked=True) if name in self._left else ""

    def _text(self, name: str, limit: int, *, is_checked: bool) -> str:
        value = self._left.pop(name)
        if not isinstance(value, str):
            raise _wrong(name, "must be a string")
        if len(value) > limit:
            raise _wrong(name, f"must not exceed {limit:,} characters")
        if is_checked and UNREADABLE.search(value):
            raise _wrong(name, "contains characters that cannot be stored")
        return value

    def matching(self, name: str, pattern: re.Pattern[str], what: str) -> str:
        value = self.text(name, 200, is_checked=False)
        if not pattern.fullmatch(value):
            raise _wrong(name, f"must be {what}")
        return value

    def uuid(self, name: str) -> UUID:
        return UUID(self.matching(name, _UUID, "an id as sent by the server"))

    def optional_uuid(self, name: str) -> UUID | None:
        return self.uuid(name) if name in self._left else None

    def optional_choice(self, name: str, choices: Iterable[str]) -> str:
        """Return one of the choices, or "" if the field is missing."""
        if name not in self._left:
            return ""
        value = self._left.pop(name)
        if value not in (known := list(choices)):
            raise _wrong(name, f"must be one of {', '.join(known)}")
        return str(value)

    def integer(self, name: str, low: int, high: int) -> int:
        """Return a required integer. True, 1.0 and "1" are not integers."""
        if name not in self._left:
            raise FrameError(f"The field `{name}` is required.", fields={name: ["Required."]})
        value = self._left.pop(name)
        if type(value) is not int or not low <= value <= high:
            raise _wrong(name, f"must be an integer from {low} to {high}")
        return value

    def optional_integer(self, name: str, low: int, high: int) -> int | None:
        return self.integer(name, low, high) if name in self._left else None

    def has_items(self, name: str) -> bool:
        """Return whether an optional list has items."""
        value = self._left.pop(name, [])
        if not isinstance(value, list):
            raise _wrong(name, "must be a list")
        return bool(value)

    def block(self, name: str) -> BlockRef:
        found = _BLOCK.fullmatch(self.matching(name, _BLOCK, "a block such as `<message>:<index>`"))
        assert found is not None
        return BlockRef(UUID(found["message"]), int(found["place"]))

    def filled(self, name: str) -> Filled:
        """Return a form's values by field name or, for a form with several entries, a list with the values of each."""
        if name not in self._left:
            raise FrameError(f"The field `{name}` is required.", fields={name: ["Required."]})
        filled = self._left.pop(name)
        if not isinstance(filled, list):
            return _values(name, filled)
        if not 1 <= len(filled) <= MAX_ENTRIES:
            raise _wrong(name, f"must have 1 to {MAX_ENTRIES} entries")
        return [_values(f"{name}.{place}", values) for place, values in enumerate(filled)]

    def close(self) -> None:
        if self._left:
            names = sorted(self._left)
            message = f"Unknown field in this frame: {_shown(names)}."
            raise FrameError(message, fields={_shown(names[:1], quote=""): [message]})


def _values(name: str, values: Any) -> Values:
    """Return values by field name: strings, integers and lists of strings."""
    if not isinstance(values, dict) or len(values) > MAX_VALUES:
        raise _wrong(name, f"must be an object with at most {MAX_VALUES} values")
    for field, value in values.items():
        if len(field) > MAX_NAME_CHARACTERS or UNREADABLE.search(field):
            raise _wrong(name, "has an invalid field name")
        texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
        if not isinstance(value, str | list) and type(value) is not int:
            raise _wrong(f"{name}.{field}", "must be a string, an integer or a list of strings")
        if len(texts) > MAX_CHOSEN or not all(isinstance(text, str) for text in texts):
            raise _wrong(f"{name}.{field}", f"must be a list of at most {MAX_CHOSEN} strings")
        if any(len(text) > MAX_VALUE_CHARACTERS or UNREADABLE.search(text) for text in texts):
            raise _wrong(f"{name}.{field}", "is too long or contains characters that cannot be stored")
    return values


def _wrong(name: str, what: str) -> FrameError:
    message = f"The field `{name}` {what}."
    return FrameError(message, fields={name: [message]})


def _shown(names: Iterable[str], quote: str = "`") -> str:
    """Return untrusted names in a form that can be sent back: only a few, shortened, and without invalid characters."""
    return ", ".join(f"{quote}{UNREADABLE.sub('?', name)[:40]}{quote}" for name in list(names)[:3])


FRAMES: Final[dict[str, Callable[[Fields], ClientFrame]]] = {
    "hello": lambda fields: Hello(fields.text("ticket", 200), fields.optional_integer("last_seq", 0, MAX_SEQ)),
    # Chat validates client ids and texts.
    "message": lambda fields: CustomerMessage(
        fields.text("client_id", MAX_FRAME_BYTES, is_checked=False),
        fields.text("text", MAX_FRAME_BYTES, is_checked=False),
        has_attachments=fields.has_items("attachments"),
    ),
    "choose": lambda fields: Choose(
        fields.text("client_id", MAX_FRAME_BYTES, is_checked=False), fields.block("block"), fields.text("option", 200)
    ),
    "submit": lambda fields: Submit(
        fields.text("client_id", MAX_FRAME_BYTES, is_checked=False), fields.block("block"), fields.filled("values")
    ),
    "stop": lambda _: Stop(),
    "confirm": lambda fields: Confirm(
        fields.uuid("request"), fields.matching("digest", _DIGEST, "the digest as sent by the server")
    ),
    "decline": lambda fields: Decline(fields.uuid("request")),
    "undo": lambda fields: Undo(fields.uuid("request")),
    "request_human": lambda fields: RequestHuman(fields.optional_text("reason", 500)),
    "cancel_human": lambda _: CancelHuman(),
    "identify": lambda fields: Identify(fields.text("token", 8_000)),
    "logout": lambda _: Logout(),
    "retry": lambda fields: Retry(fields.uuid("message")),
    "rate": lambda fields: Rate(
        fields.integer("score", 1, 5),
        fields.optional_text("comment", 1_000),
        fields.optional_uuid("message"),
        fields.optional_choice("reason", Reason.values),
    ),
    "typing": lambda _: CustomerTyping(),
    "ping": lambda _: Ping(),
}


def parse_client_frame(text: str) -> ClientFrame:
    """Return the frame. Raises FrameTooBig, UnknownFrame, or FrameError with the field's name."""
    if len(text) > MAX_FRAME_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_FRAME_BYTES:
        raise FrameTooBig(f"A frame must not exceed {MAX_FRAME_BYTES:,} bytes.")
    try:
        content = strict_json.loads(text)
    except strict_json.BadJson as error:
        raise FrameError(f"{error} A frame must be a JSON object with a `type`.") from error
    if not isinstance(content, dict):
        raise FrameError("A frame must be a JSON object with a `type`.")
    kind = content.pop("type", None)
    if not isinstance(kind, str) or kind not in FRAMES:
        known = ", ".join(FRAMES)
        raise UnknownFrame(f"The `type` of a frame must be one of {known}.", fields={"type": ["Unknown frame."]})
    fields = Fields(content)
    frame = FRAMES[kind](fields)
    fields.close()
    return frame


def client_id_in(text: str) -> str | None:
    """Return the `client_id` of a rejected frame, if it has a valid one, so that the client knows which frame it
    was.
    """
    try:
        content = strict_json.loads(text) if len(text) <= MAX_FRAME_BYTES else None
    except strict_json.BadJson:
        return None
    client_id = content.get("client_id") if isinstance(content, dict) else None
    return client_id if isinstance(client_id, str) and is_client_id(client_id) else None
