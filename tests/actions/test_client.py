"""The HTTP client, against merchants that break every rule and addresses that it must not call."""

import json
import socket
import threading
import time
from typing import Any

import pytest

from actions.connectors.addresses import is_public
from actions.connectors.client import MAX_RESPONSE_BYTES, NoAnswer, NotSent, checked_target, exchange
from actions.connectors.merchant import HttpMerchant
from actions.connectors.port import DidNot, Happened, NeverSeen, Unclear
from actions.errors import MerchantUnavailable
from actions.spec import Call
from tests.actions.raw_server import raw_server, reply
from tests.attacks.corpus import Row, rows

SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cyE="
CALL = Call("refund", "A-1", "cus_1", {"amount": "1.00", "currency": "EUR", "reason": "x"})


@pytest.fixture
def at(settings: Any) -> Any:
    """Return the URL of a merchant on a local port, which is allowed for the test."""

    def merchant(port: int) -> HttpMerchant:
        settings.ACTIONS_LOOPBACK = [f"127.0.0.1:{port}"]
        return HttpMerchant(f"http://127.0.0.1:{port}", SECRET)

    return merchant


@pytest.mark.parametrize(
    ("answer", "is_over"),
    [
        (reply("500 Oops", b'{"code": "x"}'), True),
        (reply("502 Bad Gateway", b"<html>502</html>", kind="text/html"), False),
        (reply("202 Accepted", b"{}"), False),
        (reply("524 A Timeout Occurred", b"<html>524</html>", kind="text/html"), False),
        (reply("200 OK", b"<html>fine</html>", kind="text/html"), True),
        (reply("200 OK", b"{broken"), True),
        (reply("200 OK", b"[" * 100_000), True),
        (reply("200 OK", b"[1]"), True),
        (reply("200 OK", b'{"a": "' + b"x" * MAX_RESPONSE_BYTES + b'"}'), True),
        (reply("200 OK", b"\x1f\x8b", more="Content-Encoding: gzip\r\n"), True),
        (reply("302 Found", b"{}", more="Location: http://169.254.169.254/\r\n"), True),
        (reply("409 Conflict", b'{"code": "key_reused"}'), True),
        (b"", False),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{", True),
        (b"SSH-2.0-OpenSSH\r\n", False),
    ],
    ids=[
        "500", "502-html", "202", "524-html", "html", "broken", "deep", "list", "huge", "compressed", "redirect",
        "conflict", "hang-up",
        "cut", "no-http",
    ],
)  # fmt: skip
def test_no_usable_answer_to_a_command_is_unclear(at: Any, answer: bytes, is_over: bool) -> None:
    with raw_server(answer) as server:
        merchant = at(server.port)
        outcome = merchant.run(CALL, idempotency_key="k")
        assert isinstance(outcome, Unclear) and outcome.was_answered is is_over
        assert isinstance(merchant.find("k"), Unclear)
        with pytest.raises(MerchantUnavailable):
            merchant.order("A-1")
        with pytest.raises(MerchantUnavailable):
            merchant.orders_of("cus_1")
        assert len(server.received) == 4  # one call each: nothing is retried, no redirect is followed


def test_conclusive_answers(at: Any) -> None:
    expected = {"422 No": ("too_high", True), "404 Not Found": ("none", True), "429 Later": ("later", False)}
    for status, (code, is_final) in expected.items():
        with raw_server(reply(status, json.dumps({"code": code, "message": "No."}).encode())) as server:
            outcome = at(server.port).run(CALL, idempotency_key="k")
            assert outcome == DidNot(code, "No.", is_final)
    with raw_server(reply("200 OK", b'{"refund": "RF-1"}')) as server:
        assert at(server.port).run(CALL, idempotency_key="k") == Happened({"refund": "RF-1"})
    with raw_server(reply("404 Not Found", b"{}")) as server:
        assert at(server.port).find("k") == NeverSeen()
        assert at(server.port).order("A-1") is None
        assert at(server.port).orders_of("cus_1") == ()
    done = b'{"state": "done", "status": 200, "result": {"refund": "RF-1"}}'
    with raw_server(reply("200 OK", done)) as server:
        assert at(server.port).find("k") == Happened({"refund": "RF-1"})


def test_a_merchant_that_does_not_listen_received_nothing(at: Any, unused_port: int) -> None:
    outcome = at(unused_port).run(CALL, idempotency_key="k")
    assert isinstance(outcome, DidNot) and not outcome.is_final


@pytest.mark.parametrize("answer", [reply("200 OK", b'{"a": 1}'), b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 1_000])
def test_a_slow_answer_is_cut_off_at_the_deadline(at: Any, answer: bytes) -> None:
    with raw_server(answer, pause=0.05) as server:
        at(server.port)
        with pytest.raises(NoAnswer):
            exchange("GET", f"http://127.0.0.1:{server.port}/", body=b"", headers={}, deadline_seconds=0.4)


@pytest.mark.parametrize(
    "before_tls", [b"", b"\x16\x03\x03\x40\x00" + b"\x02" * 200], ids=["silence", "a handshake that dribbles"]
)
def test_a_slow_handshake_ends_at_the_deadline_with_nothing_sent(settings: Any, before_tls: bytes) -> None:
    """Every byte arrives in time, but the whole answer never would."""
    with raw_server(before_tls or b"\x16", pause=0.05 if before_tls else 30, listens=False) as server:
        settings.ACTIONS_LOOPBACK = [f"127.0.0.1:{server.port}"]
        began = time.monotonic()
        with pytest.raises(NotSent):
            exchange("GET", f"https://127.0.0.1:{server.port}/", body=b"", headers={}, deadline_seconds=0.4)
        assert time.monotonic() - began < 3


def test_a_hanging_resolver_is_given_up_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: answers.wait(20) and [])
    with pytest.raises(NotSent, match="resolved"):
        exchange("GET", "https://shop.example/", body=b"", headers={}, deadline_seconds=0.1)
    answers.set()


def test_the_next_address_is_tried_if_the_first_refuses(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host name has two addresses, and one of the machines is down."""
    real, both = socket.getaddrinfo, ["::1", "127.0.0.1"]

    def resolve(host: str, *rest: Any, **more: Any) -> Any:
        return [entry for one in (both if host == "shop.test" else [host]) for entry in real(one, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with raw_server(reply("200 OK", b'{"refund": "RF-1"}')) as server:
        settings.ACTIONS_LOOPBACK = [f"shop.test:{server.port}"]
        merchant = HttpMerchant(f"http://shop.test:{server.port}", SECRET)
        assert merchant.run(CALL, idempotency_key="k") == Happened({"refund": "RF-1"})


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/", "https://127.0.0.1/", "https://localhost/", "http://shop.example/", "ftp://shop.example/",
        "https://user@shop.example/", "https://10.0.0.8/", "https://169.254.169.254/latest/", "https://[::1]/",
        "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://2130706433/", "https://0x7f.1/",
        "https://shop.example:99999/", "https://shop.example:5432/", "https://shop.example:0/", "https://shop.example\\@x/",
        "https://shop.example/\n", "https:///shop.example/", "https://[/", "", "//x", "file:///etc/passwd", "https://fritz\u3002box/",
        "https://127.0.0.1/h\u00e4ndler", "https://sh\u00f6p.example/",
    ],
)  # fmt: skip
def test_forbidden_urls_are_not_called(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: real(host if _is_literal(host) else "10.1.2.3", *rest, **more),
    )
    with pytest.raises(NotSent):
        checked_target(url)


def _is_literal(host: str) -> bool:
    return host[:1].isdigit() or ":" in host or host == "localhost"


def test_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(*addresses: str) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: found)

    answers("93.184.216.34", "10.0.0.1")
    with pytest.raises(NotSent):
        checked_target("https://shop.example/api")
    answers("93.184.216.34")
    target = checked_target("https://shop.example/api?x=1")
    assert target.addresses == ("93.184.216.34",)
    assert (target.endpoint.host_header, target.endpoint.path) == ("shop.example", "/api?x=1")


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("::ffff:93.184.216.34", True),
        ("127.0.0.1", False), ("10.0.0.1", False), ("100.64.0.1", False), ("192.0.0.192", False), ("224.0.0.1", False),
        ("64:ff9b::5db8:d822", False), ("2002:7f00:1::", False), ("2001::1", False), ("fe80::1%eth0", False),
        ("fec0::1", False), ("::127.0.0.1", False), ("0.0.0.0", False), ("not an address", False),
    ],
)  # fmt: skip
def test_public_addresses(address: str, is_open: bool) -> None:
    assert is_public(address) is is_open


# Redirects are never followed, and the connection goes to the address that was checked.
LATER = {"rebind", "meta_refresh", "sitemap"}


def addresses() -> list[Any]:
    found = [(entry, entry.values[0].raw) for entry in rows("ssrf")]
    return [entry for entry, raw in found if not raw["redirects"] and raw["kind"] not in LATER]


@pytest.mark.parametrize("row", addresses())
def test_a_hostile_address_is_never_called(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    real, dns, url = socket.getaddrinfo, row.raw["dns"], row.raw["url"]

    def resolve(host: str, *rest: Any, **more: Any) -> Any:
        answers = dns.get(host.encode("idna").decode(), [[host]])[0]
        return [entry for address in answers for entry in real(address, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    if row.raw["expect"] == "allow":
        assert checked_target(url).endpoint.is_tls
        return
    for one in (url, url.replace("http:", "https:", 1)):
        with pytest.raises(NotSent):
            checked_target(one)
