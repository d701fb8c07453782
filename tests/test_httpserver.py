"""What is no HTTP is refused in the form of every other refusal, by the server that really runs."""

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.widget.serving import Served, served

MANY = b"a" * 70_000


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with served() as server:
        yield server


def said_to(address: str, request: bytes) -> tuple[bytes, bytes]:
    """Send bytes and return head and body of the answer."""
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /api/v1/me?x=" + MANY + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /" + MANY + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon here\r\n\r\n",
    ],
    ids=["a long query", "a long path", "no request line", "a broken header"],
)
def test_what_cannot_be_read_is_refused_in_json(running: Served, request_bytes: bytes) -> None:
    head, body = said_to(running.address, request_bytes)
    assert head.startswith(b"HTTP/1.1 400 ") and b"content-type: application/json" in head
    told = json.loads(body)
    assert (told["code"], told["fields"]) == ("bad_request", {}) and "65,535" in told["message"]


def test_a_long_address_that_can_be_read_is_answered(running: Served) -> None:
    request = b"GET /livez?x=" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    head, _ = said_to(running.address, request)
    assert head.startswith(b"HTTP/1.1 200 ")
