"""Requesting a ticket: who gets one, for which conversation, and refusals that store nothing."""

import json
import time
from uuid import uuid4

import jwt
import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client

from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.channels import NewChannel, create_channel
from supportbot.accounts.models import ApiKey, Channel, Customer, IdentityKey, Workspace
from supportbot.accounts.scope import across_workspaces
from supportbot.chat.models import Conversation, ConversationEvent, Message
from supportbot.widget import throttles
from supportbot.widget.models import SocketTicket
from tests.widget.page import ADDRESS, PAGE_ORIGIN, ask_for_ticket, identity_token, ticket

pytestmark = pytest.mark.django_db
KEPT: list[type[Model]] = [Customer, Conversation, ConversationEvent, Message, SocketTicket]


@pytest.fixture(autouse=True)
def _in(workspace: Workspace) -> None:
    """Read rows in this workspace."""


def stored() -> dict[str, int]:
    with across_workspaces("test"):
        return {model.__name__: model._default_manager.count() for model in KEPT}


def refused(body: object, *, status: int, code: str, field: str = "", **how: object) -> str:
    """Check that the request is refused with a message and that nothing was stored; return the message."""
    before = stored()
    response = ask_for_ticket(body, **how)  # type: ignore[arg-type]
    answer = response.json()
    assert (response.status_code, answer["code"]) == (status, code), answer
    assert set(answer) == {"code", "message", "fields"} and answer["message"]
    named = field or {"invalid_token": "token", "invalid_visitor": "visitor", "not_found": "conversation"}.get(code)
    assert named is None or list(answer["fields"]) == [named], answer
    assert stored() == before
    return str(answer["message"])


def test_a_read_only_database_is_reported_as_unavailable(channel: NewChannel) -> None:
    """During a failover, a server is read-only for a while. Programs retry after a 503, but not after a 500."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
    answer = ask_for_ticket({"channel": channel.channel.key})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_a_stranger_becomes_a_visitor_with_a_secret_and_a_conversation(channel: NewChannel) -> None:
    answer = ticket(channel)
    assert set(answer) == {"ticket", "expires_at", "ws_url", "conversation", "visitor", "config"}
    assert answer["ws_url"] == "ws://testserver/ws/v1/chat/"
    assert answer["config"]["greeting"] == "Hello from the shop" and "AI" in answer["config"]["notice"]
    assert answer["config"]["limits"]["message_characters"] == 4000 and answer["config"]["suggestions"] == []
    row = SocketTicket.objects.get()
    assert str(row.conversation_id) == answer["conversation"] and row.origin == PAGE_ORIGIN and not row.is_verified
    assert 0 < (row.expires_at - row.created_at).total_seconds() <= 61
    whole = json.dumps([*SocketTicket.objects.values(), *Customer.objects.values()], default=str)
    assert answer["ticket"] not in whole and answer["visitor"] not in whole


def test_a_visitor_resumes_the_conversation_by_the_secret(channel: NewChannel) -> None:
    first = ticket(channel)
    second = ticket(channel, visitor=first["visitor"], conversation=first["conversation"])
    assert second["conversation"] == first["conversation"] and "visitor" not in second
    assert second["ticket"] != first["ticket"] and Customer.objects.count() == 1


def test_a_signed_in_customer_gets_a_verified_ticket(channel: NewChannel) -> None:
    answer = ticket(channel, token=identity_token(channel))
    row = SocketTicket.objects.select_related("customer").get()
    assert row.is_verified and row.identity_expires_at and row.customer.external_id == "cus_alice"
    assert "visitor" not in answer


def test_both_credentials_bind_a_visitors_conversation_to_the_customer(channel: NewChannel) -> None:
    first = ticket(channel)
    both = {"visitor": first["visitor"], "token": identity_token(channel), "conversation": first["conversation"]}
    ticket(channel, **both)
    assert Conversation.objects.get().customer.external_id == "cus_alice"
    body = {"channel": channel.channel.key, "visitor": first["visitor"], "conversation": first["conversation"]}
    refused(body, status=404, code="not_found")


def test_another_customers_conversation_looks_like_a_missing_one(channel: NewChannel) -> None:
    alice_conversation = ticket(channel, token=identity_token(channel))["conversation"]
    visitors = ticket(channel)
    key = channel.channel.key
    answers = set()
    for proof in (
        {},
        {"visitor": visitors["visitor"]},
        {"visitor": "vs_unknown"},
        {"token": identity_token(channel, "cus_mallory")},
    ):
        if "token" in proof:  # a token's customer is created when it is first seen, not by the refusal
            ticket(channel, **proof)
        for conversation in (alice_conversation, str(uuid4())):
            body = {"channel": key, "conversation": conversation, **proof}
            answers.add(refused(body, status=404, code="not_found"))
    assert len(answers) == 1
    body = {"channel": key, "token": identity_token(channel, "cus_mallory"), "conversation": visitors["conversation"]}
    refused(body, status=404, code="not_found")


def test_a_secret_of_another_workspace_is_refused(channel: NewChannel, other_workspace: Workspace) -> None:
    other = create_channel(other_workspace, "Other", allowed_origins=[PAGE_ORIGIN])
    theirs = ticket(other)
    refused({"channel": channel.channel.key, "visitor": theirs["visitor"]}, status=401, code="invalid_visitor")
    body = {"channel": channel.channel.key, "visitor": theirs["visitor"], "conversation": theirs["conversation"]}
    refused(body, status=404, code="not_found")
    refused({"channel": channel.channel.key, "token": identity_token(other)}, status=401, code="invalid_token")


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"exp": int(time.time()) - 120, "iat": int(time.time()) - 600}, "expired"),
        ({"exp": 4_070_908_800}, "one hour"),
        ({"aud": "pk_somebody_else"}, "audience"),
        ({"aud": None}, "aud"),
        ({"aud": ["pk_a", "pk_b"]}, "audience"),
        ({"exp": None}, "exp"),
        ({"iat": None}, "iat"),
        ({"sub": None}, "sub"),
        ({"sub": {"id": "cus_alice"}}, "sub"),
        ({"sub": ["cus_alice"]}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": "cus\x00alice"}, "sub"),
        ({"iat": int(time.time()) + 4000, "exp": int(time.time()) + 5000}, "token"),
    ],
)
def test_an_invalid_token_is_refused(channel: NewChannel, changes: dict[str, object], cause: str) -> None:
    body = {"channel": channel.channel.key, "token": identity_token(channel, **changes)}
    assert cause in refused(body, status=401, code="invalid_token")


def test_a_token_signed_with_another_key_is_refused(channel: NewChannel, workspace: Workspace) -> None:
    now = int(time.time())
    claims = {"sub": "cus_alice", "aud": channel.channel.key, "iat": now, "exp": now + 600}
    other = create_channel(workspace, "Other")
    pointing = {"jku": "http://attacker.test/keys", "x5u": "http://attacker.test/cert", "kid": "1"}
    forged = [
        jwt.encode(claims, None, algorithm="none"),
        jwt.encode(claims, other.identity_secret, algorithm="HS256"),
        jwt.encode(claims, channel.identity_secret, algorithm="HS512"),
        jwt.encode(claims, other.identity_secret, algorithm="HS256", headers=pointing),
        identity_token(channel)[:-4] + "AAAA",
        "not.a.token",
        "[" * 7_000,
        "e30.e30.",
    ]
    for token in forged:
        refused({"channel": channel.channel.key, "token": token}, status=401, code="invalid_token")


def test_a_public_key_is_not_accepted_as_a_shared_secret(channel: NewChannel) -> None:
    """The stored key decides the algorithm: an HS256 token signed with an ES256 public key is refused."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    IdentityKey.objects.update(revoked_at=time.strftime("%Y-%m-%dT00:00Z"))
    IdentityKey.objects.create(channel=channel.channel, kid="2", algorithm="ES256", public_key=public)
    revoked = identity_token(channel)
    refused({"channel": channel.channel.key, "token": revoked}, status=401, code="invalid_token")
    claims = jwt.decode(revoked, options={"verify_signature": False})
    ticket(channel, token=jwt.encode(claims, private, algorithm="ES256"))


def test_errors_name_the_mistake_in_a_body(channel: NewChannel) -> None:
    key = channel.channel.key
    refused({"channel": key, "role": "agent"}, status=400, code="invalid", field="role")
    refused({"channel": key, "chanel": key}, status=400, code="invalid", field="chanel")
    refused({}, status=400, code="invalid", field="channel")
    refused({"channel": key, "conversation": "17"}, status=400, code="invalid", field="conversation")
    refused({"channel": key, "token": "x" * 8_001}, status=400, code="invalid", field="token")
    refused({"channel": key, "token": "a\x00b"}, status=400, code="invalid", field="token")
    refused(b'{"channel": "\\ud800"}', status=400, code="invalid", field="channel")
    refused({"channel": "pk_unknown"}, status=404, code="unknown_channel", field="channel")
    for body in (b"", b"[]", b'"x"', b"null"):
        refused(body, status=400, code="invalid")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b"[" * 5_000,
        b'{"a":' * 5_000,
        b'{"channel": NaN}',
        b'{"channel": ' + b"1" * 5_000 + b"}",
        b'{"channel": "a", "channel": "b"}',
        b'{"channel": "' + b"x" * 40_000 + b'"}',
    ],
)
def test_invalid_json_is_rejected_as_a_whole(channel: NewChannel, body: bytes) -> None:
    refused(body, status=400, code="parse_error")


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "https://notshop.acme.test",
        "https://shop.acme.test:8443",
        "https://shop.acme.test.evil.test",
        "http://shop.acme.test",
        "https://shop.acme.test@evil.test",
        "https://shop.acme.test/path",
        "https://[::1",
        "file://",
    ],
)
def test_other_origins_are_refused(channel: NewChannel, origin: str | None) -> None:
    refused({"channel": channel.channel.key}, status=403, code="origin_refused", origin=origin)


def test_a_closed_channel_is_unknown(channel: NewChannel) -> None:
    Channel.objects.update(is_live=False)
    refused({"channel": channel.channel.key}, status=404, code="unknown_channel")


def test_a_program_with_a_key_needs_no_origin(channel: NewChannel, workspace: Workspace) -> None:
    plain = issue_api_key(workspace, "relay", scopes=["conversations:write"]).plain
    body = {"channel": channel.channel.key}
    assert ask_for_ticket(body, origin=None, Authorization=f"Bearer {plain}").status_code == 201
    assert SocketTicket.objects.get().origin == ""
    refused(body, status=403, code="origin_refused", origin="https://evil.test", Authorization=f"Bearer {plain}")
    refused(body, status=401, code="invalid_key", origin=None, Authorization="Bearer sk_wrong_key")
    ApiKey.objects.update(scopes=["kb:read"])
    refused(body, status=403, code="origin_refused", origin=None, Authorization=f"Bearer {plain}")


def test_a_key_of_another_workspace_opens_nothing_here(channel: NewChannel, other_workspace: Workspace) -> None:
    plain = issue_api_key(other_workspace, "theirs", scopes=["conversations:write"]).plain
    body = {"channel": channel.channel.key}
    refused(body, status=403, code="origin_refused", origin=None, Authorization=f"Bearer {plain}")


def test_pages_of_known_origins_can_read_responses_and_errors(channel: NewChannel) -> None:
    good = ask_for_ticket({"channel": channel.channel.key})
    bad = ask_for_ticket({"channel": channel.channel.key, "role": "agent"})
    foreign = ask_for_ticket({"channel": channel.channel.key}, origin="https://attacker.test")
    assert good["Access-Control-Allow-Origin"] == bad["Access-Control-Allow-Origin"] == PAGE_ORIGIN
    assert "Access-Control-Allow-Origin" not in foreign
    for response in (good, bad, foreign):
        assert "Origin" in response["Vary"] and "Access-Control-Allow-Credentials" not in response
        assert response["Cache-Control"] == "no-store"


def test_a_preflight_is_answered(channel: NewChannel) -> None:
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    known = Client().options(ADDRESS, headers={"Origin": PAGE_ORIGIN, **asking})
    assert known.status_code == 204 and known["Access-Control-Allow-Origin"] == PAGE_ORIGIN
    assert "POST" in known["Access-Control-Allow-Methods"] and known["Access-Control-Allow-Headers"] == "Content-Type"
    foreign = Client().options(ADDRESS, headers={"Origin": "https://attacker.test", **asking})
    assert "Access-Control-Allow-Origin" not in foreign


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "trace"])
def test_other_http_methods_are_refused(channel: NewChannel, method: str) -> None:
    response = getattr(Client(), method)(ADDRESS, headers={"X-HTTP-Method-Override": "POST"})
    assert response.status_code == 405 and response.json()["code"] == "method_not_allowed"


def test_tickets_are_limited_per_address(channel: NewChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles.PerAddress, "rate", "3/min")
    for _ in range(3):
        ticket(channel)
    refused({"channel": channel.channel.key}, status=429, code="throttled")


def test_a_flood_of_new_visitors_does_not_lock_out_known_customers(
    channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttles, "NEW_VISITORS_PER_MINUTE", 2)
    first, _ = ticket(channel), ticket(channel)
    refused({"channel": channel.channel.key}, status=429, code="throttled")
    ticket(channel, visitor=first["visitor"], conversation=first["conversation"])
    ticket(channel, token=identity_token(channel))


def test_tickets_are_limited_per_customer(channel: NewChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles, "TICKETS_PER_MINUTE", 2)
    for _ in range(2):
        ticket(channel, token=identity_token(channel))
    refused({"channel": channel.channel.key, "token": identity_token(channel)}, status=429, code="throttled")
    ticket(channel, token=identity_token(channel, "cus_tom"))


def test_tickets_are_issued_while_the_cache_is_down(channel: NewChannel, cache_away: None) -> None:
    granted = ticket(channel)
    ticket(channel, visitor=granted["visitor"])


def test_without_origin_and_key_the_error_says_what_to_send(channel: NewChannel) -> None:
    message = refused({"channel": channel.channel.key}, status=403, code="origin_refused", origin=None)
    assert "conversations:write" in message
