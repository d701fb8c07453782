"""Event streams cut, joined and broken in every way."""

import pytest

from supportbot.llm.providers.chunks import Answer, Garbage, UpstreamError, usage_of
from supportbot.llm.providers.sse import EventReader, NotAnEventStream, TooLarge
from supportbot.llm.types import TextDelta, ToolCall, Usage


def read(body: bytes, *, step: int) -> list[bytes]:
    reader = EventReader()
    found = [payload for start in range(0, len(body), step) for payload in reader.feed(body[start : start + step])]
    return found + reader.finish()


@pytest.mark.parametrize("step", [1, 2, 5, 1000])
@pytest.mark.parametrize(
    ("body", "payloads"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data:a\n\ndata:  b\n\n", [b"a", b" b"]),
        (b"data: one\ndata: two\n\n", [b"one\ntwo"]),
        (b": comment\n\nevent: x\nid: 7\nretry: 10\ndata: a\n\n", [b"a"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a\n\ndata: [DONE]", [b"a", b"[DONE]"]),
        (b"\n\n\ndata: a\n\n\n\n", [b"a"]),
        ("data: ä€🏕\n\n".encode(), ["ä€🏕".encode()]),
        (b"", []),
    ],
)
def test_payloads_do_not_depend_on_chunk_borders(body: bytes, payloads: list[bytes], step: int) -> None:
    assert read(body, step=step) == payloads


@pytest.mark.parametrize("body", [b"<html>\n", b'{"error": "x"}\n', b"HTTP/1.1 500\n", b"\x00\xff\xfe\n"])
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(NotAnEventStream):
        EventReader().feed(body)


def test_lines_events_and_streams_are_limited() -> None:
    with pytest.raises(TooLarge):
        EventReader(max_event_bytes=10).feed(b"data: 0123456789")
    many = EventReader(max_event_bytes=30)
    with pytest.raises(TooLarge):
        for _ in range(10):
            many.feed(b"data: x\n")
    long = EventReader(max_stream_bytes=100)
    with pytest.raises(TooLarge):
        for _ in range(30):
            long.feed(b": x\n\n")


def _said(text: str) -> bytes:
    return b'{"choices":[{"delta":{"content":"%b"}}]}' % text.encode()


def test_a_surrogate_pair_split_between_chunks_is_joined() -> None:
    answer = Answer(max_output_tokens=100)
    said = [answer.feed([_said(text)]) for text in ("Hello \\ud83d", "\\ude00 there")]
    assert said == [TextDelta("Hello "), TextDelta("😀 there")]


def test_a_lone_surrogate_is_removed() -> None:
    answer = Answer(max_output_tokens=100)
    said = [answer.feed([_said(text)]) for text in ("a\\ud83d b", "c \\uDE00", "d\\ud83d")]
    assert said == [TextDelta("a b"), TextDelta("c "), TextDelta("d")]
    with pytest.raises(Garbage):
        answer.feed([b'{"choices": \\ud83d'])


def test_a_lone_surrogate_in_a_call_is_removed() -> None:
    answer = Answer(max_output_tokens=100)
    function = b'{"name":"request_human","arguments":"{\\"reason\\":\\"a\\ud800b\\"}"}'
    answer.feed([b'{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"x","function":%b}]}}]}' % function])
    assert answer.tool_calls() == [ToolCall("x", "request_human", '{"reason":"ab"}')]


@pytest.mark.parametrize("value", [b'"a\\ud800b"', b'{"a":' * 300 + b"1" + b"}" * 300])
def test_arguments_that_cannot_be_serialised_end_the_attempt(value: bytes) -> None:
    function = b'{"name":"request_human","arguments":{"reason":%b}}' % value
    with pytest.raises(Garbage):
        Answer(max_output_tokens=100).feed([b'{"choices":[{"delta":{"tool_calls":[{"function":%b}]}}]}' % function])


def test_text_beyond_the_limit_is_cut_in_any_chunking() -> None:
    answer = Answer(max_output_tokens=10)
    event = answer.feed([_said("word " * 100_000)])
    assert isinstance(event, TextDelta)
    assert len(event.text) < 200
    assert answer.is_over_limit


def test_one_read_gives_one_delta() -> None:
    answer = Answer(max_output_tokens=10)
    pieces = [b'{"choices":[{"delta":{"content":"a"}}]}', b'{"choices":[{"delta":{"content":"b"}}]}', b"[DONE]"]
    assert answer.feed(pieces) == TextDelta("ab")
    assert (answer.pieces, answer.is_done) == (2, True)


@pytest.mark.parametrize(
    "pieces",
    [["Thank", " you"], ["Thank ", "you"], ["\\n\\n", "Th", "ank", " you"], ["Thank you"], ["漢" * 16, "漢" * 16]],
)
def test_the_first_word_is_whole_once_a_blank_follows(pieces: list[str]) -> None:
    answer = Answer(max_output_tokens=100)
    whole = []
    for piece in pieces:
        answer.feed([_said(piece)])
        whole.append(answer.has_word)
    at = 0 if pieces[0] == "Thank " else len(pieces) - 1
    assert whole == [place >= at for place in range(len(pieces))]


def test_text_and_a_tool_call_in_one_chunk_are_both_kept() -> None:
    answer = Answer(max_output_tokens=10)
    chunk = b'{"choices":[{"delta":{"content":"a","tool_calls":[{"index":0,"function":{"name":"f"}}]}}]}'
    assert answer.feed([chunk]) == TextDelta("a")
    assert answer.tool_calls() == [ToolCall("", "f", "")]


def test_calls_with_one_index_but_different_ids_are_separate() -> None:
    answer = Answer(max_output_tokens=10)
    for identifier in ("a", "b"):
        call = b'{"index":0,"id":"%s","function":{"name":"f","arguments":{"n":1}}}' % identifier.encode()
        answer.feed([b'{"choices":[{"delta":{"tool_calls":[%s]}}]}' % call])
    assert answer.tool_calls() == [ToolCall("a", "f", '{"n":1}'), ToolCall("b", "f", '{"n":1}')]


@pytest.mark.parametrize(
    "payload",
    [
        b"[]",
        b"7",
        b"nul",
        b'{"choices":7}',
        b'{"choices":[7]}',
        b'{"choices":[{"delta":[1]}]}',
        b'{"choices":[{"delta":{"content":{}, "x":1}, "finish_reason":5}]}',
        b'{"choices":[{"delta":{"tool_calls":{}, "content":null}}], "usage":7}',
        b'{"choices":[{"delta":{"tool_calls":[7]}}]}',
        b'{"choices":[{"delta":{"tool_calls":[{"function":7}]}}]}',
        b'{"choices":[{"delta":{"tool_calls":[{"function":{"name":7}}]}}]}',
        b'{"choices":[{"delta":{"content":NaN}}]}',
    ],
)
def test_an_unexpected_shape_is_garbage(payload: bytes) -> None:
    with pytest.raises(Garbage):
        Answer(max_output_tokens=10).feed([payload])


def test_calls_and_arguments_are_limited() -> None:
    answer = Answer(max_output_tokens=10)
    with pytest.raises(Garbage):
        for index in range(20):
            answer.feed([b'{"choices":[{"delta":{"tool_calls":[{"index":%d,"function":{"name":"f"}}]}}]}' % index])
    long = b'{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"%s"}}]}}]}' % (b"x" * 40_000)
    other = Answer(max_output_tokens=10)
    other.feed([long])
    with pytest.raises(Garbage):
        other.feed([long])


def test_an_error_inside_the_stream_is_reported() -> None:
    with pytest.raises(UpstreamError) as caught:
        Answer(max_output_tokens=10).feed([b'{"error":{"message":"overloaded","code":429}}'])
    assert caught.value.status == 429


def test_usage_is_bounded_and_never_negative() -> None:
    assert usage_of({"prompt_tokens": -5, "completion_tokens": 10**12, "x": 1}) == Usage(0, 100_000_000, 0)
    assert usage_of({"prompt_tokens": "7", "prompt_tokens_details": {"cached_tokens": 2}}) == Usage(0, 0, 2)
