"""The server's behaviour for one request, and the resulting bytes. Pure."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """A tool call, whose arguments arrive in `parts` chunks."""

    name: str
    arguments: str = "{}"
    id: str = "call_1"
    parts: int = 2


@dataclass(frozen=True)
class Behaviour:
    """One answer. Durations are in seconds, counts in pieces of text (about one per word)."""

    text: str = "Hello there."
    calls: tuple[Call, ...] = ()
    model_reasons: int = 0  # this many pieces of hidden reasoning come first
    status: int = 200
    error: str = "scripted"
    error_code: str | None = None
    retry_after: str | None = None
    refuses: str | None = None  # answers 400 to a request with this field, naming it
    refuses_silently: str | None = None  # the same, without naming it
    first_after: float = 0.0
    gap: float = 0.0
    stall_after: int | None = None
    gate: asyncio.Event | None = None  # a stalled answer continues once this is set
    cut_after: int | None = None
    is_endless: bool = False
    error_inside: bool = False  # an error object in the stream, after its 200
    raw: bytes | None = None  # sent as the whole body, whatever it is
    cuts_raw: bool = False  # the connection ends after `raw`, in the middle of the body
    bytes_per_second: float | None = None  # slow-loris
    split: int | None = None  # writes the stream in pieces of this many bytes, across lines and characters
    newline: str = "\n"
    content_type: str | None = None
    reports_usage: bool = True
    finish_reason: str | None = "stop"
    sends_done: bool = True
    stays_open: bool = False  # does not end the body after the last chunk
    is_whole: bool = False  # answers in one JSON object although a stream was requested

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "Behaviour":
        """Return the behaviour a control request describes."""
        calls = tuple(Call(**call) for call in raw.pop("calls", []))
        raw_bytes = raw.pop("raw", None)
        return cls(calls=calls, raw=None if raw_bytes is None else raw_bytes.encode(), **raw)


def chunks_of(text: str) -> list[str]:
    """Return the text in pieces of one word with the space after it."""
    return re.findall(r"\S+\s*|\s+", text)


def usage_of(behaviour: Behaviour) -> dict[str, Any]:
    count = len(chunks_of(behaviour.text))
    return {"prompt_tokens": 11, "completion_tokens": count, "total_tokens": 11 + count,
            "prompt_tokens_details": {"cached_tokens": 3}}  # fmt: skip


def text_events(behaviour: Behaviour) -> Iterator[bytes]:
    """Yield the pieces of text, each as one event; forever if the behaviour is endless."""
    pieces = chunks_of(behaviour.text)
    while True:
        for piece in pieces:
            yield event({"content": piece}, newline=behaviour.newline)
        if not behaviour.is_endless:
            return


def opening_events(behaviour: Behaviour) -> Iterator[bytes]:
    yield f": a comment, as proxies send them{behaviour.newline}{behaviour.newline}".encode()
    yield event({"role": "assistant", "content": ""}, newline=behaviour.newline)
    for number in range(behaviour.model_reasons):
        yield event({"reasoning_content": f"thought {number}"}, newline=behaviour.newline)


def call_events(behaviour: Behaviour) -> Iterator[bytes]:
    """Yield the calls' chunks interleaved, as servers with parallel calls send them."""
    for index, call in enumerate(behaviour.calls):
        yield event({"tool_calls": [{"index": index, "id": call.id, "type": "function",
                     "function": {"name": call.name, "arguments": ""}}]}, newline=behaviour.newline)  # fmt: skip
    for part in range(max((call.parts for call in behaviour.calls), default=0)):
        for index, call in enumerate(behaviour.calls):
            size = -(-len(call.arguments) // call.parts)
            text = call.arguments[part * size : (part + 1) * size]
            yield event({"tool_calls": [{"index": index, "function": {"arguments": text}}]}, newline=behaviour.newline)


def closing_events(behaviour: Behaviour, *, wants_usage: bool) -> Iterator[bytes]:
    if behaviour.error_inside:
        yield b"data: " + json.dumps({"error": {"message": "overloaded", "code": 503}}).encode() + b"\n\n"
        return
    if behaviour.finish_reason:
        reason = "tool_calls" if behaviour.calls else behaviour.finish_reason
        yield event({}, finish_reason=reason, newline=behaviour.newline)
    if wants_usage and behaviour.reports_usage:
        yield _line({"object": "chat.completion.chunk", "choices": [], "usage": usage_of(behaviour)}, behaviour.newline)
    if behaviour.sends_done:
        yield f"data: [DONE]{behaviour.newline}{behaviour.newline}".encode()


def event(delta: dict[str, Any], *, finish_reason: str | None = None, newline: str = "\n") -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return _line({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]}, newline)


def _line(chunk: dict[str, Any], newline: str) -> bytes:
    return f"data: {json.dumps(chunk, ensure_ascii=False)}{newline}{newline}".encode()


def whole_answer(behaviour: Behaviour) -> bytes:
    """Return the answer in one JSON object."""
    message: dict[str, Any] = {"role": "assistant", "content": behaviour.text or None}
    if behaviour.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in behaviour.calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": behaviour.finish_reason}
    return json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage_of(behaviour)}).encode()
