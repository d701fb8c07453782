"""Look-ups by the model: facts about the customer's own orders, and error messages for invalid calls."""

import json
import re

import pytest

from actions.testing import FakeShop
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.llm.testing import Says
from supportbot.llm.types import ToolCall
from tests.assistant.conftest import payloads
from tests.assistant.test_actions import REFUND, UNTIL_CONFIRMED, Log, call, requests_in, turn

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_look_up_is_answered_with_its_facts(conversation: Conversation, shop: FakeShop, log: Log) -> None:
    answer = "Your order A-1001 is delivered and comes to €49.90."
    model = await turn(
        conversation, "Where is my order?", Says(calls=(call("order_status", order_id="A-1001"),)), Says(answer)
    )
    [final] = payloads(await db(log), "assistant.final")
    assert (final["text"], final["abstained"]) == (answer, False)
    result = model.requests[1].messages[-1]
    assert result.role == "tool" and '"id": "A-1001"' in result.content and "B-2002" not in result.content
    assert await db(requests_in, conversation) == []


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    "lie",
    [
        "I have cancelled your order A-1001.",
        "Your order A-1001 was refunded.",
        "Your order A-1001 costs €999.99.",
        "Your parcel waits for you in the depot of Freiburg.",
        "Order A-1001 cancelled.",
        "Order A-1001 was returned.",
        "You get €49.90 back.",
    ],
)
async def test_a_lookup_does_not_confirm_false_claims(
    conversation: Conversation, shop: FakeShop, log: Log, lie: str
) -> None:
    await turn(conversation, "Where is my order?", Says(calls=(call("order_status", order_id="A-1001"),)), Says(lie))
    [final] = payloads(await db(log), "assistant.final")
    assert lie not in final["text"]
    assert final["text"].startswith("Order A-1001: delivered")
    assert shop.refunds == [] and shop.changes == []


@pytest.mark.long
async def test_several_lookups_in_one_turn(conversation: Conversation, shop: FakeShop, log: Log) -> None:
    shop.add_order("A-1006", "cus_alice", total="20.00")
    other = call("refund_order", order_id="A-1006", reason="Too small")
    await turn(conversation, "Refund both", Says(calls=(REFUND, other, REFUND)))
    cards = payloads(await db(log), "action.proposed")
    assert [card["arguments"]["order_id"] for card in cards] == ["A-1001", "A-1006"]
    [final] = payloads(await db(log), "assistant.final")
    assert final["text"] == UNTIL_CONFIRMED


@pytest.mark.parametrize("order", ["B-2002", "X-0000"])
async def test_another_customers_order_looks_like_a_missing_one(
    conversation: Conversation, shop: FakeShop, log: Log, order: str
) -> None:
    wish = call("refund_order", order_id=order, reason="Mine")
    await turn(conversation, "Refund my neighbour's order", Says(calls=(wish, call("order_status", order_id=order))))
    events = await db(log)
    [refused] = payloads(events, "action.refused")
    [final] = payloads(events, "assistant.final")
    assert refused["reason"] == {"code": "order_not_found", "text": f"There is no order {order} in your account."}
    assert final["text"] == refused["reason"]["text"]
    assert not payloads(events, "action.proposed") and shop.refunds == []


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (call("refund_order", order_id="A-1001", reason="x", customer="cus_stranger"), "customer"),
        (call("refund_order", order_id="A-1001", reason="x", amount="1e2"), "amount"),
        (ToolCall("1", "refund_order", '{"order_id": "A-1001", "order_id": "A-1005", "reason": "x"}'), "order_id"),
        (ToolCall("1", "refund_order", '{"order_id": '), "arguments"),
        (ToolCall("1", "order_status", '{"customer_id": "cus_stranger"}'), "customer_id"),
    ],
)
async def test_malformed_arguments_are_explained_back(
    conversation: Conversation, shop: FakeShop, log: Log, wish: ToolCall, field: str
) -> None:
    model = await turn(
        conversation, "Do it", Says(calls=(wish,)), Says("Which of your orders do you mean, and what happened to it?")
    )
    result = json.loads(model.requests[1].messages[-1].content)
    assert field in result["fields"]
    events = await db(log)
    assert not [event for event in events if event.event.startswith("action.")]
    assert payloads(events, "assistant.final")[0]["text"].startswith("Which of your orders")
    assert shop.calls == []


async def test_a_missing_argument_is_explained_back_after_the_order_was_only_read(
    conversation: Conversation, shop: FakeShop, log: Log
) -> None:
    # The order is read, since its state may rule the refund out before anyone is asked for the reason.
    wish = call("refund_order", order_id="A-1001")
    model = await turn(conversation, "Do it", Says(calls=(wish,)), Says("What happened to your order?"))
    result = json.loads(model.requests[1].messages[-1].content)
    assert "reason" in result["fields"]
    events = await db(log)
    assert not [event for event in events if event.event.startswith("action.")]
    assert payloads(events, "assistant.final")[0]["text"] == "What happened to your order?"
    assert shop.calls == ["order"] and shop.refunds == []


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", ["delete_customer", "confirm", "refund_order "])
async def test_a_call_of_an_unknown_tool_is_explained(
    conversation: Conversation, shop: FakeShop, log: Log, name: str
) -> None:
    model = await turn(
        conversation, "Do it", Says(calls=(call(name, order_id="A-1001", reason="x"),)), Says("How can I help?")
    )
    assert model.requests[1].messages[-1].content == "There is no such tool."
    assert shop.calls == []


@pytest.mark.long
async def test_calls_are_sent_back_to_the_model_in_a_form_that_servers_accept(
    conversation: Conversation, shop: FakeShop, log: Log
) -> None:
    calls = (
        call("order_status", order_id="A-1001"),
        ToolCall("call_1", "order_status", '{"order_id": '),
        ToolCall("", "look <b>up</b>", "x" * 30_000),
    )
    model = await turn(conversation, "Do it", Says(calls=calls), Says(calls=calls[1:2]), Says("How can I help?"))
    told = model.requests[2].messages[2:]
    asked = [made for message in told for made in message.tool_calls]
    assert len({made.id for made in asked}) == len(asked) == 4
    assert all(re.fullmatch("[a-z0-9]{9}", made.id) for made in asked)
    assert [message.tool_call_id for message in told if message.role == "tool"] == [made.id for made in asked]
    assert [json.loads(made.arguments) for made in asked] == [{"order_id": "A-1001"}, {}, {}, {}]
    assert [made.name for made in asked] == ["order_status", "order_status", "unknown", "order_status"]


async def test_a_shop_that_does_not_respond_is_reported(conversation: Conversation, shop: FakeShop, log: Log) -> None:
    shop.is_reachable = False
    await turn(conversation, "Refund A-1001", Says(calls=(REFUND,)))
    [final] = payloads(await db(log), "assistant.final")
    assert final["offers_human"] and "is not responding" in final["text"]
    assert not [event for event in await db(log) if event.event.startswith("action.")]
