"""Guarded actions in a turn: a model looks up and proposes, the customer decides, and the log gets the events."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from actions.models import ActionRequest, AuditEntry
from actions.policy_store import policy_of, switch
from actions.principals import principal_in_conversation
from actions.record_choices import offer_of
from actions.selectors import states_in
from actions.services import confirm, decline
from actions.testing import FakeShop, Refund, run_queued
from supportbot.accounts.channels import create_channel
from supportbot.accounts.customers import new_visitor
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.runner import carry_out
from supportbot.assistant.tool_results import Place
from supportbot.assistant.tools import Tools, tools_for
from supportbot.assistant.turn_limits import MAX_STEPS
from supportbot.async_db import db
from supportbot.chat.errors import LeaseLost
from supportbot.chat.event_log import lock_conversation
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation
from supportbot.chat.signals import EventView
from supportbot.chat.turns import claim_turn, release_turn, supersede_turns
from supportbot.llm.errors import ProviderRefused, Reason
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ToolCall
from supportbot.outbox.delivery import deliver_due
from tests.actions.conftest import signed_in_as
from tests.assistant.conftest import payloads
from tests.assistant.test_turn import say

pytestmark = pytest.mark.django_db(transaction=True)
Log = Callable[[], list[EventView]]
UNTRUE = "Your refund of €49.90 for order A-1005 has been issued."
NOT_FOUND = "I could not find this in our help pages, so I would rather not guess. Would you like to talk to a person?"
UNTIL_CONFIRMED = "Please check the card. Nothing happens until you confirm."


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall("call_1", name, json.dumps(arguments))


REFUND = call("refund_order", order_id="A-1001", reason="Arrived damaged")


async def turn(conversation: Conversation, text: str, *steps: Says) -> ScriptedModel:
    """Let the customer write and a scripted model answer."""
    claim = await db(say, conversation, text)
    with answering(ScriptedModel(*steps)) as model:
        await carry_out(claim)
    return model


def requests_in(conversation: Conversation) -> list[ActionRequest]:
    with workspace_scope(conversation.workspace_id):
        return list(ActionRequest.objects.order_by("id"))


async def test_a_model_that_lacks_details_is_told_that_the_order_rules_the_action_out(
    conversation: Conversation, shop: FakeShop, log: Log
) -> None:
    shop.change_order("A-1001", status="cancelled")
    step = Says("", calls=(call("change_shipping_address", order_id="A-1001"),))
    await turn(conversation, "I moved, please change the address of A-1001", step)
    final = payloads(await db(log), "assistant.final")[-1]
    assert (final["text"], final["offers_human"]) == ("Order A-1001 has been cancelled.", True)
    assert shop.calls == ["order"] and not await db(requests_in, conversation)

    def refusals() -> list[tuple[str, str]]:
        with workspace_scope(conversation.workspace_id):
            entries = AuditEntry.objects.filter(event="wish.refused")
            return [(entry.payload["action"], entry.payload["reason"]) for entry in entries]

    assert await db(refusals) == [("change_shipping_address", "order_cancelled")]


@pytest.mark.parametrize(
    "given", [{"order_id": "A-1001", "customer_id": "cus_x"}, {"order_id": "A-1001", "address": 5}]
)
async def test_a_call_with_wrong_arguments_asks_the_shop_nothing(
    conversation: Conversation, shop: FakeShop, given: dict[str, Any]
) -> None:
    steps = (Says("", calls=(call("change_shipping_address", **given),)), Says("What is the new address?"))
    await turn(conversation, "I moved, please change the address of A-1001", *steps)
    assert shop.calls == []


async def test_an_action_that_was_switched_off_asks_the_shop_nothing(
    alice: Customer, conversation: Conversation, shop: FakeShop
) -> None:
    def look() -> None:
        with workspace_scope(conversation.workspace_id):
            switch(policy_of("change_shipping_address"), is_enabled=False, actor="test")
            assert offer_of(signed_in_as(alice), "change_shipping_address", {"order_id": "A-1001"}) is None

    await db(look)
    assert shop.calls == []


async def test_a_model_that_lacks_details_for_a_possible_action_is_told_which(
    conversation: Conversation, shop: FakeShop, log: Log
) -> None:
    shop.change_order("A-1001", status="paid", delivered_at=None)
    steps = (Says("", calls=(call("change_shipping_address", order_id="A-1001"),)), Says("What is the new address?"))
    model = await turn(conversation, "I moved, please change the address of A-1001", *steps)
    assert "address" in json.loads(model.requests[-1].messages[-1].content)["fields"]
    assert payloads(await db(log), "assistant.final")[-1]["text"] == "What is the new address?"


async def test_a_refund_goes_from_the_request_to_the_receipt(
    alice: Customer, conversation: Conversation, shop: FakeShop, log: Log
) -> None:
    await turn(conversation, "Please refund A-1001", Says("Sure, it is taken care of. ", calls=(REFUND,)))

    events = await db(log)
    [card] = payloads(events, "action.proposed")
    [final] = payloads(events, "assistant.final")
    assert [event.event for event in events][-2:] == ["action.proposed", "assistant.final"]
    assert (card["summary"], card["arguments"]["amount"]) == ("Refund €49.90 for order A-1001.", "49.90")
    assert (final["text"], final["citations"], final["abstained"]) == (UNTIL_CONFIRMED, [], False)
    assert shop.refunds == []

    def confirm_and_run() -> None:
        with workspace_scope(conversation.workspace_id):
            confirm(card["request"], principal=signed_in_as(alice), digest=card["digest"])
            run_queued()

    await db(confirm_and_run)
    await db(deliver_due)
    assert shop.refunds == [Refund("A-1001", Decimal("49.90"), "EUR")]
    told = [event for event in await db(log) if event.seq > events[-1].seq]
    assert [event.event for event in told] == ["action.queued", "action.succeeded", "assistant.final"]
    assert "receipt" not in told[0].payload and told[1].payload["receipt"]["amount"] == "49.90"
    reference = told[1].payload["receipt"]["reference"]
    done = f"We refunded €49.90 for order A-1001. Your reference is {reference}."
    assert (told[2].payload["text"], told[2].payload["by"]) == (done, "builtin")
    assert told[2].payload["request"] == card["request"]

    for number, (said, answer) in enumerate(ledger_answers(reference)):
        again = () if answer else (Says(said),)  # a model whose answer fails the checks is called once more
        await turn(conversation, f"And what about my refund now{'?' * number}", Says(said), *again)
        final = payloads(await db(log), "assistant.final")[-1]
        assert final["text"].startswith(answer)
        assert UNTRUE not in final["text"]


def ledger_answers(reference: str) -> list[tuple[str, str]]:
    """Let a model make statements about a completed refund, and check which of them are shown."""
    true = f"Your refund of €49.90 for order A-1001 has been issued, the reference is {reference}."
    return [
        (true, true),
        (f"I refunded 49.90 EUR for order A-1001. {UNTRUE}", "I refunded 49.90 EUR for order A-1001."),
        (UNTRUE, ""),
    ]


@pytest.mark.long
async def test_a_models_call_replaces_the_card_that_the_customer_corrects(
    conversation: Conversation, shop: FakeShop, log: Log
) -> None:
    shop.add_order("A-1006", "cus_alice", total="30.00")
    tools = await turn(conversation, "Please refund A-1001", Says(calls=(REFUND,)))
    assert "replaces_card" not in str(tools.requests[0].tools)
    other = call("refund_order", order_id="A-1006", reason="Arrived damaged", amount=12.50, replaces_card=True)
    tools = await turn(conversation, "No, I meant 12.50 of A-1006", Says(calls=(other,)))
    offered = {tool.name: tool.parameters.get("properties", {}) for tool in tools.requests[0].tools}
    assert "replaces_card" in offered["refund_order"]
    assert not any("replaces_card" in offered[name] for name in ("order_status", "request_human", "withdraw_cards"))
    made = [(one.state, one.reason_code, one.arguments["amount"]) for one in await db(requests_in, conversation)]
    assert made == [("cancelled", "replaced_card", "49.90"), ("awaiting_confirmation", "", "12.50")]
    assert shop.refunds == []


@pytest.mark.long
async def test_a_further_request_leaves_the_card_open(conversation: Conversation, shop: FakeShop) -> None:
    shop.add_order("A-1006", "cus_alice", total="30.00")
    await turn(conversation, "Please refund A-1001", Says(calls=(REFUND,)))
    await turn(conversation, "And A-1006", Says(calls=(call("refund_order", order_id="A-1006", reason="x"),)))
    assert [one.state for one in await db(requests_in, conversation)] == ["awaiting_confirmation"] * 2


async def test_the_policy_refuses_a_request(conversation: Conversation, shop: FakeShop, log: Log) -> None:
    late = call("refund_order", order_id="A-1005", reason="Does not fit")
    await turn(conversation, "Refund A-1005", Says(calls=(late,)))
    events = await db(log)
    [refused] = payloads(events, "action.refused")
    [final] = payloads(events, "assistant.final")
    assert refused["reason"]["code"] == "outside_window"
    assert (final["text"], final["offers_human"]) == (refused["reason"]["text"], True)
    assert not payloads(events, "action.proposed") and shop.refunds == []


async def test_a_model_that_keeps_calling_tools_is_stopped_and_a_person_is_offered(
    conversation: Conversation, shop: FakeShop, log: Log
) -> None:
    quote = "You can return unused items within 60 days of delivery. [1]"
    steps = [Says(quote, calls=(ToolCall("1", f"look_{step}", "{}"),)) for step in range(MAX_STEPS)]
    await turn(conversation, "How long can I return unused items?", *steps)
    [final] = payloads(await db(log), "assistant.final")
    assert final["text"].startswith(quote)
    assert final["offers_human"]


async def test_an_identical_call_is_not_repeated(conversation: Conversation, shop: FakeShop, log: Log) -> None:
    again = ToolCall("2", "order_status", '{ "order_id" : "A-1001" }')
    asked = call("order_status", order_id="A-1001")
    model = await turn(
        conversation, "Where is it?", Says(calls=(asked,)), Says(calls=(again,)), Says("Order A-1001 is delivered.")
    )
    assert "already" in model.requests[2].messages[-1].content
    assert shop.calls == ["order"]
    assert payloads(await db(log), "assistant.final")[0]["text"] == "Order A-1001 is delivered."


@pytest.mark.long
async def test_an_identical_request_in_a_later_turn_reuses_its_card(
    conversation: Conversation, shop: FakeShop, log: Log
) -> None:
    await turn(conversation, "Refund A-1001", Says(calls=(REFUND,)))
    await turn(conversation, "Refund A-1001 now!", Says(calls=(REFUND,)))
    events = await db(log)
    assert len(payloads(events, "action.proposed")) == 1
    above = "The card for this is further up in the chat. Nothing happens until you confirm it there."
    assert [final["text"] for final in payloads(events, "assistant.final")] == [UNTIL_CONFIRMED, above]


async def test_a_visitor_gets_no_order_tools(conversation: Conversation, shop: FakeShop, log: Log) -> None:
    def as_visitor() -> Conversation:
        with workspace_scope(conversation.workspace_id):
            channel = create_channel(conversation.workspace, "Shop", allowed_origins=[]).channel
            return start_conversation(new_visitor(channel, locale="en").customer.pk)

    model = await turn(await db(as_visitor), "Refund A-1001", Says(calls=(REFUND,)), Says("How can I help?"))
    assert [tool.name for tool in model.requests[0].tools] == ["request_human"]
    assert "cannot see or change orders" in model.requests[0].messages[0].content
    assert shop.calls == []


async def test_a_disabled_action_is_not_offered(conversation: Conversation, shop: FakeShop) -> None:
    def switch_off() -> None:
        with workspace_scope(conversation.workspace_id):
            policy = policy_of("refund_order")
            assert policy is not None
            switch(policy, is_enabled=False, actor="test")

    await db(switch_off)
    model = await turn(conversation, "Refund A-1001", Says("How can I help?"))
    names = [tool.name for tool in model.requests[0].tools]
    assert names == ["request_human", "cancel_order", "change_shipping_address", "order_status"]


async def test_a_tool_call_before_a_failure_of_the_model_is_dropped(
    conversation: Conversation, shop: FakeShop, log: Log
) -> None:
    """Tools are called only once the answer that requests them is complete."""
    claim = await db(say, conversation, "How long can I return unused items?")
    broken = ScriptedModel(Says("One moment. ", fails=ProviderRefused(Reason.UNREACHABLE), calls=(REFUND,)))
    with answering(broken, with_builtin=True):
        await carry_out(claim)
    [final] = payloads(await db(log), "assistant.final")
    assert final["by"] == "builtin"
    assert shop.calls == []


async def test_a_fallback_model_may_propose_after_text_was_shown(
    conversation: Conversation, shop: FakeShop, log: Log
) -> None:
    claim = await db(say, conversation, "Refund A-1001")
    broken = ScriptedModel(Says("Hello. How are ", fails=ProviderRefused(Reason.UNREACHABLE)))
    second = ScriptedModel(Says(calls=(REFUND,)), name="second")
    with answering(broken, second):
        await carry_out(claim)
    events = await db(log)
    assert [started["attempt"] for started in payloads(events, "assistant.started")] == [1, 2]
    assert len(payloads(events, "action.proposed")) == 1
    assert payloads(events, "assistant.final")[0]["text"] == UNTIL_CONFIRMED


@pytest.mark.long
async def test_a_flood_of_calls_is_limited(conversation: Conversation, shop: FakeShop, log: Log) -> None:
    flood = tuple(call("refund_order", order_id=f"A-{number}", reason="x") for number in range(2000, 2500))
    await turn(conversation, "Refund everything", Says(calls=flood))
    assert len(payloads(await db(log), "action.refused")) == 8
    assert len(shop.calls) == 8


async def test_a_turn_lost_after_its_proposal_does_not_call_a_model_again(
    conversation: Conversation, shop: FakeShop, log: Log
) -> None:
    claim = await db(say, conversation, "Refund A-1001")

    def propose_and_die() -> None:
        with workspace_scope(conversation.workspace_id):
            fresh = Conversation.objects.select_related("customer").get(pk=conversation.pk)
            Tools(tools_for(fresh, "en", states_in(fresh.pk)).offered).use(REFUND, Place(claim, 0, 0, "en"))
            release_turn(claim)

    await db(propose_and_die)
    again = await db(claim_turn, "another")
    assert again is not None and again.turn_id == claim.turn_id
    with answering(ScriptedModel()):
        await carry_out(again)
    events = await db(log)
    assert len(payloads(events, "action.proposed")) == 1
    assert payloads(events, "assistant.final")[0]["text"] == UNTIL_CONFIRMED


@pytest.mark.long
async def test_a_card_declined_before_its_lost_turn_resumed_is_not_reported_as_in_progress(
    conversation: Conversation, shop: FakeShop, log: Log
) -> None:
    claim = await db(say, conversation, "Refund A-1001")

    def propose_decline_and_die() -> None:
        with workspace_scope(conversation.workspace_id):
            fresh = Conversation.objects.select_related("customer").get(pk=conversation.pk)
            Tools(tools_for(fresh, "en", states_in(fresh.pk)).offered).use(REFUND, Place(claim, 0, 0, "en"))
            decline(ActionRequest.objects.get().pk, principal=principal_in_conversation(fresh.customer))
            release_turn(claim)

    await db(propose_decline_and_die)
    again = await db(claim_turn, "another")
    assert again is not None
    with answering(ScriptedModel()):
        await carry_out(again)
    assert payloads(await db(log), "assistant.final")[0]["text"] == "You declined this. Nothing was done."


async def test_a_lost_claim_proposes_nothing(conversation: Conversation, shop: FakeShop) -> None:
    claim = await db(say, conversation, "Refund A-1001")

    def lose_and_use() -> int:
        with workspace_scope(conversation.workspace_id):
            with transaction.atomic():
                supersede_turns(lock_conversation(conversation.pk))
            fresh = Conversation.objects.select_related("customer").get(pk=conversation.pk)
            with pytest.raises(LeaseLost):
                Tools(tools_for(fresh, "en", states_in(fresh.pk)).offered).use(REFUND, Place(claim, 0, 0, "en"))
            return ActionRequest.objects.count()

    assert await db(lose_and_use) == 0
    assert shop.calls == []


async def test_a_claim_without_a_call_is_withheld(conversation: Conversation, shop: FakeShop, log: Log) -> None:
    await turn(conversation, "Refund A-1001", Says("Done! Your refund is on its way and was approved."))
    [final] = payloads(await db(log), "assistant.final")
    assert final["abstained"] and "refund" not in final["text"]
    assert await db(requests_in, conversation) == []


async def test_only_a_model_sees_placeholders(conversation: Conversation, shop: FakeShop, log: Log) -> None:
    quote = "You can return unused items within 60 days of delivery [1]."
    await turn(conversation, "How long can I return something? I am alice@example.com", Says(quote))
    said = "And how long can I return it? Write to Alice@example.com or call 0171 1234567. It is about A-1001."
    look_up = call("order_status", order_id="A-1001")
    pieces = (f"{quote} Is [PH", "ONE", "_1] right?")
    model = await turn(conversation, said, Says(calls=(look_up,)), Says(pieces))
    first, second = model.requests
    assert [message.content for message in first.messages[1:]] == [
        "How long can I return something? I am [EMAIL_1]",
        quote,
        "And how long can I return it? Write to [EMAIL_1] or call [PHONE_1]. It is about A-1001.",
    ]
    assert second.messages[: len(first.messages)] == first.messages
    assert first.question == said
    final = payloads(await db(log), "assistant.final")[-1]
    assert final["text"] == f"{quote} Is 0171 1234567 right?"


async def test_placeholders_are_restored_before_arguments_are_checked(
    conversation: Conversation, shop: FakeShop, log: Log
) -> None:
    reason = "It arrived damaged, call [PHONE_1]"
    await turn(
        conversation,
        "Please refund A-1001, it arrived damaged, call 0171 1234567",
        Says(calls=(call("refund_order", order_id="A-1001", reason=reason),)),
    )
    [request] = await db(requests_in, conversation)
    assert request.arguments["reason"] == "It arrived damaged, call 0171 1234567"


async def test_a_workspace_may_show_personal_data_to_the_model(conversation: Conversation, log: Log) -> None:
    await db(Workspace.objects.update, hides_personal_data=False)
    model = await turn(conversation, "I am alice@example.com. How long can I return it?", Says("60 days [1]."))
    assert model.requests[0].messages[-1].content == "I am alice@example.com. How long can I return it?"
