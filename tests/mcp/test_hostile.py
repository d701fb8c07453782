"""Attacks on the MCP server: without a key, with bad tokens, with floods and large bodies, and from pages."""

import json
from typing import Any

import httpx2
import pytest
from django.utils.timezone import now, timedelta
from pytest_django.fixtures import Settings

from actions.models import ActionRequest, AuditEntry
from actions.testing import FakeShop
from supportbot.accounts.api_keys import issue_api_key, revoke_api_key
from supportbot.accounts.channels import NewChannel, create_channel
from supportbot.accounts.models import ApiKey, Customer, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.mcp.models import ConfirmationLink
from supportbot.mcp.request_checks import MAX_BODY_BYTES
from tests.mcp.agent import NO_AUTHORITIES, ConfirmationPage, ForeignAgent, post, token_of
from tests.patience import PATIENCE_SECONDS

REFUND = {"order_id": "A-1001", "reason": "Arrived damaged"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
pytestmark = pytest.mark.django_db(transaction=True)


def called(name: str, arguments: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


def bearer(agent: ForeignAgent) -> dict[str, str]:
    return {"Authorization": f"Bearer {agent.key}"}


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer sk_x_y"}, {"Authorization": "Basic c2s6eA=="}])
def test_without_a_key_there_is_no_answer(server: str, header: dict[str, str]) -> None:
    answer = post(server, LIST, **header)
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["error"]["message"].endswith(".")


def test_a_customers_token_is_not_a_key(server: str, channel: NewChannel, alice: Customer) -> None:
    assert post(server, LIST, Authorization=f"Bearer {token_of(channel)}").status_code == 401


def test_a_revoked_key_or_one_without_the_scope_is_refused(server: str, workspace: Workspace) -> None:
    other = issue_api_key(workspace, "Reports", scopes=["kb:read"])
    assert post(server, LIST, Authorization=f"Bearer {other.plain}").status_code == 403
    gone = issue_api_key(workspace, "Old", scopes=["mcp:use"])
    revoke_api_key(gone.row.prefix)
    assert post(server, LIST, Authorization=f"Bearer {gone.plain}").status_code == 401


def test_the_links_of_a_revoked_key_are_dead(
    agent: ForeignAgent, shop: FakeShop, channel: NewChannel, workspace: Workspace
) -> None:
    token = token_of(channel)
    opened, unopened = (
        ConfirmationPage(agent.base, agent.call("refund_order", REFUND, token=token).structured_content["confirm_url"])
        for _ in range(2)
    )
    opened.open()
    with workspace_scope(workspace.pk):
        revoke_api_key(ApiKey.objects.get().prefix)
    body = {"token": opened.shown["token"], "digest": opened.shown["digest"]}
    refused = [opened.posted("confirm", body), unopened.posted("open", {"code": unopened.code})]
    assert [answer.status_code for answer in refused] == [403, 403]
    with workspace_scope(workspace.pk):
        assert set(ActionRequest.objects.values_list("state", flat=True)) == {"awaiting_confirmation"}


def test_an_agents_key_gives_access_to_nothing_else(server: str, agent: ForeignAgent, shop: FakeShop) -> None:
    import httpx2

    for address in ("articles", "customers", "conversations", "action-requests", "tickets", "channels"):
        answer = httpx2.get(f"{server}/api/v1/{address}", headers=bearer(agent), verify=NO_AUTHORITIES)
        assert answer.status_code in (401, 403), address


def test_actions_need_the_customers_own_token(agent: ForeignAgent, shop: FakeShop, channel: NewChannel) -> None:
    for name, arguments in [("refund_order", REFUND), ("order_status", {}), ("action_status", {"request": "0" * 32})]:
        refused = agent.call(name, arguments)
        assert (refused.is_error, refused.structured_content["code"]) == (True, "identity_required"), name
    assert not ActionRequest.objects.exists()


@pytest.mark.parametrize("place", ["header", "meta"])
def test_bad_tokens_are_refused_and_audited(
    agent: ForeignAgent, shop: FakeShop, channel: NewChannel, other_workspace: Workspace, place: str
) -> None:
    theirs = create_channel(other_workspace, "Theirs")
    past = int((now() - timedelta(hours=2)).timestamp())
    tokens = {
        "expired": token_of(channel, iat=past, exp=past + 600),
        "another workspace's": token_of(theirs),
        "another key's": token_of(NewChannel(channel.channel, theirs.identity_secret)),
        "a page's pass": "hp_" + "x" * 40,
        "a visitor's secret": "vs_" + "x" * 40,
        "garbage": "a.b.c",
        "the API key": agent.key,
    }
    for what, token in tokens.items():
        agent.headers = {"Customer-Identity": token} if place == "header" else {}
        refused = agent.call("order_status", token="" if place == "header" else token)
        assert (refused.is_error, refused.structured_content["code"]) == (True, "invalid_token"), what
    assert AuditEntry.objects.filter(event="mcp.refused").count() == len(tokens)
    assert not Customer.objects.exclude(external_id="cus_alice").exists()


def test_two_different_tokens_are_refused(agent: ForeignAgent, shop: FakeShop, channel: NewChannel) -> None:
    agent.headers = {"Customer-Identity": token_of(channel)}
    refused = agent.call("order_status", token=token_of(channel, subject="cus_stranger"))
    assert refused.structured_content["code"] == "two_identities"
    agreeing = token_of(channel)
    agent.headers = {"Customer-Identity": agreeing}
    assert not agent.call("order_status", token=agreeing).is_error


def test_two_identity_headers_identify_nobody(agent: ForeignAgent, shop: FakeShop, channel: NewChannel) -> None:
    headers = [*bearer(agent).items(), ("Accept", "application/json, text/event-stream")]
    headers += [("Customer-Identity", token_of(channel, subject=sub)) for sub in ("cus_alice", "cus_stranger")]
    asked = called("order_status", {"order_id": "A-1001"})
    answer = httpx2.post(
        f"{agent.base}/mcp/", json=asked, headers=headers, timeout=PATIENCE_SECONDS, verify=NO_AUTHORITIES
    ).json()
    assert answer["result"]["structuredContent"]["code"] == "invalid_token"


def test_another_customer_sees_nothing_of_a_request(
    agent: ForeignAgent, shop: FakeShop, channel: NewChannel, workspace: Workspace
) -> None:
    proposed = agent.call("refund_order", REFUND, token=token_of(channel)).structured_content
    stranger = token_of(channel, subject="cus_stranger")
    for arguments in ({"request": proposed["request"]}, {"request": "018f0000-0000-7000-8000-000000000000"}):
        refused = agent.call("action_status", arguments, token=stranger)
        assert (refused.is_error, refused.structured_content["code"]) == (True, "not_found")


@pytest.mark.parametrize("state", ["not-an-id", "018f0000-0000-7000-8000-000000000000"])
def test_a_forged_request_state_is_refused(
    agent: ForeignAgent, shop: FakeShop, channel: NewChannel, state: str
) -> None:
    async def forged(client: Any) -> Any:
        meta = {"supportbot/identity": token_of(channel)}
        return await client.call_tool("refund_order", REFUND, request_state=state, meta=meta)

    assert agent.talk(forged).structured_content["code"] == "not_found"


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "injected",
    [
        {"customer": "cus_stranger"},
        {"customer_id": "cus_stranger"},
        {"sub": "cus_stranger"},
        {"confirm": True},
        {"digest": "0" * 64},
        {"workspace": "another"},
    ],
)
def test_injected_arguments_are_refused_by_name(
    agent: ForeignAgent, shop: FakeShop, channel: NewChannel, injected: dict[str, Any]
) -> None:
    for name, own in (("refund_order", REFUND), ("order_status", {}), ("action_status", {"request": "0" * 32})):
        refused = agent.call(name, {**own, **injected}, token=token_of(channel))
        assert refused.is_error and injected.keys() <= refused.structured_content["fields"].keys(), name
    assert not ActionRequest.objects.exists()


def test_an_unknown_tool_is_a_protocol_error(agent: ForeignAgent, shop: FakeShop) -> None:
    for name in ("confirm", "approve", "no_such\u0000tool", "x" * 10_000):
        answer = post(agent.base, called(name, {}), **bearer(agent))
        assert answer.json()["error"]["code"] == -32602, name


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 1024 * 1024, 8 * 1024 * 1024])
def test_large_bodies_are_not_read(agent: ForeignAgent, size: int) -> None:
    answer = post(agent.base, b'{"a":"' + b"x" * size + b'"}', **bearer(agent))
    assert (answer.status_code, answer.json()["error"]["data"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"\xff\xfe",
        b"[" * 5_000 + b"]" * 5_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":' + b"9" * 5_000 + b',"method":"ping"}',
    ],
)
def test_unreadable_bodies_are_refused_with_a_message(agent: ForeignAgent, body: bytes) -> None:
    answer = post(agent.base, body, **bearer(agent))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32700)
    assert answer.json()["error"]["message"].endswith(".")


@pytest.mark.parametrize(
    "body", ["[]", "null", "7", '"x"', "{}", json.dumps([LIST, LIST]), '{"jsonrpc":"1.0","id":1,"method":"ping"}']
)
def test_bodies_of_another_shape_are_protocol_errors(agent: ForeignAgent, body: str) -> None:
    answer = post(agent.base, body.encode(), **bearer(agent))
    assert answer.status_code == 400 and "error" in answer.json()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1", "https://shop.acme.test"])
def test_a_page_of_another_site_is_refused(agent: ForeignAgent, channel: NewChannel, origin: str) -> None:
    answer = post(agent.base, LIST, Origin=origin, **bearer(agent))
    assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""])
def test_dns_rebinding_is_refused(agent: ForeignAgent, host: str) -> None:
    assert post(agent.base, LIST, Host=host, **bearer(agent)).status_code in (400, 421)


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS", "HEAD"])
def test_there_are_no_streams_and_no_sessions(agent: ForeignAgent, method: str) -> None:
    import httpx2

    headers = {"Accept": "text/event-stream", **bearer(agent)}
    answer = httpx2.request(method, f"{agent.base}/mcp/", headers=headers, verify=NO_AUTHORITIES)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_flood_by_one_key_is_limited_and_others_are_not(
    agent: ForeignAgent, server: str, workspace: Workspace, settings: Settings
) -> None:
    settings.MCP_CALLS_PER_MINUTE = 5
    answers = [post(server, LIST, **bearer(agent)).status_code for _ in range(8)]
    assert answers == [200] * 5 + [429] * 3
    assert post(server, LIST, **bearer(agent)).headers["Retry-After"] == "60"
    other = issue_api_key(workspace, "Other", scopes=["mcp:use"])
    assert post(server, LIST, Authorization=f"Bearer {other.plain}").status_code == 200


def test_guessing_keys_is_limited_by_address_and_affects_no_owner(
    agent: ForeignAgent, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supportbot.mcp.request_checks.UNKNOWN_CALLERS_PER_MINUTE", 8)
    answers = [post(server, LIST, Authorization=f"Bearer sk_{n:08}_guess").status_code for n in range(8 + 3)]
    assert answers == [401] * 8 + [429] * 3
    assert post(server, LIST, **bearer(agent)).status_code == 200


def test_proposals_have_their_own_rate_limit(
    agent: ForeignAgent, shop: FakeShop, channel: NewChannel, settings: Settings
) -> None:
    settings.MCP_PROPOSALS_PER_MINUTE = 2
    token = token_of(channel)
    codes = [agent.call("refund_order", REFUND, token=token).structured_content.get("code") for _ in range(3)]
    assert codes == [None, None, "throttled"]


def test_other_workspaces_are_out_of_reach(
    agent: ForeignAgent, shop: FakeShop, channel: NewChannel, other_workspace: Workspace, server: str
) -> None:
    proposed = agent.call("refund_order", REFUND, token=token_of(channel)).structured_content
    theirs = ForeignAgent(server, issue_api_key(other_workspace, "T", scopes=["mcp:use", "mcp:customers"]).plain)
    refused = theirs.call("action_status", {"request": proposed["request"]}, token=token_of(channel))
    assert refused.structured_content["code"] == "invalid_token"
    their_channel = create_channel(other_workspace, "Theirs")
    refused = theirs.call("action_status", {"request": proposed["request"]}, token=token_of(their_channel))
    assert refused.structured_content["code"] == "not_found"
    url = proposed["confirm_url"].replace(channel.channel.key, their_channel.channel.key)
    page = ConfirmationPage(server, url)
    assert page.posted("open", {"code": page.code}).status_code == 403
    with workspace_scope(other_workspace.pk):
        assert not ConfirmationLink.objects.exists()


class TestLinks:
    @pytest.fixture
    def page(self, agent: ForeignAgent, shop: FakeShop, channel: NewChannel) -> ConfirmationPage:
        proposed = agent.call("refund_order", REFUND, token=token_of(channel)).structured_content
        return ConfirmationPage(agent.base, proposed["confirm_url"])

    def test_a_code_opens_one_page(self, page: ConfirmationPage) -> None:
        page.open()
        again = page.posted("open", {"code": page.code})
        assert (again.status_code, again.json()["code"]) == (403, "link_refused")
        assert page.confirm()["state"] == "queued"

    def test_a_second_confirmation_changes_nothing(self, page: ConfirmationPage) -> None:
        page.open()
        assert [page.confirm()["problem"] == "" for _ in range(3)] == [True, False, False]

    def test_another_digest_confirms_nothing(self, page: ConfirmationPage) -> None:
        page.open().shown["digest"] = "0" * 64
        assert page.confirm() | {"problem": ""} == page.state()
        assert page.state()["state"] == "awaiting_confirmation"

    @pytest.mark.one_in(3)
    @pytest.mark.parametrize("code", ["", "cl_x", "x" * 101, "\u0000", 7, None])
    def test_other_codes_are_refused(self, page: ConfirmationPage, code: Any) -> None:
        assert page.posted("open", {"code": code}).status_code in (400, 403)

    def test_an_expired_code_is_refused(self, page: ConfirmationPage) -> None:
        ConfirmationLink.objects.update(expires_at=now() - timedelta(seconds=1))
        assert page.posted("open", {"code": page.code}).status_code == 403

    def test_an_identity_that_has_expired_confirms_nothing(self, page: ConfirmationPage) -> None:
        page.open()
        ConfirmationLink.objects.update(identity_expires_at=now() - timedelta(seconds=1))
        answer = page.confirm()
        assert answer["state"] == "awaiting_confirmation" and "sign-in has expired" in answer["problem"]

    def test_a_pass_for_one_card_does_not_open_the_api(self, page: ConfirmationPage, server: str) -> None:
        import httpx2

        token = page.open().shown["token"]
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx2.get(f"{server}/api/v1/action-requests", headers=headers, verify=NO_AUTHORITIES)
        assert answer.status_code == 401

    def test_a_pass_expires(self, page: ConfirmationPage) -> None:
        page.open()
        ConfirmationLink.objects.update(opened_at=now() - timedelta(hours=1, seconds=1))
        assert page.posted("state", {"token": page.shown["token"]}).status_code == 403

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
    def test_only_our_own_page_may_use_a_pass(self, page: ConfirmationPage, origin: str) -> None:
        assert page.posted("open", {"code": page.code}, Origin=origin).status_code == 403
        page.open()

    def test_a_closed_channel_confirms_nothing(self, page: ConfirmationPage, channel: NewChannel) -> None:
        page.open()
        channel.channel.is_live = False
        channel.channel.save(update_fields=["is_live"])
        assert page.posted("confirm", {"token": page.shown["token"], "digest": "0" * 64}).status_code == 403
