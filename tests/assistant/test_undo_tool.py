"""Customers who ask to undo something: it is undone by its own action, withdrawn, or left to a person.

A request to undo never starts something else.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from actions.catalogue.change_shipping_address import ChangeShippingAddress
from actions.models import ActionRequest
from actions.selectors import states_in
from actions.services import confirm
from actions.spec import Undo
from actions.testing import HOME, FakeShop, run_queued
from supportbot.accounts.channels import create_channel
from supportbot.accounts.customers import new_visitor
from supportbot.accounts.models import Customer
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.runner import carry_out
from supportbot.assistant.texts import CANNOT_UNDO, CONFIRM, NOTHING_TO_UNDO, WITHDRAWN, WITHDRAWN_REQUEST
from supportbot.assistant.tool_results import Place
from supportbot.assistant.tools import Tools, tools_for
from supportbot.async_db import db
from supportbot.builtin.phrases import say as say_phrase
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation
from supportbot.chat.turns import claim_turn, release_turn
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ToolCall
from supportbot.outbox.delivery import deliver_due
from supportbot.translation import text_in
from tests.actions.conftest import limit, signed_in_as
from tests.assistant.test_builtin_actions import cards, final, turns
from tests.assistant.test_turn import say

pytestmark = pytest.mark.django_db(transaction=True)
MOVE = "Please send A-1003 to Talstraße 8, 79102 Freiburg instead"


@pytest.fixture
def shop(shop: FakeShop) -> FakeShop:
    """Alice also has an order that has not been shipped."""
    shop.add_order("A-1003", "cus_alice", total="25.00", status="packed", delivered_days_ago=None)
    return shop


@pytest.fixture
def movable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make changes of address undoable for two hours."""

    def back(self: ChangeShippingAddress, arguments: dict[str, Any], *_: object) -> dict[str, Any]:
        address = {name: value for name, value in HOME.as_json().items() if value}
        return {"order_id": arguments["order_id"], "address": address}

    monkeypatch.setattr(ChangeShippingAddress, "undo", Undo("change_shipping_address", 2))
    monkeypatch.setattr(ChangeShippingAddress, "undo_arguments", back)


@pytest.fixture
def carried_out(alice: Customer, conversation: Conversation) -> Callable[[], None]:
    """Return a function that confirms the newest card and lets it run, as a click and the worker would."""

    def run() -> None:
        with workspace_scope(conversation.workspace_id):
            card = ActionRequest.objects.latest("id")
            confirm(card.pk, principal=signed_in_as(alice), digest=card.digest)
            run_queued()
        deliver_due()

    return run


def states(conversation: Conversation) -> list[tuple[str, str]]:
    with workspace_scope(conversation.workspace_id):
        return list(ActionRequest.objects.order_by("id").values_list("action", "state"))


@pytest.mark.one_in(7)
@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Please take the refund back"),
        ("en", "undo that"),
        ("de", "Bitte rückgängig machen"),
        ("fr", "Annulez ce que vous venez de faire"),
        ("es", "Deshaga lo que acaba de hacer"),
        ("it", "Annulli quello che ha appena fatto"),
        ("nl", "Draai de terugbetaling terug alstublieft"),
    ],
)
async def test_a_request_that_cannot_be_undone_is_left_to_a_person(
    conversation: Conversation, shop: FakeShop, carried_out: Callable[[], None], language: str, text: str
) -> None:
    await turns(conversation, "Please refund A-1001")
    await db(carried_out)
    events = await turns(conversation, text)
    assert final(events)["text"] == text_in(language, CANNOT_UNDO) and final(events)["offers_human"]
    assert await db(states, conversation) == [("refund_order", "succeeded")] and len(cards(events)) == 1
    assert len(shop.refunds) == 1


async def test_an_undo_is_proposed_and_carried_out_only_after_a_click(
    conversation: Conversation, shop: FakeShop, movable: None, carried_out: Callable[[], None]
) -> None:
    await turns(conversation, MOVE)
    await db(carried_out)
    assert shop.orders["A-1003"].address.city == "Freiburg" and shop.orders["A-1003"].address != HOME
    events = await turns(conversation, "oh no, please undo that")
    [first, back] = cards(events)
    assert back["action"] == "change_shipping_address" and back["arguments"]["address"]["line1"] == HOME.line1
    assert final(events)["text"] == text_in("en", CONFIRM)
    assert shop.orders["A-1003"].address != HOME

    def undoes() -> list[Any]:
        with workspace_scope(conversation.workspace_id):
            return list(ActionRequest.objects.order_by("id").values_list("undoes", flat=True))

    assert [str(one) for one in await db(undoes)] == ["None", first["request"]]
    await db(carried_out)
    assert shop.orders["A-1003"].address == HOME


@pytest.mark.long
async def test_a_request_whose_undo_window_is_over_is_left_to_a_person(
    conversation: Conversation, shop: FakeShop, movable: None, carried_out: Callable[[], None]
) -> None:
    await turns(conversation, MOVE)
    await db(carried_out)

    def wait() -> None:
        with workspace_scope(conversation.workspace_id):
            ActionRequest.objects.update(changed_at=now() - timedelta(hours=3))

    await db(wait)
    events = await turns(conversation, "undo that")
    assert final(events)["text"] == text_in("en", CANNOT_UNDO) and len(cards(events)) == 1
    assert shop.orders["A-1003"].address != HOME


async def test_an_open_card_is_withdrawn(conversation: Conversation, shop: FakeShop) -> None:
    events = await turns(conversation, "Please refund A-1001", "undo that")
    assert final(events)["text"] == text_in("en", WITHDRAWN) and len(cards(events)) == 1
    assert await db(states, conversation) == [("refund_order", "cancelled")] and shop.refunds == []


@pytest.mark.long
async def test_a_held_request_is_withdrawn_before_it_is_sent(
    conversation: Conversation, shop: FakeShop, carried_out: Callable[[], None]
) -> None:
    def hold() -> None:
        with workspace_scope(conversation.workspace_id):
            limit("refund_order", hold_minutes=10)

    await db(hold)
    await turns(conversation, "Please refund A-1001")
    await db(carried_out)
    assert await db(states, conversation) == [("refund_order", "queued")]
    events = await turns(conversation, "Bitte die Erstattung wieder rückgängig machen")
    assert final(events)["text"] == text_in("de", WITHDRAWN_REQUEST)
    assert await db(states, conversation) == [("refund_order", "cancelled")] and shop.refunds == []


async def test_a_request_to_undo_starts_nothing_if_nothing_was_done(conversation: Conversation, shop: FakeShop) -> None:
    events = await turns(conversation, "Bitte rückgängig machen")
    assert final(events)["text"] == text_in("de", NOTHING_TO_UNDO) and final(events)["offers_human"]
    assert (await db(states, conversation), shop.calls) == ([], [])


async def test_a_request_to_undo_does_not_repeat_an_answer(conversation: Conversation, shop: FakeShop) -> None:
    events = await turns(conversation, "How long can I return things?", "undo that")
    assert "60 days" not in final(events)["text"] and final(events)["text"] == text_in("en", NOTHING_TO_UNDO)


async def test_a_visitor_is_not_asked_to_sign_in_to_undo(conversation: Conversation, shop: FakeShop) -> None:
    def as_visitor() -> Conversation:
        with workspace_scope(conversation.workspace_id):
            channel = create_channel(conversation.workspace, "Shop", allowed_origins=[]).channel
            return start_conversation(new_visitor(channel, locale="en").customer.pk)

    events = await turns(await db(as_visitor), "Please undo that refund")
    assert final(events)["text"] == text_in("en", NOTHING_TO_UNDO)


@pytest.mark.long
async def test_the_order_named_by_the_customer_decides(
    conversation: Conversation, shop: FakeShop, movable: None, carried_out: Callable[[], None]
) -> None:
    await turns(conversation, MOVE)
    await db(carried_out)
    await turns(conversation, "Please refund A-1001")
    await db(carried_out)
    events = await turns(conversation, "Please undo everything you did for A-1005")
    assert final(events)["text"] == text_in("en", NOTHING_TO_UNDO)
    events = await turns(conversation, "Please undo what you did for A-1003")
    assert cards(events)[-1]["arguments"]["order_id"] == "A-1003" and len(cards(events)) == 3


async def test_only_the_card_of_the_named_order_is_withdrawn(conversation: Conversation, shop: FakeShop) -> None:
    await turns(conversation, "Please refund A-1001")
    await turns(conversation, MOVE)
    both = [("refund_order", "awaiting_confirmation"), ("change_shipping_address", "awaiting_confirmation")]
    assert await db(states, conversation) == both
    await ask_model(conversation, "undo A-1001", Says("", calls=(undoing(number="A-1001"),)))
    assert final(await turns(conversation))["text"] == text_in("en", WITHDRAWN)
    assert await db(states, conversation) == [("refund_order", "cancelled"), both[1]]


async def test_the_last_digits_of_an_order_number_do_not_name_the_order(
    conversation: Conversation, shop: FakeShop, carried_out: Callable[[], None]
) -> None:
    await turns(conversation, "Please refund A-1001")
    await ask_model(conversation, "undo 001", Says("", calls=(undoing(number="001"),)))
    assert final(await turns(conversation))["text"] == text_in("en", NOTHING_TO_UNDO)
    assert await db(states, conversation) == [("refund_order", "awaiting_confirmation")]
    await ask_model(conversation, "undo 1001", Says("", calls=(undoing(number="1001"),)))
    assert await db(states, conversation) == [("refund_order", "cancelled")]


@pytest.mark.parametrize("text", ["I want my money back for A-1001", "Take the item back and refund A-1001"])
async def test_a_request_that_sounds_like_an_undo_is_still_that_request(
    conversation: Conversation, shop: FakeShop, text: str
) -> None:
    events = await turns(conversation, text)
    assert [card["action"] for card in cards(events)] == ["refund_order"]


async def ask_model(conversation: Conversation, text: str, *steps: Says) -> ScriptedModel:
    claim = await db(say, conversation, text)
    with answering(ScriptedModel(*steps)) as model:
        await carry_out(claim)
    return model


def undoing(**arguments: Any) -> ToolCall:
    return ToolCall("call_1", "undo_last", json.dumps(arguments))


@pytest.mark.long
async def test_a_model_gets_the_tool_once_there_is_something_to_undo(
    conversation: Conversation, shop: FakeShop, movable: None, carried_out: Callable[[], None]
) -> None:
    def offered() -> set[str]:
        with workspace_scope(conversation.workspace_id):
            return {tool.name for tool in tools_for(conversation, "en", states_in(conversation.pk)).offered}

    assert "undo_last" not in await db(offered)
    await turns(conversation, MOVE)
    await db(carried_out)
    assert "undo_last" in await db(offered)
    await ask_model(conversation, "undo it", Says("It is undone. ", calls=(undoing(number="A-1003"),)))
    events = await turns(conversation)
    assert final(events)["text"] == text_in("en", CONFIRM) and len(cards(events)) == 2
    assert shop.orders["A-1003"].address != HOME


@pytest.mark.long
async def test_a_model_is_told_that_the_request_cannot_be_undone(
    conversation: Conversation, shop: FakeShop, carried_out: Callable[[], None]
) -> None:
    await turns(conversation, "Please refund A-1001")
    await db(carried_out)
    await ask_model(conversation, "undo it", Says("I have taken the refund back. ", calls=(undoing(),)))
    events = await turns(conversation)
    assert final(events)["text"] == text_in("en", CANNOT_UNDO) and len(cards(events)) == 1


@pytest.mark.one_in(4)
@pytest.mark.parametrize("arguments", ['{"request": "all"}', '{"number": 7}', r'{"number": "\u0000"}', "[]"])
async def test_unknown_arguments_undo_nothing(conversation: Conversation, shop: FakeShop, arguments: str) -> None:
    await turns(conversation, "Please refund A-1001")
    bad = ToolCall("call_1", "undo_last", arguments)
    await ask_model(conversation, "undo it", Says("", calls=(bad,)), Says("I could not do that."))
    assert await db(states, conversation) == [("refund_order", "awaiting_confirmation")]


@pytest.mark.long
async def test_a_resumed_turn_ends_with_the_card_it_had_proposed(
    conversation: Conversation, shop: FakeShop, movable: None, carried_out: Callable[[], None]
) -> None:
    await turns(conversation, MOVE)
    await db(carried_out)
    await lost_after(conversation, undoing())
    events = await turns(conversation)
    assert final(events)["text"] == text_in("en", CONFIRM) and len(cards(events)) == 2
    assert await db(states, conversation) == [
        ("change_shipping_address", "succeeded"),
        ("change_shipping_address", "awaiting_confirmation"),
    ]


@pytest.mark.long
async def test_a_resumed_turn_that_withdrew_a_card_undoes_nothing_older(
    conversation: Conversation, shop: FakeShop, movable: None, carried_out: Callable[[], None]
) -> None:
    await turns(conversation, MOVE)
    await db(carried_out)
    await turns(conversation, "Please refund A-1001")
    await lost_after(conversation, undoing())
    events = await turns(conversation)
    assert final(events)["text"] == text_in("en", WITHDRAWN) and len(cards(events)) == 2
    assert await db(states, conversation) == [("change_shipping_address", "succeeded"), ("refund_order", "cancelled")]


async def lost_after(conversation: Conversation, call: ToolCall) -> None:
    """Let the customer write "undo that", the process die after the call, and another one answer."""
    claim = await db(say, conversation, "undo that")

    def die() -> Any:
        with workspace_scope(conversation.workspace_id):
            Tools(tools_for(conversation, "en", states_in(conversation.pk)).offered).use(call, Place(claim, 0, 0, "en"))
            release_turn(claim)
            return claim_turn("another-runner")

    again = await db(die)
    assert again is not None
    await carry_out(again)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("text", ["yes", "yep, great", "ja", "oui"])
async def test_a_yes_after_something_was_done_asks_what_else_to_do(
    conversation: Conversation, shop: FakeShop, carried_out: Callable[[], None], text: str
) -> None:
    await turns(conversation, "Please refund A-1001")
    await db(carried_out)
    answer = final(await turns(conversation, text))
    assert answer["text"] == say_phrase("left_alone", "en") and not answer["offers_human"]


async def test_a_yes_after_a_refusal_still_offers_a_person(
    conversation: Conversation, shop: FakeShop, carried_out: Callable[[], None]
) -> None:
    await turns(conversation, "Please refund A-1001")
    await db(carried_out)
    refused = final(await turns(conversation, "Please also refund order A-1005"))
    assert refused["offers_human"]
    assert final(await turns(conversation, "yes"))["text"] == say_phrase("offer", "en")
