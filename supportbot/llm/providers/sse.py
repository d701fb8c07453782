"""Server-sent events out of a byte stream, cut anywhere. Pure: bytes in, payloads out.

Payloads stay bytes: a chunk border inside a UTF-8 character cannot matter, since only whole events are ever decoded.
"""

EVENT_BYTES_MOST = 256 * 1024
STREAM_BYTES_MOST = 8 * 1024 * 1024
# Fields of the standard that a chat stream does not need.
_OTHER_FIELDS = (b"event", b"id", b"retry")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class NotAnEventStream(ValueError):
    """The server sends something else, like a page of a proxy."""


class TooLarge(ValueError):
    """One event or the whole stream is above its cap."""


class EventReader:
    """Collects bytes and gives out the data of each finished event, several lines of one joined by newline."""

    def __init__(self, *, event_bytes_most: int = EVENT_BYTES_MOST, stream_bytes_most: int = STREAM_BYTES_MOST) -> None:
        self._event_most = event_bytes_most
        self._stream_left = stream_bytes_most
        self._is_first_line = True
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the payloads that `chunk` completes. Raises NotAnEventStream or TooLarge."""
        self._stream_left -= len(chunk)
        if self._stream_left < 0:
            raise TooLarge("The stream is too long.")
        if b"\n" not in chunk:  # looked for in the new bytes only: one byte at a time stays linear
            self._rest += chunk
            self._check_event(len(self._rest))
            return []
        if self._rest:
            chunk = bytes(self._rest) + chunk
        lines = chunk.split(b"\n")
        self._rest = bytearray(lines.pop())
        self._check_event(len(self._rest))
        return self._payloads(lines)

    def finish(self) -> list[bytes]:
        """Return what stands without its blank line when the stream ends: some servers leave it out after [DONE]."""
        lines = [bytes(self._rest), b""]
        self._rest.clear()
        return self._payloads(lines)

    def _payloads(self, lines: list[bytes]) -> list[bytes]:
        if self._is_first_line:
            self._is_first_line = False
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        payloads: list[bytes] = []
        data = self._data
        for line in lines:
            if line.endswith(b"\r"):
                line = line[:-1]
            if not line:
                if data:
                    payloads.append(data[0] if len(data) == 1 else b"\n".join(data))
                    data.clear()
                    self._data_bytes = 0
            elif line.startswith(b"data:"):
                self._data_bytes += len(line)
                self._check_event(self._data_bytes)
                data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line.startswith(b":"):
                self._refuse_unless_known(line)
        return payloads

    def _check_event(self, length: int) -> None:
        if length > self._event_most:
            raise TooLarge("An event is too long.")

    @staticmethod
    def _refuse_unless_known(line: bytes) -> None:
        # The standard ignores unknown fields. A chat stream has none, and a proxy's error page looks just like them.
        if line.partition(b":")[0].strip() not in _OTHER_FIELDS:
            raise NotAnEventStream(line[:80].decode("utf-8", "replace"))
