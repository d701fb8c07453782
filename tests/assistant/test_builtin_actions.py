"""Requests in the customer's own words, without a model: from the message to the card, or to another answer."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from actions.models import ActionRequest
from actions.testing import FakeShop
from kb.indexing.sync import sync_articles
from kb.models import Article
from kb.services import Change, create_article, publish
from supportbot.accounts.channels import create_channel
from supportbot.accounts.customers import new_visitor
from supportbot.accounts.models import Customer
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.runner import carry_out
from supportbot.async_db import db
from supportbot.builtin.phrases import say as phrase
from supportbot.chat.blocks import BlockRef, choose, submit
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.chat.services import start_conversation
from supportbot.chat.signals import EventView
from supportbot.chat.turns import Claim, claim_turn
from tests.assistant.conftest import payloads
from tests.assistant.test_turn import say
from tests.builtin.action_chat import doubtful

pytestmark = pytest.mark.django_db(transaction=True)
Log = Callable[[], list[EventView]]
CARD = "Please check the card. Nothing happens until you confirm."
KARTE = "Bitte prüfen Sie die Karte. Es geschieht nichts, bevor Sie bestätigen."


@pytest.fixture
def shop(shop: FakeShop) -> FakeShop:
    """Alice also has two orders that have not been shipped."""
    shop.add_order("A-1007", "cus_alice", total="30.00", status="paid", delivered_days_ago=None)
    shop.add_order("A-1008", "cus_alice", total="35.00", status="packed", delivered_days_ago=None)
    return shop


async def turns(conversation: Conversation, *texts: str) -> list[EventView]:
    """Let the customer write each text after the answer to the one before; return the log without the notice."""
    for text in texts:
        await carry_out(await db(say, conversation, text))

    def read() -> list[EventView]:
        with workspace_scope(conversation.workspace_id):
            return events_after(conversation.pk, 1)

    return await db(read)


def final(events: list[EventView]) -> dict[str, Any]:
    return payloads(events, "assistant.final")[-1]


def cards(events: list[EventView]) -> list[dict[str, Any]]:
    return payloads(events, "action.proposed")


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("text", "action", "arguments", "words"),
    [
        ("I want a refund for order A-1001", "refund_order", {"order_id": "A-1001", "amount": "49.90"}, CARD),
        (
            "Bitte erstatten Sie mir 12,50 € für A-1001",
            "refund_order",
            {"order_id": "A-1001", "amount": "12.50"},
            KARTE,
        ),
        ("Please cancel order A-1007, I ordered twice", "cancel_order", {"order_id": "A-1007"}, CARD),
        ("Stornieren Sie bitte die Bestellung A-1008", "cancel_order", {"order_id": "A-1008"}, KARTE),
        (
            "Please send A-1007 to Talstraße 8, 79102 Freiburg instead",
            "change_shipping_address",
            {"order_id": "A-1007"},
            CARD,
        ),
        (
            "Bitte ändern Sie die Lieferadresse von A-1008 auf Am Markt 3, 50667 Köln",
            "change_shipping_address",
            {"order_id": "A-1008"},
            KARTE,
        ),
    ],
)
async def test_a_request_in_words_becomes_a_card(
    conversation: Conversation, shop: FakeShop, text: str, action: str, arguments: dict[str, Any], words: str
) -> None:
    events = await turns(conversation, text)
    [card] = cards(events)
    assert card["action"] == action
    assert arguments.items() <= card["arguments"].items()
    assert (final(events)["text"], final(events)["by"], final(events)["abstained"]) == (words, "builtin", False)
    assert shop.refunds == [] and shop.changes == []


async def test_a_complaint_gets_regret_and_the_offer_of_a_person_before_its_card(
    conversation: Conversation, shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supportbot.builtin.answerer.is_complaint", lambda text, least=0.0: True)
    events = await turns(conversation, "I want a refund for order A-1001, it arrived broken")
    assert len(cards(events)) == 1
    assert final(events)["text"] == f"{phrase('complaint', 'en')}\n\n{CARD}"
    assert final(events)["offers_human"] and not final(events)["abstained"]


def press(conversation: Conversation, final: dict[str, Any], option: str) -> Claim:
    """Press a button of an answer as the customer, and claim the turn that follows."""
    with workspace_scope(conversation.workspace_id):
        block = BlockRef(UUID(final["message"]), 0)
        choose(conversation.pk, block=block, option=option, client_id=f"choice-{option}")
        claim = claim_turn("test-runner")
    assert claim is not None
    return claim


def fill_in(conversation: Conversation, final: dict[str, Any], values: dict[str, str | int]) -> Claim:
    """Fill in the form of an answer as the customer, and claim the turn that follows."""
    with workspace_scope(conversation.workspace_id):
        submit(conversation.pk, block=BlockRef(UUID(final["message"]), 0), values=values, client_id="form-1")
        claim = claim_turn("test-runner")
    assert claim is not None
    return claim


@pytest.mark.long
async def test_the_button_of_an_order_leads_to_its_card(conversation: Conversation, shop: FakeShop) -> None:
    asked = final(await turns(conversation, "Please refund 12.50 euros"))
    [block] = asked["blocks"]
    assert (block["type"], block["prompt"]) == ("choices", "Which of these orders do you mean?")
    assert "A-1001" in [option["id"] for option in block["options"]]
    await carry_out(await db(press, conversation, asked, "A-1001"))
    events = await turns(conversation)
    [card] = cards(events)
    assert (card["arguments"]["order_id"], card["arguments"]["amount"]) == ("A-1001", "12.50")
    assert payloads(events, "message")[-1]["text"] == next(
        option["label"] for option in block["options"] if option["id"] == "A-1001"
    )
    assert final(events)["text"] == CARD and "blocks" not in final(events)


@pytest.mark.long
async def test_a_question_about_an_action_is_answered_from_the_pages(
    conversation: Conversation, shop: FakeShop
) -> None:
    asked = final(await turns(conversation, await db(doubtful)))
    assert [option["id"] for option in asked["blocks"][0]["options"]] == ["refund_order", "only-asks"]
    await carry_out(await db(press, conversation, asked, "only-asks"))
    events = await turns(conversation)
    assert "Your refund is paid within 5 working days" in final(events)["text"]
    assert not cards(events)


@pytest.mark.long
async def test_a_form_leads_to_the_card_of_its_address(conversation: Conversation, shop: FakeShop) -> None:
    asked = final(await turns(conversation, "I moved, please change the delivery address of A-1007"))
    [block] = asked["blocks"]
    assert (block["type"], block["prompt"]) == ("form", asked["text"])
    await carry_out(
        await db(fill_in, conversation, asked, {"line1": "Talstraße 8", "postal_code": "79102", "city": "Freiburg"})
    )
    events = await turns(conversation)
    [card] = cards(events)
    expected = {"line1": "Talstraße 8", "postal_code": "79102", "city": "Freiburg"}
    assert expected.items() <= card["arguments"]["address"].items()


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("Where is my order A-1001?", "Order A-1001: delivered"),
        ("Wo ist meine Bestellung A-1001?", "Bestellung A-1001: zugestellt"),
    ],
)
async def test_a_look_up_is_answered_at_once(
    conversation: Conversation, shop: FakeShop, text: str, begins: str
) -> None:
    events = await turns(conversation, text)
    assert final(events)["text"].startswith(begins)
    assert not final(events)["abstained"] and not cards(events)


async def test_missing_arguments_are_asked_for(conversation: Conversation, shop: FakeShop) -> None:
    events = await turns(conversation, "refund please")
    asked = final(events)
    assert asked["text"].startswith("Which of these orders do you mean?\n- A-10")
    assert "B-2002" not in asked["text"] and not asked["abstained"] and not asked["offers_human"]
    assert not cards(events)
    events = await turns(conversation, "A-1001")
    assert [card["arguments"]["order_id"] for card in cards(events)] == ["A-1001"]


@pytest.mark.long
async def test_an_address_is_asked_for(conversation: Conversation, shop: FakeShop) -> None:
    events = await turns(conversation, "I moved, please change the delivery address of A-1007")
    assert (
        final(events)["text"]
        == "What is the new address? Please include street and house number, postal code and city."
    )
    assert not final(events)["abstained"]
    events = await turns(conversation, "Talstraße 8, 79102 Freiburg")
    [card] = cards(events)
    assert card["arguments"]["address"] == {
        "name": "Alice Example", "line1": "Talstraße 8", "line2": "", "postal_code": "79102", "city": "Freiburg",
        "country": "DE",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ("A-1001", "Order A-1001 has already left the warehouse, so this can no longer be changed."),
        ("A-1009", "Order A-1009 has been cancelled."),
        ("B-2002", "There is no order B-2002 in your account."),
    ],
)
async def test_no_address_is_asked_for_in_vain(
    conversation: Conversation, shop: FakeShop, order: str, said: str
) -> None:
    shop.add_order("A-1009", "cus_alice", total="20.00", status="cancelled", delivered_days_ago=None)
    events = await turns(conversation, f"I moved, please change the delivery address of {order}")
    answer = final(events)
    assert answer["text"].startswith(said) and answer["offers_human"] and not answer["abstained"]
    assert "address?" not in answer["text"] and not cards(events)
    with workspace_scope(conversation.workspace_id):
        assert not await db(lambda: ActionRequest.objects.exists())
    events = await turns(conversation, "and for A-1007?", "Talstraße 8, 79102 Freiburg")
    [card] = cards(events)
    assert card["arguments"]["order_id"] == "A-1007" and card["arguments"]["address"]["line1"] == "Talstraße 8"


async def test_an_order_that_does_not_exist_hides_no_other_request(conversation: Conversation, shop: FakeShop) -> None:
    asked = "Please change the delivery address of X-9991 and cancel A-1007"
    events = await turns(conversation, asked, "Talstraße 8, 79102 Freiburg")
    assert [(card["action"], card["arguments"]["order_id"]) for card in cards(events)] == [("cancel_order", "A-1007")]
    assert "There is no order X-9991 in your account." in final(events)["text"]


async def test_an_address_goes_to_the_order_that_was_named_for_it(conversation: Conversation, shop: FakeShop) -> None:
    asked = "Change the delivery address of A-1001, then cancel A-1008"
    events = await turns(conversation, asked, "My new address is Talstraße 8, 79102 Freiburg")
    assert [(card["action"], card["arguments"]["order_id"]) for card in cards(events)] == [("cancel_order", "A-1008")]


async def test_a_new_address_in_the_first_message_is_refused_with_the_same_reason(
    conversation: Conversation, shop: FakeShop
) -> None:
    events = await turns(conversation, "Please send A-1001 to Talstraße 8, 79102 Freiburg instead")
    said = "Order A-1001 has already left the warehouse, so this can no longer be changed."
    assert final(events)["text"].startswith(said) and not cards(events)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "text",
    [
        "How long does a refund take?",
        "Can I get a refund after 40 days?",
        "Please don't cancel A-1007",
        "Stornieren Sie A-1007 bitte nicht",
        "What happens if I cancel my order?",
        "Wie lange dauert eine Erstattung?",
    ],
)
async def test_a_question_or_a_refusal_proposes_nothing(conversation: Conversation, shop: FakeShop, text: str) -> None:
    events = await turns(conversation, text)
    assert not [event for event in events if event.event.startswith("action.")]
    assert shop.calls == []


async def test_a_typed_yes_does_not_confirm(conversation: Conversation, shop: FakeShop) -> None:
    events = await turns(conversation, "Refund A-1001 please", "yes please")
    assert len(cards(events)) == 1
    assert final(events)["text"] == "Please use the button on the card to confirm."
    with workspace_scope(conversation.workspace_id):
        states = await db(lambda: [request.state for request in ActionRequest.objects.all()])
    assert states == ["awaiting_confirmation"]


async def test_a_typed_no_withdraws_the_card(conversation: Conversation, shop: FakeShop) -> None:
    events = await turns(conversation, "Please refund A-1001", "no, never mind")
    assert len(cards(events)) == 1 and len(payloads(events, "action.cancelled")) == 1
    assert final(events)["text"] == "All right, I have withdrawn the card. Nothing was done."
    assert shop.refunds == []


@pytest.mark.long
async def test_a_newer_card_for_the_same_order_replaces_the_older(conversation: Conversation, shop: FakeShop) -> None:
    events = await turns(conversation, "Please refund 10 euros for A-1001", "Please refund 12.50 euros for A-1001")
    assert [card["arguments"]["amount"] for card in cards(events)] == ["10.00", "12.50"]
    with workspace_scope(conversation.workspace_id):
        requests = await db(lambda: list(ActionRequest.objects.order_by("id").values_list("state", "reason_code")))
    assert requests == [("cancelled", "replaced"), ("awaiting_confirmation", "")]


@pytest.mark.long
async def test_a_correction_in_words_replaces_the_card_of_another_order(
    conversation: Conversation, shop: FakeShop
) -> None:
    shop.add_order("A-1006", "cus_alice", total="30.00")
    events = await turns(conversation, "Please refund A-1001, it is broken", "no, I meant A-1006")
    assert [card["arguments"]["order_id"] for card in cards(events)] == ["A-1001", "A-1006"]
    with workspace_scope(conversation.workspace_id):
        requests = await db(lambda: list(ActionRequest.objects.order_by("id").values_list("state", "reason_code")))
    assert requests == [("cancelled", "replaced_card"), ("awaiting_confirmation", "")]
    assert shop.refunds == []


@pytest.mark.parametrize(("locale", "day"), [("en", "%d November"), ("en-GB", "%d November"), ("en-US", "November %d")])
async def test_an_orders_days_are_written_as_in_the_region_of_the_conversation(
    conversation: Conversation, shop: FakeShop, locale: str, day: str
) -> None:
    delivered = datetime(2026, 11, 19, 12, tzinfo=UTC)
    shop.change_order("A-1001", placed_at=delivered, shipped_at=delivered, delivered_at=delivered)

    def in_region() -> None:
        with workspace_scope(conversation.workspace_id):
            Conversation.objects.filter(pk=conversation.pk).update(locale=locale)

    await db(in_region)
    text = final(await turns(conversation, "Where is my order A-1001?"))["text"]
    assert f"delivered on {day % 19}" in text


@pytest.mark.long
async def test_a_correction_that_is_refused_leaves_the_card(conversation: Conversation, shop: FakeShop) -> None:
    await turns(conversation, "Please refund A-1001, it is broken", "no, I meant A-9999")
    with workspace_scope(conversation.workspace_id):
        states = await db(lambda: list(ActionRequest.objects.order_by("id").values_list("state", flat=True)))
    assert (states, shop.refunds) == (["awaiting_confirmation", "refused"], [])


async def test_only_orders_that_allow_it_are_offered(conversation: Conversation, shop: FakeShop) -> None:
    events = await turns(conversation, "I want to cancel an order")
    assert {line[2:8] for line in final(events)["text"].splitlines()[1:]} == {"A-1007", "A-1008"}


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("I want a refund for A-1001", "Could you sign in to your account first and then ask me again?"),
        (
            "My order is late and I am really angry",
            "I am sorry about that. Would you like to talk to a person?\n\n"
            "Could you sign in to your account first and then ask me again?",
        ),
    ],
)
async def test_a_visitor_is_asked_to_sign_in(
    alice: Customer, conversation: Conversation, shop: FakeShop, text: str, answer: str
) -> None:
    def as_visitor() -> Conversation:
        with workspace_scope(conversation.workspace_id):
            channel = create_channel(conversation.workspace, "Shop", allowed_origins=[]).channel
            return start_conversation(new_visitor(channel, locale="en").customer.pk)

    events = await turns(await db(as_visitor), text)
    assert final(events)["text"] == answer
    assert shop.calls == []


@pytest.mark.parametrize("order", ["B-2002", "X-0000"])
async def test_another_customers_order_looks_like_a_missing_one(
    conversation: Conversation, shop: FakeShop, order: str
) -> None:
    events = await turns(conversation, f"Refund order {order}")
    assert final(events)["text"] == f"There is no order {order} in your account."
    assert not cards(events) and shop.refunds == []
    events = await turns(conversation, "I want a refund")
    assert final(events)["text"].startswith("Which of these orders do you mean?"), "the wrong number is forgotten"


async def test_a_refusal_says_why(conversation: Conversation, shop: FakeShop) -> None:
    events = await turns(conversation, "I want my money back for A-1005")
    assert final(events)["text"].startswith("Order A-1005 was delivered more than 60 days ago")
    assert not cards(events)


MISSING = """If a parcel is marked as delivered but is not there, ask your neighbours first, and tell us on the next \
working day."""


@pytest.fixture
def missing_parcels_article(returns_article: Article) -> None:
    article = create_article(Change(title="Parcel marked as delivered", body=MISSING, locale="en"), external_id="gone")
    publish(article.pk)
    sync_articles([article.pk])


@pytest.mark.usefixtures("missing_parcels_article")
async def test_a_problem_with_an_order_gets_the_page_about_it_and_the_order(
    conversation: Conversation, shop: FakeShop
) -> None:
    status = final(await turns(conversation, "Where are my orders?"))["text"]
    answer = final(await turns(conversation, "My parcel is marked as delivered, but it is not there"))
    assert answer["text"].startswith(phrase("complaint", "en")) and answer["offers_human"]
    assert "ask your neighbours first" in answer["text"]
    assert answer["text"].endswith(status) and answer["citations"]


@pytest.mark.usefixtures("missing_parcels_article")
async def test_a_problem_with_a_numbered_order_gets_the_page_about_it_and_a_question_only_the_state(
    conversation: Conversation, shop: FakeShop
) -> None:
    status = final(await turns(conversation, "Where is A-1001?"))
    answer = final(await turns(conversation, "A-1001 is marked as delivered but it never came"))
    assert answer["text"].startswith(phrase("complaint", "en")) and answer["offers_human"]
    assert "ask your neighbours first" in answer["text"]
    assert answer["text"].endswith(status["text"]) and answer["citations"]
    assert not status["citations"] and not status["offers_human"]
