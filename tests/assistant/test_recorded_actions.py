"""Customers who ask whether something was done: the answer comes from the requests on record."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from actions.models import ActionRequest
from actions.services import decline
from actions.testing import FakeShop
from supportbot.accounts.models import Customer
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.texts import CONFIRM_ABOVE, NOTHING_OF_THE_KIND
from supportbot.async_db import db
from supportbot.builtin.phrases import say as phrase
from supportbot.chat.models import Conversation
from supportbot.formats import format_moment
from supportbot.llm.testing import Says
from supportbot.llm.types import ToolCall
from supportbot.translation import text_in
from tests.actions.conftest import signed_in_as
from tests.assistant.test_builtin_actions import cards, final, turns
from tests.assistant.test_undo_tool import ask_model, carried_out, states

__all__ = ["carried_out"]
pytestmark = pytest.mark.django_db(transaction=True)
REFUND = "Please refund order A-1001"
QUESTIONS = [
    ("en", "Did you refund it?"),
    ("en", "Was the refund made?"),
    ("de", "Wurde das erstattet?"),
    ("fr", "Avez-vous remboursé ?"),
    ("es", "¿Lo has reembolsado?"),
    ("it", "È stato rimborsato?"),
    ("nl", "Heeft u het terugbetaald?"),
]


@pytest.fixture
def shop(shop: FakeShop) -> FakeShop:
    """Alice also has two orders that have not been shipped."""
    shop.add_order("A-1007", "cus_alice", total="30.00", status="paid", delivered_days_ago=None)
    shop.add_order("A-1008", "cus_alice", total="35.00", status="packed", delivered_days_ago=None)
    return shop


def newest(conversation: Conversation, language: str) -> tuple[ActionRequest, str]:
    """Return the newest request, and the time of its last change as text."""
    with workspace_scope(conversation.workspace_id):
        request = ActionRequest.objects.latest("id")
    return request, format_moment(request.changed_at.astimezone(conversation.workspace.zone), language)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("language", "text"), QUESTIONS)
async def test_what_was_done_is_told_from_the_record(
    conversation: Conversation, shop: FakeShop, carried_out: Callable[[], None], language: str, text: str
) -> None:
    await turns(conversation, REFUND)
    await db(carried_out)
    answer = final(await turns(conversation, text))
    request, moment = await db(newest, conversation, language)
    assert "A-1001" in answer["text"] and "49" in answer["text"]
    assert text_in(language, "Carried out: {moment}.", moment=moment) in answer["text"]
    assert request.receipt and request.receipt["reference"] in answer["text"]
    assert not answer["offers_human"] and not answer["abstained"]
    assert await db(states, conversation) == [("refund_order", "succeeded")] and len(shop.refunds) == 1


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("language", "text"), QUESTIONS)
async def test_an_open_card_is_not_done_yet(
    conversation: Conversation, shop: FakeShop, language: str, text: str
) -> None:
    await turns(conversation, REFUND)
    events = await turns(conversation, text)
    assert final(events)["text"].endswith(text_in(language, CONFIRM_ABOVE)) and "A-1001" in final(events)["text"]
    assert await db(states, conversation) == [("refund_order", "awaiting_confirmation")] and len(cards(events)) == 1


async def test_a_declined_card_was_not_done_and_can_be_requested_again(
    alice: Customer, conversation: Conversation, shop: FakeShop
) -> None:
    await turns(conversation, "Please cancel order A-1007")

    def declined() -> None:
        with workspace_scope(conversation.workspace_id):
            decline(ActionRequest.objects.latest("id").pk, principal=signed_in_as(alice))

    await db(declined)
    answer = final(await turns(conversation, "Have you cancelled it?"))["text"]
    assert answer.startswith("Not done: ") and "You declined this." in answer and "ask me again" in answer


async def test_a_different_action_was_not_done_and_is_offered(
    conversation: Conversation, shop: FakeShop, carried_out: Callable[[], None]
) -> None:
    await turns(conversation, REFUND)
    await db(carried_out)
    answer = final(await turns(conversation, "Has order A-1007 been cancelled?"))
    assert answer["text"].startswith(phrase("nothing_done", "en"))
    assert [option["id"] for option in answer["blocks"][0]["options"]] == ["cancel_order", "only-asks"]
    events = await turns(conversation, "Cancel an order")
    assert cards(events)[-1]["arguments"]["order_id"] == "A-1007"


async def test_nothing_was_done_about_another_order(
    conversation: Conversation, shop: FakeShop, carried_out: Callable[[], None]
) -> None:
    await turns(conversation, "Please cancel order A-1007")
    await db(carried_out)
    answer = final(await turns(conversation, "Did order A-1008 get cancelled?"))
    assert answer["text"] == text_in("en", NOTHING_OF_THE_KIND) and answer["offers_human"]
    assert "A-1007" in final(await turns(conversation, "is everything done?"))["text"]


@pytest.mark.parametrize("text", ["La commande A-1007 a-t-elle été livrée ?", "¿Se ha enviado el pedido A-1007?"])
async def test_a_question_about_the_state_of_an_order_is_not_about_what_was_done(
    conversation: Conversation, shop: FakeShop, carried_out: Callable[[], None], text: str
) -> None:
    await turns(conversation, REFUND)
    await db(carried_out)
    answer = final(await turns(conversation, text))
    assert "A-1007" in answer["text"] and "30,00" in answer["text"] and not answer["offers_human"]


async def test_a_question_about_two_orders_tells_what_was_done_about_both(
    conversation: Conversation, shop: FakeShop, carried_out: Callable[[], None]
) -> None:
    for text in ("Please cancel order A-1007", "Cancel order A-1008"):
        await turns(conversation, text)
        await db(carried_out)
    answer = final(await turns(conversation, "Did you cancel A-1007 and A-1008?"))["text"]
    assert "A-1007" in answer and "A-1008" in answer


async def test_a_question_prepares_nothing_before_anything_was_requested(
    conversation: Conversation, shop: FakeShop
) -> None:
    events = await turns(conversation, "Did you cancel A-1007?")
    assert final(events)["text"].startswith(phrase("nothing_done", "en")) and cards(events) == []
    assert await db(states, conversation) == []


@pytest.mark.one_in(3)
@pytest.mark.parametrize("number", ["1001", "#1001", "order A-1001", "A1001"])
async def test_a_model_is_told_what_is_on_record(
    conversation: Conversation, shop: FakeShop, carried_out: Callable[[], None], number: str
) -> None:
    await turns(conversation, REFUND)
    await db(carried_out)
    call = ToolCall("call_1", "recorded_actions", json.dumps({"action": "refund_order", "number": number}))
    await ask_model(conversation, "did it work", Says("", calls=(call,)))
    assert "Carried out: " in final(await turns(conversation))["text"]


@pytest.mark.long
@pytest.mark.parametrize("arguments", [{"order": "A-1001"}, {"number": 7}, {"action": "\u0000"}, {"action": "refund"}])
async def test_unknown_arguments_tell_nothing(
    conversation: Conversation, shop: FakeShop, arguments: dict[str, Any]
) -> None:
    await turns(conversation, REFUND)
    bad = ToolCall("call_1", "recorded_actions", json.dumps(arguments))
    await ask_model(conversation, "did it work", Says("", calls=(bad,)), Says("I could not do that."))
    answer = final(await turns(conversation))["text"]
    assert CONFIRM_ABOVE not in answer and NOTHING_OF_THE_KIND not in answer
