"""Finding one JSON-RPC answer in a stream of server-sent events, while it arrives. Pure."""

import json
from typing import Final

_END: Final = b"\n"


class MessageReader:
    """Collects the pieces of a body; `found` is the raw answer to the request with this id. In a body that is not an
    event stream, nothing is found. Everything else in a stream (notifications, requests, other answers) is skipped. At
    most one event is buffered.
    """

    def __init__(self, own: str) -> None:
        self._own = own
        self._line = bytearray()
        self._data: list[bytes] = []
        self.found: bytes | None = None

    def has_enough(self, piece: bytes) -> bool:
        """Take the next piece; return whether the answer has been found."""
        *ended, rest = piece.split(_END)
        for part in ended:
            self._line += part
            self._take(bytes(self._line.rstrip(b"\r")))
            self._line.clear()
            if self.found is not None:
                return True
        self._line += rest
        return False

    def _take(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._data.append(line.removeprefix(b"data:").removeprefix(b" "))
        elif not line and self._data:
            event = b"\n".join(self._data)
            self._data.clear()
            if self._own.encode() in event and self._is_answer(event):
                self.found = event

    def _is_answer(self, event: bytes) -> bool:
        try:
            message = json.loads(event)
        except (ValueError, RecursionError):
            return False
        return isinstance(message, dict) and message.get("id") == self._own and "method" not in message
