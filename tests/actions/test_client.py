"""The built-in merchant's client, against merchants that break every rule."""

import json
from typing import Any

import pytest

from actions.errors import MerchantUnavailable
from actions.merchant_api.merchant import MAX_RESPONSE_BYTES, HttpMerchant
from actions.merchant_api.port import DidNot, Happened, NeverSeen, Unclear
from actions.spec import Call
from supportbot.outbound.ip_addresses import LOOPBACK
from tests.actions.raw_server import raw_server, reply

SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cyE="
CALL = Call("refund", "A-1", "cus_1", {"amount": "1.00", "currency": "EUR", "reason": "x"})


@pytest.fixture
def at(settings: Any) -> Any:
    """Return a merchant on a local port, which is allowed for the test."""

    def merchant(port: int) -> HttpMerchant:
        settings.PRIVATE_NETWORKS = LOOPBACK
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
def test_an_unusable_answer_to_a_command_is_unclear(at: Any, answer: bytes, is_over: bool) -> None:
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


def test_conclusive_answers_have_a_clear_outcome(at: Any) -> None:
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


@pytest.mark.parametrize(
    ("locale", "header"),
    [("de-AT", b"Accept-Language: de-AT"), ("", None), ("xx", None), ("日本語", None), ("de, en;q=1\t", None)],
)
def test_queries_name_a_well_formed_language(at: Any, locale: str, header: bytes | None) -> None:
    with raw_server(reply("404 Not Found", b"{}")) as server:
        assert at(server.port).order("A-1", locale=locale) is None
        assert at(server.port).orders_of("cus_1", locale=locale) == ()
        for received in server.received:
            sent = [line for line in received.splitlines() if line.lower().startswith(b"accept-language")]
            assert [line.lower() for line in sent] == ([header.lower()] if header else [])


def test_a_merchant_that_does_not_listen_has_received_nothing(at: Any, unused_port: int) -> None:
    outcome = at(unused_port).run(CALL, idempotency_key="k")
    assert isinstance(outcome, DidNot) and not outcome.is_final
