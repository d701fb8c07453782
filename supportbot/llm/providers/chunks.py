"""Parses Chat Completions chunks into events. Pure.

It does without pydantic, which would take longer than everything else. The input is untrusted: a field of the wrong
type counts as garbage and ends the attempt, but never the process.
"""

import json
import re
from typing import Any, Final

import orjson

from supportbot.llm.ports import WORKING, ProviderEvent
from supportbot.llm.types import TextDelta, ToolCall, Usage

MAX_CALLS = 16
MAX_ARGUMENTS_CHARACTERS = 64 * 1024
# Tokens are rarely longer; a server that ignores the token limit is stopped by the number of pieces or characters.
MAX_CHARACTERS_PER_TOKEN = 16
DONE = b"[DONE]"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_WORD: Final = re.compile(r"\S\s|\S{32}")  # or enough text in a language without spaces between words


class Garbage(ValueError):
    """The input is not a Chat Completions chunk."""


class UpstreamError(ValueError):
    """The server reported an error inside the stream, after a 200. `status` is the error's code if that is a number."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


class _Call:
    __slots__ = ("arguments", "id", "length", "name")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []
        self.length = 0


class Answer:
    """One answer as it grows. `feed` takes the payloads of one read and returns their text as one delta."""

    def __init__(self, *, max_output_tokens: int) -> None:
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.is_done = False
        self.pieces = 0
        self.characters = 0
        self.has_word = False  # whether a whole word has arrived; readers can show nothing before that
        self._first_word = ""  # the part of the first word that has arrived
        self._half = ""  # one half of a surrogate pair that is split between two chunks
        self._pieces_most = max_output_tokens + 16  # the empty first and last chunks count, too
        self._characters_most = max_output_tokens * MAX_CHARACTERS_PER_TOKEN
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}

    @property
    def is_over_limit(self) -> bool:
        return self.pieces > self._pieces_most or self.characters > self._characters_most

    def feed(self, payloads: list[bytes]) -> ProviderEvent | None:
        """Return the new text, or WORKING for progress that is not text. Raises Garbage or UpstreamError."""
        texts: list[str] = []
        is_working = False
        for payload in payloads:
            if payload == DONE or payload.strip() == DONE:
                self.is_done = True
                break
            delta = self._delta_of(payload)
            if delta is None:
                continue
            text = delta.get("content") or delta.get("refusal")
            if text:
                texts.append(_string(text))
            if delta.get("tool_calls"):
                self._add_calls(delta["tool_calls"])
                is_working = True
            elif delta.get("reasoning_content") or delta.get("reasoning"):
                self.pieces += 1
                is_working = True
        if texts:
            return self._text_event(texts)
        return WORKING if is_working else None

    def whole(self, body: bytes) -> ProviderEvent | None:
        """Parse a complete answer from a server that does not stream."""
        self.is_done = True
        message = self._part_of(_object(body), "message")
        if not message:
            raise Garbage("no message")
        self._add_calls(message.get("tool_calls") or [])
        text = message.get("content") or message.get("refusal")
        self.finish_reason = self.finish_reason or "stop"
        return self._text_event([_string(text)]) if text else None

    def tool_calls(self) -> list[ToolCall]:
        """Return the tool calls that have a name, in the order they began."""
        return [
            ToolCall(_whole(call.id), _whole(call.name), _whole("".join(call.arguments)))
            for call in self._calls
            if call.name
        ]

    def _text_event(self, texts: list[str]) -> TextDelta:
        """Join texts up to the limit. There is a limit because a server may send any amount at once."""
        text = self._half + "".join(texts)
        text = text[: self._characters_most + 1 - self.characters]
        text, self._half = (text[:-1], text[-1]) if "\ud800" <= text[-1:] <= "\udbff" else (text, "")
        text = _whole(text)
        if "\0" in text:  # PostgreSQL cannot store NUL
            text = text.replace("\0", "")
        self.pieces += len(texts)
        self.characters += len(text)
        if not self.has_word:
            self._first_word += text
            self.has_word = _WORD.search(self._first_word) is not None
        return TextDelta(text)

    def _delta_of(self, payload: bytes) -> dict[str, Any] | None:
        return self._part_of(_object(payload), "delta")

    def _part_of(self, chunk: dict[str, Any], name: str) -> dict[str, Any] | None:
        """Return the first choice's part called `name`, `delta` or `message`; keep the usage and the finish reason."""
        if chunk.get("error"):
            raise _reported(chunk["error"])
        if chunk.get("usage"):
            self.usage = usage_of(chunk["usage"])
        choices = chunk.get("choices")
        if not choices:
            return None
        try:
            choice = choices[0]
            reason, part = choice.get("finish_reason"), choice.get(name)
        except (TypeError, KeyError, AttributeError, IndexError) as error:
            raise Garbage("choices") from error
        if reason:
            self.finish_reason = _string(reason)
        if part is not None and not isinstance(part, dict):
            raise Garbage(name)
        return part

    def _add_calls(self, parts: Any) -> None:
        """Join the pieces of parallel calls by index. Some servers send complete calls, all with index 0."""
        if not isinstance(parts, list):
            raise Garbage("tool_calls")
        for position, part in enumerate(parts):
            if not isinstance(part, dict) or not isinstance(part.get("function") or {}, dict):
                raise Garbage("tool_calls")
            index = part.get("index", position)
            call = self._call_at(index if isinstance(index, int) else position, part.get("id"))
            function = part.get("function") or {}
            if function.get("name"):
                call.name = _string(function["name"])[:200]
            self._add_arguments(call, function.get("arguments"))

    def _call_at(self, index: int, identifier: Any) -> _Call:
        call = self._by_index.get(index)
        if call is None or (identifier and call.id and identifier != call.id):
            if len(self._calls) >= MAX_CALLS:
                raise Garbage("too many tool calls")
            call = self._by_index[index] = _Call()
            self._calls.append(call)
        if identifier:
            call.id = _string(identifier)[:200]
        return call

    @staticmethod
    def _add_arguments(call: _Call, arguments: Any) -> None:
        if arguments is None or arguments == "":
            return
        # Some servers send the arguments as an object instead of JSON text.
        text = _written(arguments) if isinstance(arguments, dict) else _string(arguments)
        call.length += len(text)
        if call.length > MAX_ARGUMENTS_CHARACTERS:
            raise Garbage("tool call arguments too long")
        call.arguments.append(text)


def usage_of(raw: Any) -> Usage:
    """Return the usage that the provider counted. Missing figures count as zero."""
    if not isinstance(raw, dict):
        raise Garbage("usage")
    details = raw.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return Usage(_count(raw.get("prompt_tokens")), _count(raw.get("completion_tokens")), _count(cached))


def _count(value: Any) -> int:
    # Limit the number, because it is stored in a column and multiplied by a price.
    return min(max(value, 0), 100_000_000) if isinstance(value, int) else 0


def _object(payload: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        value = _with_surrogates(payload, error)
    if not isinstance(value, dict):
        raise Garbage("not an object")
    return value


def _with_surrogates(payload: bytes, error: orjson.JSONDecodeError) -> Any:
    """Parse JSON that contains a lone surrogate.

    Servers that count UTF-16 units can split an emoji between two chunks.
    """
    if b"\\ud" not in payload.lower():
        raise Garbage("not JSON") from error
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        raise Garbage("not JSON") from error


def _written(arguments: dict[str, Any]) -> str:
    try:
        return orjson.dumps(arguments).decode()
    except orjson.JSONEncodeError as error:  # a lone surrogate, a number beyond 64 bits, or too deep nesting
        raise Garbage("tool call arguments") from error


def _whole(text: str) -> str:
    """Return the text with surrogate pairs joined and lone surrogates removed."""
    if _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise Garbage("not a string")
    return value


def _reported(error: Any) -> UpstreamError:
    if not isinstance(error, dict):
        return UpstreamError(str(error)[:200], None)
    code = error.get("code")
    parts = [part for part in (error.get("message"), error.get("type"), code) if isinstance(part, str)]
    return UpstreamError(", ".join(parts)[:200], code if isinstance(code, int) else None)
