"""The published schemas match the code; the send queue is bounded."""

import json
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

import pytest

from supportbot.chat.signals import Delta, EventView, NewEvent
from supportbot.strict_json import BadJson, loads
from supportbot.widget.errors import FrameError
from supportbot.widget.socket import protocol
from supportbot.widget.socket.parsing import FRAMES, parse_client_frame
from supportbot.widget.socket.send_queue import MAX_BYTES, MAX_ITEMS, Close, SendQueue
from supportbot.widget.throttles import TokenBucket
from tests.widget.page import CLIENT_FRAMES, SERVER_FRAMES, schema

ID = str(uuid4())
GOOD: list[dict[str, Any]] = [
    {"type": "hello", "ticket": "st_x", "last_seq": 3},
    {"type": "message", "client_id": "m-1", "text": "Hello"},
    {"type": "message", "client_id": "m-1", "text": "Hello", "attachments": []},
    {"type": "choose", "client_id": "m-1", "block": f"{ID}:0", "option": "A-1"},
    {"type": "submit", "client_id": "m-1", "block": f"{ID}:12", "values": {"city": "Ulm", "floor": 3}},
    {"type": "submit", "client_id": "m-1", "block": f"{ID}:12", "values": [{"city": "Ulm"}, {"city": "Bonn"}]},
    {"type": "stop"},
    {"type": "confirm", "request": ID, "digest": "0" * 64},
    {"type": "decline", "request": ID},
    {"type": "undo", "request": ID},
    {"type": "request_human", "reason": "Please"},
    {"type": "cancel_human"},
    {"type": "identify", "token": "a.b.c"},
    {"type": "logout"},
    {"type": "retry", "message": ID},
    {"type": "rate", "score": 5, "comment": "Fine", "message": ID},
    {"type": "rate", "score": 1, "message": ID, "reason": "off_topic"},
    {"type": "typing"},
    {"type": "ping"},
]


def variants(name: str) -> dict[str, dict[str, Any]]:
    return {variant["properties"]["type"]["const"]: variant for variant in schema(name)["oneOf"]}


def test_the_schemas_name_the_same_frames_as_the_code() -> None:
    assert set(variants("client")) == set(FRAMES) == {frame["type"] for frame in GOOD}
    server = {frame.__dataclass_fields__["type"].default: frame for frame in get_args(protocol.ServerFrame)}
    assert set(variants("server")) == set(server)
    for kind, variant in variants("server").items():
        assert set(variant["properties"]) == {field.name for field in fields(server[kind])}, kind


@pytest.mark.parametrize("frame", GOOD, ids=lambda frame: str(frame["type"]))
def test_code_and_schema_accept_the_same_frames(frame: dict[str, Any]) -> None:
    CLIENT_FRAMES.validate(frame)
    parse_client_frame(json.dumps(frame))
    required = variants("client")[frame["type"]]["required"]
    for name in set(frame) - {"type"}:
        without = {key: value for key, value in frame.items() if key != name}
        assert takes(without) == CLIENT_FRAMES.is_valid(without) == (name not in required)
        assert not takes({**frame, name: None}) and not CLIENT_FRAMES.is_valid({**frame, name: None})
    assert not takes({**frame, "role": "agent"}) and not CLIENT_FRAMES.is_valid({**frame, "role": "agent"})


def takes(frame: dict[str, Any]) -> bool:
    try:
        parse_client_frame(json.dumps(frame))
    except FrameError:
        return False
    return True


def test_every_server_frame_is_encoded_as_its_schema_says() -> None:
    turn = protocol.LiveTurn(ID, 1, 0, "")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    frames: list[protocol.ServerFrame] = [
        protocol.Welcome(uuid4(), 0, "An AI answers.", None, protocol.LIMITS),
        protocol.Welcome(uuid4(), 7, "An AI answers.", turn, protocol.LIMITS),
        protocol.Ack("m1", 2),
        protocol.Event(2, 1, "message", {"text": "Hello"}, now),
        protocol.Delta(ID, 1, 0, "Hel"),
        protocol.Status(ID, "Looking into our help pages"),
        protocol.Typing("Bob"),
        protocol.Queue(uuid4(), 2, away=True),
        protocol.Queue(uuid4(), 1, {"min": 1, "max": 3}),
        protocol.Head(2),
        protocol.Reset(),
        protocol.ErrorFrame("invalid_frame", "No.", "text", "m1", uuid4()),
        protocol.ErrorFrame("unavailable", "Not now."),
    ]
    assert {type(frame) for frame in frames} == set(get_args(protocol.ServerFrame))
    for frame in frames:
        SERVER_FRAMES.validate(json.loads(protocol.encode(frame)))


@pytest.mark.parametrize(
    "text",
    ["", "{", "nul", '{"a":1,"a":2}', '{"a":{"b":1,"b":2}}', "NaN", "-Infinity", "[" * 17 + "]" * 17, "9" * 5_000],
)
def test_strict_json_rejects_invalid_json(text: str) -> None:
    with pytest.raises(BadJson):
        loads(text)


def test_strict_json_accepts_valid_json() -> None:
    brackets = "[{" * 50
    assert loads(json.dumps({"text": brackets + '\\"[', "list": [1, 2.5, None]})) == {
        "text": brackets + '\\"[',
        "list": [1, 2.5, None],
    }
    assert loads("[" * 16 + "]" * 16)


async def test_a_full_queue_keeps_only_the_close() -> None:
    queue = SendQueue()
    for index in range(MAX_ITEMS + 1):
        queue.put(Delta(ID, 1, index, "word ", 5 * index))
    assert await queue.next() == Close(4429, "too slow: resume with last_seq")
    assert queue.is_closing


async def test_the_queue_counts_bytes_in_and_out() -> None:
    queue = SendQueue()
    long = EventView(2, 1, "message", {"text": "x" * 4_000}, is_public=True, created_at=datetime.now(UTC))
    for _ in range(3):
        for _ in range(MAX_BYTES // 5_000):
            queue.put(NewEvent(2, long))
        assert not queue.is_closing
        for _ in range(MAX_BYTES // 5_000):
            await queue.next()
    for _ in range(MAX_BYTES // 4_000):
        queue.put(NewEvent(2, long))
    assert queue.is_closing


async def test_frames_queued_before_a_close_are_sent_first() -> None:
    queue = SendQueue()
    queue.put("error")
    queue.close(4400, "bad")
    queue.put("too late")
    assert [await queue.next(), await queue.next()] == ["error", Close(4400, "bad")]


def test_a_token_bucket_allows_a_burst_and_then_a_rate() -> None:
    now = [0.0]
    bucket = TokenBucket(3, 0.5, clock=lambda: now[0])
    assert [bucket.allows() for _ in range(4)] == [True, True, True, False]
    now[0] = 2.0
    assert [bucket.allows(), bucket.allows()] == [True, False]
    now[0] = 1_000.0
    assert [bucket.allows() for _ in range(4)] == [True, True, True, False]


def test_the_protocol_document_describes_every_frame() -> None:
    text = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()
    for name in [*variants("client"), *variants("server")]:
        assert f"`{name}" in text, name
