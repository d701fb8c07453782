"""Calls over a connection to a real server: the request that arrives, and which of the three outcomes is returned."""

import hashlib
import hmac
import time
from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from standardwebhooks import Webhook

from actions.connections import oauth_tokens, services
from actions.connections.client import Call, Client, NoAnswer, NotSent, Response
from actions.connections.models import Connection
from tests.actions.connections.conftest import WEBHOOK_SECRET
from tests.actions.connections.fake_api import FakeApi, RecordedRequest, json_reply
from tests.actions.raw_server import reply

pytestmark = pytest.mark.django_db
Connect = Callable[..., Connection]
POST = Call("POST", "/orders/A%2F1/exchange", {"dry": "a b&c"}, {"X-Mine": "1"}, {"amount": Decimal("12.50"), "n": 1})


def test_a_call_arrives_as_it_was_written_and_the_answer_comes_back_parsed(connect: Connect, api: FakeApi) -> None:
    api.answer = lambda asked: reply("201 Made", b'{"total": 12.10, "n": 3}', more="X-Id: 7\r\n")
    answer = Client(connect()).send(POST)
    assert (answer.status, answer.headers["x-id"], answer.body) == (201, "7", {"total": Decimal("12.10"), "n": 3})
    assert str(answer.body["total"]) == "12.10"
    [asked] = api.asked
    assert (asked.method, asked.path) == ("POST", "/v1/orders/A%2F1/exchange?dry=a+b%26c")
    assert asked.body == b'{"amount":12.50,"n":1}'
    assert asked.headers["content-type"] == "application/json" and asked.headers["x-mine"] == "1"
    assert "authorization" not in asked.headers


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ("bearer", "authorization", "Bearer tok-1"),
        ("basic", "authorization", "Basic " + b64encode("us\u00e9r:pass:word \u00e4".encode()).decode()),
        ("header", "x-api-key", "key-1"),
    ],
)
def test_a_secret_is_sent_in_its_header(auth: str, header: str, value: str, connect: Connect, api: FakeApi) -> None:
    Client(connect(auth)).send(Call("GET", "/", headers={header: "mine", "Accept": "text/csv"}))
    assert api.asked[0].headers[header] == value  # a definition's own header does not replace it
    assert api.asked[0].headers["accept"] == "text/csv"


def test_a_custom_header_may_have_a_prefix(connect: Connect, api: FakeApi) -> None:
    Client(connect("header", settings={"header": "Authorization", "prefix": "Token "})).send(Call("GET", "/"))
    assert api.asked[0].headers["authorization"] == "Token key-1"


def test_an_hmac_signature_follows_its_description(connect: Connect, api: FakeApi) -> None:
    described = {
        "signed": r"{method}\n{path}\n{timestamp}\n{nonce}\n{key_id}\n{body_sha256}",
        "value": "t={timestamp},k={key_id},v1={signature}",
        "header": "X-Sign",
        "nonce_header": "X-Nonce",
        "key_id": "k{1",
        "algorithm": "sha512",
        "encoding": "base64",
    }
    Client(connect("hmac", settings=described)).send(POST)
    [asked] = api.asked
    sent_at, nonce = asked.headers["x-timestamp"], asked.headers["x-nonce"]
    lines = ["POST", asked.path, sent_at, nonce, "k{1", hashlib.sha256(asked.body).hexdigest()]
    expected = b64encode(hmac.digest(b"shared", "\n".join(lines).encode(), "sha512")).decode()
    assert asked.headers["x-sign"] == f"t={sent_at},k=k{{1,v1={expected}"
    assert abs(int(sent_at) - time.time()) < 60


def test_hmac_defaults_sign_timestamp_and_body(connect: Connect, api: FakeApi) -> None:
    Client(connect("hmac", settings={"secret_encoding": "hex"}, secret="00ff")).send(POST)
    [asked] = api.asked
    signed = f"{asked.headers['x-timestamp']}.".encode() + asked.body
    assert asked.headers["x-signature"] == hmac.digest(b"\x00\xff", signed, "sha256").hex()


def test_standard_webhooks_sign_with_the_old_secret_too_until_it_expires(connect: Connect, api: FakeApi) -> None:
    connection, new = connect("standard_webhooks"), "whsec_YW5vdGhlciBzZWNyZXQgYWx0b2dldGhlcg=="
    connection = services.rotate(connection.pk, new, keep_hours=1, actor="test")
    Client(connection).send(POST)
    for secret in (WEBHOOK_SECRET, new):
        Webhook(secret).verify(api.asked[-1].body, api.asked[-1].headers, json_parse=False)
    connection.previous_until = connection.created_at
    Client(connection).send(POST)
    Webhook(new).verify(api.asked[-1].body, api.asked[-1].headers, json_parse=False)
    assert len(api.asked[-1].headers["webhook-signature"].split(" ")) == 1


# The answers of a token server and an API at one address.
class Tokens:
    def __init__(self) -> None:
        self.issued = 0
        self.valid: set[str] = set()
        self.done = 0

    def __call__(self, asked: RecordedRequest) -> bytes:
        if asked.path == "/token":
            self.issued += 1
            self.valid = {f"t{self.issued}"}
            return json_reply({"access_token": f"t{self.issued}", "token_type": "Bearer", "expires_in": 3600})
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.valid:
            return json_reply({"error": "expired"}, "401 Unauthorized")
        self.done += 1
        return json_reply({"done": self.done})


def paths(api: FakeApi) -> list[str]:
    return [asked.path.rpartition("/")[2].partition("?")[0] for asked in api.asked]


def test_a_token_is_fetched_once_and_again_if_it_expires_during_a_call(connect: Connect, api: FakeApi) -> None:
    api.answer = server = Tokens()
    client = Client(connect("oauth_client_credentials", settings={"scope": "a b"}))
    assert [client.send(POST).body for _ in range(2)] == [{"done": 1}, {"done": 2}]
    assert paths(api) == ["token", "exchange", "exchange"]
    form = api.asked[0]
    assert form.body == b"grant_type=client_credentials&scope=a+b"
    assert form.headers["authorization"] == "Basic " + b64encode(b"client%3A1:s3cret%26x").decode()
    server.valid = set()
    assert client.send(POST).body == {"done": 3}
    assert paths(api)[3:] == ["exchange", "token", "exchange"]


def test_a_fresh_token_that_is_refused_is_not_fetched_again(connect: Connect, api: FakeApi) -> None:
    refusal = json_reply({}, "401 Unauthorized")
    api.answer = lambda asked: json_reply({"access_token": "t"}) if asked.path == "/token" else refusal
    client = Client(connect("oauth_client_credentials", settings={"client_auth": "body"}))
    assert client.send(POST).status == 401
    assert paths(api) == ["token", "exchange"]
    assert b"client_id=client%3A1&client_secret=s3cret%26x" in api.asked[0].body


def test_a_call_is_resent_once_at_most(connect: Connect, api: FakeApi) -> None:
    api.answer = server = Tokens()
    client = Client(connect("oauth_client_credentials"))
    client.send(POST)
    refusal = json_reply({}, "401 Unauthorized")
    api.answer = lambda asked: server(asked) if asked.path == "/token" else refusal
    assert client.send(POST).status == 401
    assert paths(api)[2:] == ["exchange", "token", "exchange"]


@pytest.mark.parametrize("answer", [b"", json_reply({}, "500 Oops"), json_reply({"code": 1}, "403 No")])
def test_only_a_401_is_sent_again(answer: bytes, connect: Connect, api: FakeApi) -> None:
    api.answer = server = Tokens()
    client = Client(connect("oauth_client_credentials"))
    client.send(POST)
    api.answer = lambda asked: server(asked) if asked.path == "/token" else answer
    try:
        assert client.send(POST).status in (500, 403)
    except NoAnswer:
        assert answer == b""
    assert paths(api)[2:] == ["exchange"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (json_reply({"error": "invalid_client"}, "401 Unauthorized"), "401 invalid_client"),
        (json_reply({"error": "<b>\n" * 50}, "400 Bad"), "returned 400"),
        (json_reply({}), "without a token"),
        (json_reply([]), "without a token"),
        (json_reply({"access_token": "a b"}), "without a token"),
        (json_reply({"access_token": "x\r\nX-Y: 1"}), "without a token"),
        (json_reply({"access_token": "x", "token_type": "mac"}), "not a bearer token"),
        (reply("302 Found", b"", more="Location: http://169.254.169.254/\r\n"), "redirect"),
        (reply("200 OK", b"x" * 100_000), "more than"),
        (b"", "no response"),
    ],
)
def test_without_a_token_nothing_is_sent(answer: bytes, why: str, connect: Connect, api: FakeApi) -> None:
    api.answer = lambda asked: answer
    with pytest.raises(NotSent, match="no access token") as refused:
        Client(connect("oauth_client_credentials")).send(POST)
    assert why in refused.value.why and "s3cret" not in refused.value.why
    assert paths(api) == ["token"]


def test_a_call_is_not_made_if_its_token_cannot_be_renewed(connect: Connect, api: FakeApi) -> None:
    api.answer = server = Tokens()
    client = Client(connect("oauth_client_credentials"))
    client.send(POST)
    server.valid = set()
    api.answer = lambda asked: json_reply({}, "503 Later") if asked.path == "/token" else server(asked)
    with pytest.raises(NotSent):
        client.send(POST)
    assert server.done == 1


def test_a_rotated_secret_gets_its_own_token(connect: Connect, api: FakeApi) -> None:
    api.answer = Tokens()
    connection = connect("oauth_client_credentials")
    Client(connection).send(POST)
    Client(services.rotate(connection.pk, "another", actor="test")).send(POST)
    assert paths(api) == ["token", "exchange", "token", "exchange"]


def test_the_number_of_cached_tokens_is_bounded(
    connect: Connect, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.answer = Tokens()
    monkeypatch.setattr(oauth_tokens, "_tokens", {})
    monkeypatch.setattr(oauth_tokens, "MAX_TOKENS", 2)
    for number in range(4):
        Client(connect("oauth_client_credentials", f"shop{number}")).send(POST)
    assert len(oauth_tokens._tokens) <= 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("orders", None), ("/../admin", None), ("/a/./b", None), ("/a/%2e%2E/b", None), ("/a?b", None), ("/a#b", None),
        ("/a\\..\\b", None), ("/a b", None), ("/a\r\nX: y", None), ("/\u00e4", None), ("/" + "x" * 9_000, None),
        ("/a/%2F..%2Fb", None), ("/", {"a": object()}), ("/", {"a": Decimal("NaN")}), ("/", {"a": 1.5}),
        ("@evil.example/", None),
    ],
)  # fmt: skip
def test_an_invalid_path_or_body_is_not_sent(path: str, body: Any, connect: Connect, api: FakeApi) -> None:
    with pytest.raises(NotSent):
        Client(connect()).send(Call("POST", path, body=body))
    assert api.asked == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply("204 No Content", b""), Response(204, {}, None)),
        (reply("404 Not Found", b"<html>", kind="text/html"), Response(404, {}, None)),
        (reply("502 Bad", b"<html>", kind="text/html"), Response(502, {}, None)),
        (reply("422 No", b'{"error": "too late"}'), Response(422, {}, {"error": "too late"})),
        (reply("200 OK", rb'["\ud83d\ude00", "\\u0000"]'), Response(200, {}, ["\U0001f600", r"\u0000"])),
        (reply("200 OK", b"[1, 2.0]"), Response(200, {}, [1, Decimal("2.0")])),
    ],
)
def test_answers_with_and_without_json(answer: bytes, expected: Response, connect: Connect, api: FakeApi) -> None:
    api.answer = lambda asked: answer
    got = Client(connect()).send(POST)
    assert (got.status, got.body) == (expected.status, expected.body)


@pytest.mark.parametrize(
    "answer",
    [
        reply("200 OK", b"<html>Thank you!</html>", kind="text/html"), reply("200 OK", b'{"refund": '),
        reply("200 OK", b"[" * 100_000), reply("200 OK", b'{"id": 1, "id": 2}'), reply("200 OK", b'{"a": NaN}'),
        reply("200 OK", b'{"a": 1e999999}'), reply("200 OK", b'{"a": ' + b"9" * 5_000 + b"}"), reply("200 OK", b"\xff"),
        reply("200 OK", rb'{"a": ["x\u0000"]}'), reply("200 OK", rb'{"\ud800": 1}'),
        reply("200 OK", b'{"a": "' + b"x" * 2_000_000 + b'"}'), reply("307 There", b"{}", more="Location: /\r\n"), b"",
    ],
    ids=[
        "html", "cut", "deep", "twice", "nan", "exponent", "digits", "bytes", "nul", "half", "huge", "redirect",
        "hang-up",
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_read_is_unclear(answer: bytes, connect: Connect, api: FakeApi) -> None:
    api.answer = lambda asked: answer
    with pytest.raises(NoAnswer) as unclear:
        Client(connect()).send(POST)
    assert unclear.value.why and len(api.asked) == 1


def test_one_deadline_covers_token_and_call(connect: Connect, api: FakeApi) -> None:
    server = Tokens()

    def slowly(asked: RecordedRequest) -> bytes:
        time.sleep(0.4)
        return server(asked)

    api.answer = slowly
    with pytest.raises((NotSent, NoAnswer)):  # each alone would meet the deadline
        Client(connect("oauth_client_credentials")).send(Call("POST", "/x", body={}, timeout_seconds=0.6))


def test_a_call_to_a_private_address_is_refused(connect: Connect, api: FakeApi, settings: Any) -> None:
    connection = connect("bearer")
    settings.PRIVATE_NETWORKS = ()
    with pytest.raises(NotSent, match="https"):
        Client(connection).send(POST)
    assert api.asked == []
