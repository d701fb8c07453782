"""The HTTP client, with servers that break every rule and callers that send forbidden values."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from supportbot.outbound.errors import NoAnswer, NotSent
from supportbot.outbound.http import MIB, Request, Response, Trace, request
from supportbot.outbound.ip_addresses import LOOPBACK
from tests.actions.raw_server import raw_server, reply
from tests.patience import PATIENCE_SECONDS

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
def this_machine_is_open(settings: Any) -> None:
    settings.PRIVATE_NETWORKS = LOOPBACK


def url_of(port: int) -> str:
    return f"http://127.0.0.1:{port}/"


def test_a_complete_response_is_returned_whatever_its_status() -> None:
    sent = reply("418 I'm a teapot", b"\x00short", more="X-A: 1\r\nx-a: 2\r\n")
    with raw_server(sent) as server:
        trace = Trace()
        got = request(Request("PUT", url_of(server.port) + "a?b=1", {"X-Mine": "yes"}, b"body"), trace=trace)
    assert (got.status, got.body, got.headers["x-a"]) == (418, b"\x00short", "1, 2")
    assert (trace.addresses, trace.connected_to, trace.tls) == (("127.0.0.1",), "127.0.0.1", "")
    [raw] = server.received
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.startswith(b"PUT /a?b=1 HTTP/1.1\r\n") and body == b"body"
    assert f"Host: 127.0.0.1:{server.port}".encode() in head and b"X-Mine: yes" in head
    assert b"Accept-Encoding: identity" in head and b"Content-Length: 4" in head


def hundred_megabytes(port: int) -> int:
    """Return how many bytes of an endless body the client took before it hung up."""
    taken = 0
    with socket.create_server(("127.0.0.1", port)) as listener:
        caller, _ = listener.accept()
        with caller:
            caller.recv(65_536)
            try:
                caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
                for _ in range(1_600):
                    caller.sendall(b"x" * 65_536)
                    taken += 65_536
            except OSError:
                return taken
    return taken


def test_only_the_beginning_of_a_hundred_megabytes_is_read(unused_port: int) -> None:
    taken: list[int] = []
    serving = threading.Thread(target=lambda: taken.append(hundred_megabytes(unused_port)), daemon=True)
    serving.start()
    while True:
        try:
            with pytest.raises(NoAnswer, match="1,048,576 bytes"):
                request(Request("GET", url_of(unused_port)))
            break
        except NotSent:  # it does not listen yet
            time.sleep(0.01)
    serving.join(PATIENCE_SECONDS)
    assert taken[0] < 16 * MIB  # the rest is in the machine's buffers


def endless_chunks() -> Iterator[bytes]:
    yield CHUNKED
    for _ in range(40):
        yield b"10000\r\n" + b"x" * 65_536 + b"\r\n"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"", 0),
        (b"SSH-2.0-OpenSSH\r\n", 0),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * MIB + b"\r\n\r\n", 0),
        (b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200 + b"\r\n", 0),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}", 200),
        (CHUNKED + b"5\r\nab", 200),
        (CHUNKED + b"zz\r\nab", 200),
        (b"".join(endless_chunks()), 200),
        (reply("200 OK", b"x" * (MIB + 1)), 200),
        (reply("200 OK", gzip.compress(b"0" * 50 * MIB), more="Content-Encoding: gzip\r\n"), 200),
        (reply("302 Found", b"{}", more="Location: http://169.254.169.254/\r\n"), 302),
        (reply("308 Over there", b"{}", more="Location: /elsewhere\r\n"), 308),
    ],
    ids=[
        "hang-up", "no-http", "a-header-of-1-mb", "200-headers", "hints", "cut", "cut-chunk", "broken-chunk",
        "endless-chunks", "huge", "gzip-bomb", "redirect", "redirect-home",
    ],
)  # fmt: skip
def test_an_unusable_answer_is_distinguished_from_a_missing_one(answer: bytes, status: int) -> None:
    with raw_server(answer) as server:
        with pytest.raises(NoAnswer) as unclear:
            request(Request("POST", url_of(server.port), body=b"{}"))
        assert unclear.value.status in (status, 0) if status == 200 else unclear.value.status == status
        assert unclear.value.why and len(server.received) == 1


PACKED = gzip.compress(b"Words of a page. " * 100)


def unpacked(body: bytes, encoding: str = "gzip") -> Response:
    with raw_server(reply("200 OK", body, more=f"Content-Encoding: {encoding}\r\n")) as server:
        return request(Request("GET", url_of(server.port), unpacks_gzip=True))


def test_a_compressed_response_of_several_members_is_read_whole() -> None:
    assert unpacked(PACKED + gzip.compress(b"More.")).body == b"Words of a page. " * 100 + b"More."


def test_a_compression_header_does_no_harm_to_a_response_without_a_body() -> None:
    assert unpacked(b"").body == b""


def test_a_compressed_response_is_unpacked_for_a_caller_that_asks_for_it() -> None:
    assert unpacked(PACKED).body == unpacked(PACKED, "X-GZIP").body == b"Words of a page. " * 100


@pytest.mark.parametrize(
    ("body", "encoding", "why"),
    [
        (gzip.compress(b"0" * 50 * MIB), "gzip", "more than 1,048,576 bytes"),
        (PACKED[:-9], "gzip", "only a part"),
        (b"no gzip", "gzip", "only a part"),
        (PACKED, "br", "compression"),
        (PACKED, "gzip, gzip", "compression"),
    ],
    ids=["a bomb", "cut off", "not compressed", "brotli", "compressed twice"],  # a compressed body contains the time
)
def test_a_packed_answer_that_grows_too_large_or_is_damaged_is_unusable(body: bytes, encoding: str, why: str) -> None:
    with pytest.raises(NoAnswer, match=why):
        unpacked(body, encoding)


@pytest.mark.parametrize("answer", [reply("200 OK", b'{"a": 1}'), b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 1_000])
def test_a_slow_answer_is_cut_off_at_the_deadline(answer: bytes) -> None:
    with raw_server(answer, pause=0.05) as server:
        began = time.monotonic()
        with pytest.raises(NoAnswer):
            request(Request("GET", url_of(server.port), timeout_seconds=0.4))
        assert time.monotonic() - began < PATIENCE_SECONDS / 2  # a thousand headers take five minutes


@pytest.mark.parametrize(
    "before_tls", [b"", b"\x16\x03\x03\x40\x00" + b"\x02" * 16_000], ids=["silence", "a handshake that dribbles"]
)
def test_a_slow_handshake_ends_at_the_deadline_with_nothing_sent(before_tls: bytes) -> None:
    """Every byte arrives in time, but the whole answer never does."""
    with raw_server(before_tls or b"\x16", pause=0.05 if before_tls else PATIENCE_SECONDS, listens=False) as server:
        began = time.monotonic()
        with pytest.raises(NotSent):
            request(Request("GET", f"https://127.0.0.1:{server.port}/", timeout_seconds=0.4))
        assert time.monotonic() - began < PATIENCE_SECONDS / 2


def test_a_server_without_https_is_named_as_such() -> None:
    refused = pytest.raises(NotSent, match="the server does not use https on this port")
    with raw_server(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", listens=False) as server, refused:
        request(Request("GET", f"https://127.0.0.1:{server.port}/"))


def test_a_server_that_does_not_read_is_abandoned_at_the_deadline() -> None:
    with raw_server(b"", pause=PATIENCE_SECONDS, listens=False) as server:
        server.answer = b"x"  # keeps the connection open
        began = time.monotonic()
        with pytest.raises(NoAnswer):
            request(Request("POST", url_of(server.port), body=b"x" * 20 * MIB, timeout_seconds=0.5))
        assert time.monotonic() - began < PATIENCE_SECONDS / 2  # the server would take five minutes


def test_a_hanging_resolver_is_abandoned_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: answers.wait(20) and [])
    with pytest.raises(NotSent, match="resolved"):
        request(Request("GET", "https://shop.example/", timeout_seconds=0.1))
    answers.set()


def test_the_next_address_is_tried_if_the_first_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host name has two addresses, and one of the machines is down."""
    real, both = socket.getaddrinfo, ["::1", "127.0.0.1"]

    def resolve(host: str, *rest: Any, **more: Any) -> Any:
        return [entry for one in (both if host == "shop.test" else [host]) for entry in real(one, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with raw_server(reply("200 OK", b"fine")) as server:
        assert request(Request("GET", f"http://shop.test:{server.port}/")).body == b"fine"


def test_a_refused_connection_is_reported_in_words(unused_port: int) -> None:
    with pytest.raises(NotSent, match="refused"):
        request(Request("GET", url_of(unused_port)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "1\r\nX-B: 2"), ("X-A", "1\n"), ("X-A", "a\r\n folded"), ("X-A", "\x00"), ("X-A", "caf\u00e9"),
        ("X-A\r\nX-B", "1"), ("X A", "1"), ("", "1"), ("X-\u00c4", "1"), ("Host", "internal.example"),
        ("content-length", "0"), ("Transfer-Encoding", "chunked"), ("Connection", "X-A"), ("Expect", "100-continue"),
        ("Accept-Encoding", "gzip"),
    ],
)  # fmt: skip
def test_a_header_that_could_break_the_message_is_never_sent(name: str, value: str) -> None:
    with raw_server(reply("200 OK", b"")) as server:
        with pytest.raises(NotSent, match="header"):
            request(Request("POST", url_of(server.port), {name: value}, b"{}"))
        assert server.received == []


@pytest.mark.parametrize("method", ["", "get", "CONNECT", "TRACE", "GET / HTTP/1.1\r\nX: y"])
def test_only_known_methods_are_sent(method: str) -> None:
    with raw_server(reply("200 OK", b"")) as server:
        with pytest.raises(NotSent, match="method"):
            request(Request(method, url_of(server.port)))
        assert server.received == []


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port}")
    with raw_server(reply("200 OK", b"direct")) as server:
        assert request(Request("GET", url_of(server.port))).body == b"direct"
