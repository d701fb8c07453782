"""An external agent with the official SDK: list, search, propose, confirm on our page, approval, receipt."""

from decimal import Decimal
from uuid import UUID

import pytest

from actions.approvers import allow_approval
from actions.models import ActionRequest, AuditEntry
from actions.policy_store import policy_of
from actions.services import approve
from actions.testing import FakeShop, Refund, run_queued
from supportbot.accounts.channels import NewChannel
from supportbot.accounts.models import Membership, User, Workspace
from supportbot.accounts.team_members import add_member
from tests.mcp.agent import ConfirmationPage, ForeignAgent, post, token_of

REFUND = {"order_id": "A-1001", "reason": "Arrived damaged"}
VERSIONS = ["legacy", "2026-07-28"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
def test_the_newest_and_earlier_versions_are_supported(agent: ForeignAgent, mode: str, version: str) -> None:
    agent.mode = mode
    assert agent.version() == version
    assert {"search", "ask", "action_status"} <= agent.tools().keys()


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_every_version_with_a_handshake_is_supported(agent: ForeignAgent, version: str) -> None:
    key = {"Authorization": f"Bearer {agent.key}"}
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}
    begun = post(agent.base, {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}, **key)
    assert begun.json()["result"]["protocolVersion"] == version
    assert "mcp-session-id" not in begun.headers
    spoken = {**key, "MCP-Protocol-Version": version}
    assert post(agent.base, {"jsonrpc": "2.0", "method": "notifications/initialized"}, **spoken).status_code == 202
    listed = post(agent.base, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, **spoken)
    assert "search" in {tool["name"] for tool in listed.json()["result"]["tools"]}


def test_tools_are_the_enabled_actions_with_closed_schemas(agent: ForeignAgent, shop: FakeShop) -> None:
    tools = agent.tools()
    assert {"refund_order", "order_status", "cancel_order"} <= tools.keys()
    for tool in tools.values():
        assert tool.input_schema["additionalProperties"] is False
        assert not {"customer", "customer_id", "token"} & tool.input_schema["properties"].keys()
    assert tools["order_status"].annotations and tools["order_status"].annotations.read_only_hint
    assert "customer confirms" in (tools["refund_order"].description or "")
    policy = policy_of("refund_order")
    assert policy is not None
    policy.is_enabled = False
    policy.save(update_fields=["is_enabled"])
    assert "refund_order" not in agent.tools()


@pytest.mark.parametrize("mode", VERSIONS)
def test_a_look_up_answers_with_structured_content(
    agent: ForeignAgent, shop: FakeShop, channel: NewChannel, mode: str
) -> None:
    agent.mode = mode
    found = agent.call("order_status", {}, token=token_of(channel))
    assert not found.is_error
    assert {order["id"] for order in found.structured_content["orders"]} == {"A-1001", "A-1002"}
    assert "A-1001" in found.content[0].text and "B-2002" not in found.content[0].text


@pytest.mark.one_in(2)
@pytest.mark.parametrize("mode", VERSIONS)
def test_an_agent_proposes_a_customer_confirms_and_a_receipt_follows(
    agent: ForeignAgent, shop: FakeShop, channel: NewChannel, mode: str
) -> None:
    agent.mode = mode
    token = token_of(channel)
    proposed = agent.call("refund_order", REFUND, token=token).structured_content
    assert (proposed["status"], proposed["state"]) == ("input_required", "awaiting_confirmation")
    assert shop.refunds == []

    page = ConfirmationPage(agent.base, proposed["confirm_url"]).open()
    assert page.shown["title"] == proposed["title"] and page.shown["can_confirm"]
    assert page.confirm()["state"] == "queued"
    run_queued()

    done = agent.call("action_status", {"request": proposed["request"]}, token=token).structured_content
    assert (done["status"], done["state"], done["receipt"]["amount"]) == ("completed", "succeeded", "49.90")
    assert page.state()["message"].startswith("We refunded")
    assert shop.refunds == [Refund("A-1001", Decimal("49.90"), "EUR")]
    request = ActionRequest.objects.get(pk=UUID(proposed["request"]))
    assert request.proposed_by == "key:" + "_".join(agent.key.split("_")[:2])
    assert request.confirmed_by == f"customer:{request.customer_id}"
    assert {entry.actor for entry in AuditEntry.objects.filter(request_id=request.pk, event="request.proposed")} == {
        request.proposed_by
    }


def test_a_large_refund_waits_for_a_person_other_than_the_keys_owner(
    agent: ForeignAgent, shop: FakeShop, channel: NewChannel, workspace: Workspace, bob: User
) -> None:
    add_member(workspace, bob, Membership.Role.SUPERVISOR)
    policy = policy_of("refund_order")
    assert policy is not None
    allow_approval(policy, bob, actor="test")
    token = token_of(channel)
    proposed = agent.call("refund_order", {**REFUND, "order_id": "A-1002", "amount": "200.00"}, token=token)
    waiting = proposed.structured_content
    assert waiting["needs_approval"]
    ConfirmationPage(agent.base, waiting["confirm_url"]).open().confirm()
    status = {"request": waiting["request"]}
    assert agent.call("action_status", status, token=token).structured_content["state"] == "awaiting_approval"
    assert run_queued() == []
    request = ActionRequest.objects.get(pk=waiting["request"])
    approve(request.pk, approver=bob, digest=request.digest)
    run_queued()
    assert agent.call("action_status", status, token=token).structured_content["status"] == "completed"
    assert [refund.amount for refund in shop.refunds] == [Decimal("200.00")]


def test_a_client_that_opens_pages_is_asked_to_and_returns(
    agent: ForeignAgent, shop: FakeShop, channel: NewChannel
) -> None:
    opened: list[str] = []

    def press_confirm(url: str) -> str:
        opened.append(url)
        ConfirmationPage(agent.base, url).open().confirm()
        return "accept"

    agent.opens = press_confirm
    back = agent.call("refund_order", REFUND, token=token_of(channel))
    assert len(opened) == 1
    assert (back.structured_content["state"], back.is_error) == ("queued", False)
    run_queued()
    assert len(shop.refunds) == 1


def test_a_client_whose_user_only_opened_the_page_learns_that_the_card_waits(
    agent: ForeignAgent, shop: FakeShop, channel: NewChannel
) -> None:
    agent.opens = lambda url: "accept"
    back = agent.call("refund_order", REFUND, token=token_of(channel))
    assert back.structured_content["status"] == "input_required"
    assert "confirm_url" not in back.structured_content


def test_an_identical_proposal_gets_the_same_card_with_a_new_link(
    agent: ForeignAgent, shop: FakeShop, channel: NewChannel
) -> None:
    token = token_of(channel)
    first, second = (agent.call("refund_order", REFUND, token=token).structured_content for _ in range(2))
    assert first["request"] == second["request"] and first["confirm_url"] != second["confirm_url"]


def test_a_refusal_by_the_policy_is_an_error_with_its_reason(
    agent: ForeignAgent, shop: FakeShop, channel: NewChannel
) -> None:
    refused = agent.call("refund_order", {**REFUND, "order_id": "B-2002"}, token=token_of(channel))
    assert refused.is_error
    assert refused.structured_content["reason"]["code"] == "order_not_found"
    assert "confirm_url" not in refused.structured_content


def test_declining_on_the_page_ends_the_request(agent: ForeignAgent, shop: FakeShop, channel: NewChannel) -> None:
    token = token_of(channel)
    proposed = agent.call("refund_order", REFUND, token=token).structured_content
    page = ConfirmationPage(agent.base, proposed["confirm_url"]).open()
    assert page.decline()["state"] == "cancelled"
    assert page.confirm()["problem"]
    ended = agent.call("action_status", {"request": proposed["request"]}, token=token).structured_content
    assert (ended["status"], shop.refunds, run_queued()) == ("cancelled", [], [])
