"""Attacks over HTTP with tokens, ids of others and approvals: each kind of row is tried here."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client
from django.utils.timezone import now

from actions.approvers import allow_approval
from actions.errors import ActionError
from actions.models import ActionRequest
from actions.policy_store import policy_of
from actions.principals import principal_in_conversation
from actions.services import approve, confirm, propose
from actions.testing import FakeShop
from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.models import Customer, IdentityKey
from supportbot.chat.models import Conversation
from supportbot.widget import throttles
from tests.attacks.corpus import Row, rows
from tests.attacks.target import Target, of
from tests.attacks.test_sockets import SOCKETS
from tests.attacks.world import place

LATER = {
    "hook_bad_sig": "there are no incoming webhooks yet", "hook_replay": "there are no incoming webhooks yet",
    "hook_big": "there are no incoming webhooks yet", "csv_export": "nothing is exported as CSV yet",
    "dow_cache_miss": "attachments are refused until they are built; the budget of a turn is tested with the gateway",
}  # fmt: skip
ELSEWHERE = {
    "ws_half_open": "tests/widget/socket/test_frames: an idle socket is closed",
    "tok_timing": "secrets are compared by their hashes and by PyJWT's constant-time compare",
    "adm_kb_xss": "test_markdown, and the browser's journeys for the pages",
    "adm_login_brute": "tests/accounts/test_lockout",
    "widget_postmessage": "the widget listens to no message of a window: tests/browser/test_attacks",
    "widget_click": "tests/widget/test_hosted_page: the hosted page cannot be framed where it must confirm",
    "erase_then_read": "tests of chat's erasure",
}


# --- Tokens and access over HTTP.


def refused(target: Target, token: str, *, because: str = "invalid_token") -> None:
    """Assert that no token of this kind opens a conversation, and that the reason is logged."""
    with target.world.at_home():
        before = Customer.objects.count(), Conversation.objects.count()
    answer = target.request_ticket(token=token)
    assert answer.status_code == 401, answer.content
    assert not any(canary in answer.content.decode() for canary in target.world.foreign_canaries())
    with target.world.at_home():
        assert (Customer.objects.count(), Conversation.objects.count()) == before
    assert because in target.codes()


def claims(target: Target, **changes: Any) -> dict[str, Any]:
    moment, key = int(time.time()), target.home.channel.channel.key
    told = {"sub": target.world.speaker.external_id, "aud": key, "iat": moment, "exp": moment + 600}
    return told | changes


def unsigned(target: Target, header: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in (header, claims(target))]
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])


def tok_alg_none(target: Target) -> None:
    for name in ("none", "None", "NONE", "nOnE", ""):
        refused(target, unsigned(target, {"alg": name, "typ": "JWT"}))


def tok_hs_rs_mix(target: Target) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
    body = base64.urlsafe_b64encode(json.dumps(claims(target)).encode()).rstrip(b"=")

    mac = hmac.digest(public, header + b"." + body, "sha256")
    refused(target, b".".join([header, body, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode())
    refused(target, jwt.encode(claims(target), key, algorithm="RS256"))


def tok_other_user(target: Target) -> None:
    head, _, signature = target.token().split(".")
    other = str(list(target.world.customers.values())[1].external_id)
    body = base64.urlsafe_b64encode(json.dumps(claims(target, sub=other)).encode()).rstrip(b"=").decode()
    refused(target, f"{head}.{body}.{signature}")


def tok_far_exp(target: Target) -> None:
    refused(target, target.token(exp=4_070_908_800))
    refused(target, target.token(exp=int(time.time()) + 3_700))


def tok_aud_missing(target: Target) -> None:
    other = list(target.world.tenants.values())[1].channel.channel.key
    for audience in (None, other, [target.home.channel.channel.key], "*", ""):
        refused(target, target.token(aud=audience))


def tok_jku(target: Target) -> None:
    for name in ("jku", "x5u", "jwk"):
        address: Any = {"kty": "oct", "k": "AA"} if name == "jwk" else "http://attacker.test/keys.json"
        headers = {name: address, "kid": "theirs"}
        refused(
            target, jwt.encode(claims(target), "theirs-theirs-theirs-theirs-0123", algorithm="HS256", headers=headers)
        )


def tok_nested_json(target: Target) -> None:
    for subject in ({"a": 1}, ["a"], "", " ", "a\x00b", "a\u202eb", 7, True, "x" * 201):
        refused(target, target.token(sub=subject))
    refused(target, f"{base64.urlsafe_b64encode(b'[' * 5_000).decode()}.e30.x")


def tok_revoked_secret(target: Target) -> None:
    token = target.token()
    with target.world.at_home():
        IdentityKey.objects.update(revoked_at=now())
    refused(target, token)


def ws_guess_conversation(target: Target) -> None:
    missing = "0197f000-0000-7000-8000-000000000000"
    answers = [target.request_ticket(conversation=key) for key in (target.foreign_conversation(), missing)]
    answers += [
        target.request_ticket(conversation=key, visitor="vs_guess") for key in (target.foreign_conversation(), missing)
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert "not_found" in target.codes()


def ws_resume_foreign(target: Target) -> None:
    answer = target.request_ticket(conversation=target.foreign_conversation(), token=target.token())
    assert answer.status_code == 404
    assert "not_found" in target.codes()


def api_idor(target: Target) -> None:
    page, token = Client(raise_request_exception=False), f"Bearer {target.token()}"
    address = f"/api/v1/conversations/{target.foreign_conversation()}"
    paths = {"/events?after=0": "GET", "": "DELETE", "/messages": "POST", "/transcript": "GET", "/end": "POST"}
    headers = {"Authorization": token}
    for path, method in paths.items():
        answer = page.generic(method, address + path, "{}", content_type="application/json", headers=headers)
        assert answer.status_code in (400, 404), (method, path, answer.content)
        assert not any(canary in answer.content.decode() for canary in target.world.foreign_canaries())
    assert "not_found" in target.codes()
    with target.world.at_home():
        assert Conversation.objects.filter(pk=target.foreign_conversation(), ended_at=None).exists()


def api_method(target: Target) -> None:
    page = Client(raise_request_exception=False)
    for method in ("TRACE", "CONNECT", "PROPFIND"):
        assert page.generic(method, "/api/v1/conversations").status_code in (401, 403, 404, 405)
    headers = {"X-HTTP-Method-Override": "DELETE", "Authorization": f"Bearer {target.token()}"}
    page.post("/api/v1/conversations", {}, content_type="application/json", headers=headers)
    with target.world.at_home():
        assert Conversation.objects.filter(customer=target.world.speaker).exists()


def api_filter_leak(target: Target) -> None:
    """An agent's list shows the agent's own workspace, whatever the query names."""
    other = list(target.world.tenants.values())[1]
    with target.world.at_home():
        key = issue_api_key(target.home.workspace, "Agent", scopes=["conversations:read", "customers:read"])
    for query in (
        f"workspace={other.workspace.pk}",
        f"customer__workspace={other.workspace.pk}",
        "ordering=customer__password",
    ):
        answer = Client(raise_request_exception=False).get(
            f"/api/v1/conversations?{query}", headers={"Authorization": f"Bearer {key.plain}"}
        )
        assert answer.status_code in (200, 400)
        assert other.canary not in answer.content.decode()
        for customer in list(target.world.customers.values())[2:]:
            assert str(customer.pk) not in answer.content.decode()


def api_cors(target: Target) -> None:
    headers = {"Origin": "https://attacker.test", "Authorization": f"Bearer {target.token()}", "Cookie": "sessionid=x"}
    for method in ("get", "options"):
        answer = getattr(Client(raise_request_exception=False), method)("/api/v1/conversations", headers=headers)
        assert answer.headers.get("Access-Control-Allow-Origin") not in ("*", "https://attacker.test")
        assert "Access-Control-Allow-Credentials" not in answer.headers


def _waiting_refund(target: Target) -> ActionRequest:
    """Return a confirmed refund that a person must approve."""
    principal = replace(principal_in_conversation(target.world.speaker), expires_at=now() + timedelta(minutes=5))
    limit = float(target.world.facts["policy"]["approval_above"])
    order = next(
        row for row in target.world.facts["orders"]
        if row["customer"] == principal.external_id and row["total"] > limit and row["status"] == "delivered"
    )  # fmt: skip
    wish = {"order_id": order["id"], "amount": f"{limit + 1:.2f}", "reason": "x"}
    card = propose(principal, "refund_order", wish, proposal_key="turn:1:1")
    return confirm(card.pk, principal=principal, digest=card.digest)


def adm_perm(target: Target) -> None:
    with target.world.at_home():
        request = _waiting_refund(target)
        scopes = ["actions:read", "actions:approve"]
        key = issue_api_key(target.home.workspace, "Agent", scopes=scopes, user=target.home.agent).plain
        with pytest.raises(ActionError):
            approve(request.pk, approver=target.home.agent, digest=request.digest)
    answer = Client(raise_request_exception=False).post(
        f"/api/v1/action-requests/{request.pk}/approve",
        json.dumps({"digest": request.digest}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code in (403, 404)
    _still_waits(target, request)


def adm_self_approve(target: Target) -> None:
    agent = target.home.agent
    with target.world.at_home():
        request = _waiting_refund(target)
        policy = policy_of("refund_order")
        assert policy is not None
        allow_approval(policy, agent, actor="test")
        agent.email = target.world.speaker.email.upper()
        agent.save(update_fields=["email"])
        with pytest.raises(ActionError):
            approve(request.pk, approver=agent, digest=request.digest)
    _still_waits(target, request)


def _still_waits(target: Target, request: ActionRequest) -> None:
    with target.world.at_home():
        request.refresh_from_db()
    assert request.state == "awaiting_approval"
    assert target.world.shop.refunds == []
    assert any(code in target.codes() for code in ("not_allowed", "own_request"))


def dow_many(target: Target) -> None:
    """Strangers are limited by address: most of a flood is refused, but known customers still get in."""
    before, throttles.PerAddress.rate = throttles.PerAddress.rate, "20/min"
    try:
        statuses = [target.request_ticket().status_code for _ in range(30)]
    finally:
        throttles.PerAddress.rate = before
    assert statuses.count(429) >= 10
    assert 500 not in statuses


HTTP: dict[str, Callable[[Target], None]] = {
    play.__name__: play
    for play in (
        tok_alg_none, tok_hs_rs_mix, tok_other_user, tok_far_exp, tok_aud_missing, tok_jku, tok_nested_json,
        tok_revoked_secret, ws_guess_conversation, ws_resume_foreign, api_idor, api_filter_leak, api_method, api_cors,
        adm_perm, adm_self_approve, dow_many,
    )
}  # fmt: skip


@pytest.mark.one_in(2)
@pytest.mark.parametrize("row", of(HTTP))
@pytest.mark.django_db
def test_an_attempt_over_http_is_refused(row: Row, shop: FakeShop, dialled: list[Any]) -> None:
    HTTP[row.kind](Target(place(row.world, shop)))
    assert dialled == []
    assert shop.refunds == [] and shop.changes == []


def test_every_row_is_tested_here_or_listed_as_tested_elsewhere() -> None:
    known = HTTP.keys() | SOCKETS.keys() | LATER.keys() | ELSEWHERE.keys()
    assert {entry.values[0].kind for entry in rows("protocol")} <= known
