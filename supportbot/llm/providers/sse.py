"""Reads server-sent events from a byte stream in chunks of any size. Pure: bytes in, payloads out.

Payloads stay bytes, and only complete events are decoded, so a chunk may end inside a UTF-8 character.
"""

MAX_EVENT_BYTES = 256 * 1024
MAX_STREAM_BYTES = 8 * 1024 * 1024
# Standard fields that a chat stream does not use.
_OTHER_FIELDS = (b"event", b"id", b"retry")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class NotAnEventStream(ValueError):
    """The server sent something else, such as the error page of a proxy."""


class TooLarge(ValueError):
    """One event or the whole stream exceeds its limit."""


class EventReader:
    """Collects bytes and returns the data of each complete event. The lines of an event are joined with newlines."""

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES, max_stream_bytes: int = MAX_STREAM_BYTES) -> None:
        self._event_most = max_event_bytes
        self._stream_left = max_stream_bytes
        self._is_first_line = True
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the payloads that `chunk` completes. Raises NotAnEventStream or TooLarge."""
        self._stream_left -= len(chunk)
        if self._stream_left < 0:
            raise TooLarge("The stream is too long.")
        if b"\n" not in chunk:  # search only the new bytes, so input in single bytes takes linear time
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
        """Return the payloads left at the end of the stream. Some servers omit the blank line after [DONE]."""
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
        # The standard says to ignore unknown fields, but chat streams have none, and a proxy's error page looks like
        # unknown fields.
        if line.partition(b":")[0].strip() not in _OTHER_FIELDS:
            raise NotAnEventStream(line[:80].decode("utf-8", "replace"))
