"""The values that the built-in answerer fills in or asks for, and how it follows a conversation."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from supportbot.assistant.action_tools import may_replace_card
from supportbot.builtin.actions.next_step import ONLY_ASKS, needs_account, next_step
from supportbot.builtin.answerer import reply_to
from supportbot.builtin.phrases import is_offer_of_a_person, phrase_in, say
from supportbot.llm.types import REPLACES_CARD, ChatMessage, ModelRequest, Source
from tests.builtin.action_chat import HUMAN, ORDERS, SKIP, WITHDRAW, Chat, catalogue, doubtful, order
from tests.events import check_event

LANGUAGES = ("en", "de", "fr", "es", "it", "nl")


def arguments_of(*texts: str, **changes: Any) -> dict[str, Any]:
    """Return the arguments of the one call that the last text leads to."""
    chat = Chat(**changes)
    for text in texts[:-1]:
        chat.send(text)
    _, [(_, arguments)] = chat.send(texts[-1])
    return arguments


@pytest.mark.parametrize(
    ("said", "amount"),
    [
        ("20 euros", "20"),
        ("€12.50", "12.50"),
        ("12,50 €", "12.50"),
        ("EUR 7", "7"),
        ("1.234,50 €", "1234.50"),
    ],
)
def test_an_amount_is_read_as_written(said: str, amount: str) -> None:
    assert arguments_of(f"Please refund {said} for WF-20404")["amount"] == amount


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "said",
    [
        "1e2 euros", "1_0 euros", "-5 euros", "0 euros", "1.234 €", "twenty euros", "٣٠ €", "50 % of the money",
        "NaN EUR", "Infinity euros", "zero euros", "٫5 EUR", ".5 EUR", "1/5 EUR", "+5 EUR", "€-500", "€ −500", "-€500",
        "-EUR 500", "€0", "$-5",
    ],
)  # fmt: skip
def test_an_unclear_amount_is_asked_for_and_never_taken_as_the_total(said: str) -> None:
    chat = Chat()
    assert chat.send(f"Please refund {said} for WF-20404") == (say("amount", "en"), [])
    _, [(_, arguments)] = chat.send("15")
    assert (arguments["amount"], arguments["order_id"]) == ("15", "WF-20404")


def test_the_paid_total_is_not_an_amount_to_refund() -> None:
    assert "amount" not in arguments_of("I paid 50 euros for WF-20404 and want my money back")


def test_items_are_recognised_by_their_names() -> None:
    for text in ("Refund the boots from WF-20418", "Je veux être remboursé pour les boots de WF-20418"):
        assert arguments_of(text)["items"] == [{"sku": "CAIRN-41", "quantity": 1}]


def test_naming_all_items_means_the_whole_order() -> None:
    assert "items" not in arguments_of("Please refund the stove")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Please refund WF-20404, it arrived damaged", "Please refund WF-20404, it arrived damaged"),
        ("Remboursez-moi WF-20404,\nil est cassé", "Remboursez-moi WF-20404, il est cassé"),
        (f"Please refund WF-20404, {'torn ' * 40}", f"Please refund WF-20404, {'torn ' * 35}".strip()),
    ],
)
def test_a_reason_is_the_customers_own_words(text: str, reason: str) -> None:
    assert arguments_of(text)["reason"] == reason


@pytest.mark.parametrize(
    "said", ["WF-20404", "wf-20404", "wf20404", "#WF-20404", "order 20404", "Bestellung Nr. 20404", "WF 20404"]
)
def test_an_order_number_is_read_in_the_ways_people_write_it(said: str) -> None:
    assert arguments_of(f"Refund please, {said}")["order_id"] == "WF-20404"


def test_an_unknown_order_number_is_passed_on_as_written() -> None:
    assert arguments_of("Refund order 99999 please")["order_id"] == "99999"


def test_the_only_order_needs_no_question() -> None:
    only = [order("WF-1", "2026-11-01", "delivered", ("X", "Thing"))]
    assert arguments_of("refund please", orders=only)["order_id"] == "WF-1"


def test_the_look_up_is_the_answer_if_there_are_no_orders() -> None:
    assert Chat(orders=[]).send("refund please") == ("", [])


def test_without_a_look_up_the_number_is_asked_for() -> None:
    tools = [tool for tool in catalogue() if not tool.is_read]
    chat = Chat(tools=tools)
    assert chat.send("refund please") == (say("order_number", "en"), [])
    _, [(_, arguments)] = chat.send("20404")
    assert arguments["order_id"] == "20404"


@pytest.mark.parametrize(
    ("answer", "number"),
    [("the last one", "WF-20444"), ("the second one", "WF-20418"), ("the stove", "WF-20404"), ("20418", "WF-20418")],
)
def test_the_question_for_the_order_can_be_answered_in_many_ways(answer: str, number: str) -> None:
    chat = Chat()
    words, calls = chat.send("I need to cancel an order")
    assert words.startswith(say("which_of_these", "en")) and "- WF-20418: Cairn" in words and calls == []
    _, [(name, arguments)] = chat.send(answer)
    assert (name, arguments["order_id"]) == ("cancel_order", number)


def test_a_question_in_between_keeps_the_intent() -> None:
    assert arguments_of("I want a refund", "How long does that take?", "ok, it's WF-20404")["order_id"] == "WF-20404"


def test_a_correction_changes_only_the_corrected_value() -> None:
    chat = Chat()
    chat.send("Refund 10 euros for WF-20404")
    _, [(name, arguments)] = chat.send("no, I meant WF-20418")
    assert (name, arguments["order_id"], arguments["amount"]) == ("refund_order", "WF-20418", "10")


def test_the_other_one_of_two_orders_is_understood() -> None:
    two = [
        order("WF-101", "2026-11-01", "delivered", ("X", "Mug")),
        order("WF-102", "2026-11-02", "delivered", ("Y", "Pan")),
    ]
    assert arguments_of("Refund WF-101", "no, the other order", orders=two)["order_id"] == "WF-102"


@pytest.mark.parametrize("taken_back", ["never mind", "no thanks", "Nein danke", "hat sich erledigt", "laissez tomber"])
def test_a_withdrawn_intent_is_forgotten(taken_back: str) -> None:
    chat = Chat()
    chat.send("refund please")
    words, calls = chat.send(taken_back)
    assert words in {say("left_alone", language) for language in LANGUAGES} and calls == []
    assert chat.send("WF-20404")[1] == []


@pytest.mark.parametrize("text", ["yes", "ja bitte", "oui", "sí, claro", "sì grazie", "ja graag"])
def test_text_does_not_confirm_a_card(text: str) -> None:
    chat = Chat()
    chat.send("Refund WF-20404")
    chat.tools = (HUMAN, WITHDRAW, *catalogue())  # the card waits
    words, calls = chat.send(text)
    assert words in {say("use_card", language) for language in LANGUAGES} and calls == []


def test_a_yes_after_a_refusal_points_to_no_card() -> None:
    chat = Chat()
    chat.send("Refund WF-20404")  # without the tool that withdraws cards, none is waiting
    assert chat.send("yes please") == (say("offer", "en"), [])
    assert [name for name, _ in chat.send("yes")[1]] == ["request_human"]


@pytest.mark.parametrize("between", [(), ("thanks",), ("How long does that take?", "thanks")])
@pytest.mark.parametrize("text", ["sorry, WF-20444", "sorry, I meant WF-20444", "pardon, je voulais dire WF-20444"])
def test_a_corrected_number_is_no_cancellation(text: str, between: tuple[str, ...]) -> None:
    chat = Chat()
    for earlier in ("Refund WF-20418", *between):
        chat.send(earlier)
    asked, calls = chat.send(text)
    assert not calls and phrase_in(asked) == "meant"
    assert [one["id"] for one in chat.blocks[0]["options"]][:2] == ["refund_order", "cancel_order"]


def test_a_corrected_number_keeps_the_amount_and_replaces_the_card() -> None:
    chat = Chat()
    chat.send("Refund 10 euros for WF-20418")
    chat.tools = (HUMAN, WITHDRAW, *map(may_replace_card, catalogue()))  # the card waits
    asked, calls = chat.send("sorry, I meant WF-20444")
    assert not calls and phrase_in(asked) == "meant"
    _, [(name, arguments)] = chat.send("Refund an order")
    assert (name, arguments["order_id"], arguments["amount"]) == ("refund_order", "WF-20444", "10")
    assert arguments[REPLACES_CARD] is True


@pytest.mark.parametrize(
    "text",
    [
        "Cancel WF-20444", "please also cancel WF-20444", "sorry, please cancel WF-20444", "annulez WF-20444",
        "storniere WF-20444", "WF-20444 stornieren", "cancela WF-20444", "annulla WF-20444", "annuleer WF-20444",
    ],
)  # fmt: skip
def test_a_further_request_that_says_what_it_wants_is_carried_out(text: str) -> None:
    chat = Chat()
    chat.send("Refund WF-20418")
    assert [(name, given["order_id"]) for name, given in chat.send(text)[1]] == [("cancel_order", "WF-20444")]


@pytest.mark.parametrize(
    "text", ["no", "never mind", "nein danke", "non merci", "no, déjalo", "lascia stare", "laat maar"]
)
def test_a_no_withdraws_the_card(text: str) -> None:
    chat = Chat(tools=(HUMAN, WITHDRAW, *catalogue()))
    chat.send("Refund WF-20404")
    assert chat.send(text) == ("", [("withdraw_cards", {})])


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_uncertain_look_up_offers_to_look_it_up(language: str) -> None:
    tools = (HUMAN, *(replace(tool, is_read=tool.name == "refund_order" or tool.is_read) for tool in catalogue()))
    request = ModelRequest("answer", (), tools, question=doubtful())
    step = next_step(request, language)
    assert step is not None and step.calls == ()
    assert step.text == say("meant_look_up", language, title="Refund an order")
    assert step.text != say("meant", language, title="Refund an order")
    chat = Chat(tools=tools)
    chat.messages += [ChatMessage("user", doubtful()), ChatMessage("assistant", step.text)]
    answer, calls = chat.send("yes")  # accepts the offer, so that the look-up asks for its order
    assert answer.startswith(say("which_of_these", "en")) and calls == []


def test_an_ambiguous_message_gets_a_choice_and_a_yes_starts_the_action() -> None:
    chat = Chat()
    request = ModelRequest("answer", (), chat.tools, question=doubtful())
    step = next_step(request, "en")
    assert step is not None and step.calls == ()
    assert step.text == say("meant", "en", title="Refund an order")
    [block] = step.blocks
    assert (block["type"], block["options"][0]["id"], block["options"][-1]["id"]) == (
        "choices",
        "refund_order",
        ONLY_ASKS,
    )
    chat.send(doubtful())
    chat.send("yes please")
    assert [call.name for call in chat.asked] == ["order_status"]


def test_a_no_to_the_choice_leaves_it() -> None:
    chat = Chat()
    chat.send(doubtful())
    assert chat.send("no thanks") == (say("left_alone", "en"), [])


def test_only_possible_orders_are_offered_as_buttons() -> None:
    orders = [{**one, "possible_actions": ["cancel_order"] if one["id"] != "WF-20404" else []} for one in ORDERS]
    look_up = ChatMessage("tool", json.dumps({"orders": orders}), tool_call_id="1")
    messages = (ChatMessage("user", "I need to cancel an order"), look_up)
    step = next_step(ModelRequest("answer", messages, catalogue(), question="I need to cancel an order"), "en")
    assert step is not None
    assert [option["id"] for option in step.blocks[0]["options"]] == ["WF-20444", "WF-20418"]
    assert step.blocks[0]["options"][0]["label"] == "WF-20444: Skarn rain jacket, L · paid, not packed yet · €50.00"


def test_an_address_is_asked_for_with_a_form_of_its_fields() -> None:
    question = "I need another delivery address for WF-20444"
    order = {**ORDERS[0], "id": "WF-20444", "possible_actions": ["change_shipping_address"]}
    look_up = ChatMessage("tool", json.dumps({"orders": [order]}), tool_call_id="1")
    messages = (ChatMessage("user", question), look_up)
    step = next_step(ModelRequest("answer", messages, catalogue(), question=question), "en")
    assert step is not None and step.text == say("address", "en")
    [form] = step.blocks
    assert {"line1", "postal_code", "city"} <= {field["name"] for field in form["fields"]}
    assert all(field["type"] == "string" for field in form["fields"])


def test_two_orders_of_a_message_are_not_looked_up_in_turn() -> None:
    chat = Chat()
    words, calls = chat.send("Change the address of WF-20444 and the address of WF-20404")
    assert words == say("address", "en") and not calls and not chat.asked


def block_of(chat: Chat, text: str) -> dict[str, Any]:
    """Return the only block of the answer to a message."""
    chat.send(text)
    [block] = chat.blocks
    assert_is_on_the_wire(block)
    return block


def assert_is_on_the_wire(block: dict[str, Any]) -> None:
    final = {"message": str(uuid4()), "text": "?", "citations": [], "abstained": False, "offers_human": False}
    check_event("assistant.final", {**final, "by": "builtin", "blocks": [block]})


def test_an_orders_button_selects_only_the_order() -> None:
    chat = Chat()
    block = block_of(chat, "Please refund 10 euros, one part is broken")
    boots = next(option["label"] for option in block["options"] if option["id"] == "WF-20418")
    assert boots == "WF-20418: Cairn boots, 41 + Alder base layer, M · delivered · €50.00"
    _, [(name, arguments)] = chat.send(boots)
    assert (name, arguments["order_id"], arguments["amount"]) == ("refund_order", "WF-20418", "10")
    assert "items" not in arguments


@pytest.mark.one_in(3)
@pytest.mark.parametrize("language", LANGUAGES)
def test_values_of_a_submitted_form_are_used_unchanged(language: str) -> None:
    wishes = {
        "en": "I need another delivery address for WF-20444",
        "de": "Ich brauche eine andere Lieferadresse für WF-20444",
        "fr": "Je voudrais changer l'adresse de livraison de WF-20444",
        "es": "Quiero cambiar la dirección de entrega de WF-20444",
        "it": "Vorrei cambiare l'indirizzo di consegna di WF-20444",
        "nl": "Ik wil het bezorgadres van WF-20444 wijzigen",
    }  # fmt: skip
    chat = Chat(locale=language)
    block = block_of(chat, wishes[language])
    values = {"line1": "8 bis quai des Brumes, 3", "postal_code": "44000", "city": "le Croisic"}
    assert [field["name"] for field in block["fields"] if field["required"]] == list(values)
    lines = (f"{one['title']}: {values[one['name']]}" for one in block["fields"] if one["name"] in values)
    _, [(name, arguments)] = chat.send("\n".join(lines))
    assert (name, arguments) == ("change_shipping_address", {"order_id": "WF-20444", "address": values})


def test_an_unknown_action_gets_forms_and_choices() -> None:
    chat = Chat(tools=(HUMAN, SKIP), locale="en")
    block = block_of(chat, "Please skip my next box")
    assert block["fields"] == [{"name": "weeks", "title": "Weeks", "type": "integer", "required": True, "minimum": 1}]
    block = block_of(chat, "Weeks: 2")
    assert [option["label"] for option in block["options"]] == ["small box", "large box"]
    block = block_of(chat, "large box")
    assert block["fields"][0]["pattern"] == "^C[0-9]{4}$"
    assert block_of(chat, "Contract: C1234")["fields"][0]["maxLength"] == 20
    _, [(_, arguments)] = chat.send("Note: Not the blue 3 kg one")
    assert arguments == {"weeks": 2, "size": "large_box", "contract": "C1234", "note": "Not the blue 3 kg one"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_question_alone_creates_no_card(language: str) -> None:
    chat = Chat(locale=language)
    chat.send(doubtful())
    assert chat.send(say("only_asks", language))[1] == []
    assert chat.asked == []


def test_the_order_named_last_is_meant() -> None:
    assert arguments_of("Where is WF-20444?", "then cancel it please")["order_id"] == "WF-20444"


def test_a_visitor_is_asked_to_sign_in() -> None:
    request = ModelRequest("answer", (), (HUMAN,), catalogue(), question="I want a refund for WF-20404")
    reply = reply_to(request)
    assert (reply.text, reply.calls) == (say("sign_in", "en"), ())
    about = ModelRequest("answer", (), (HUMAN,), catalogue(), question="How long does a refund take?")
    assert not needs_account(about)


def test_a_visitor_gets_the_pages_answer_before_the_offer_to_sign_in() -> None:
    page = Source(1, "Returns", "We refund within 5 working days after the parcel reaches us.", "en")
    request = ModelRequest(
        "answer", (), (HUMAN,), catalogue(), question="When will I get my refund?", sources=(page,), is_answerable=True
    )
    assert reply_to(request).text == f"{page.text} [1]\n\n{say('once_signed_in', 'en')}"


@pytest.mark.parametrize(
    ("question", "is_quoted"),
    [
        ("I want my money back for order WF-20404", False),
        ("I want my money back for my boots", True),
        ("How do I get my money back for order WF-20404?", True),
    ],
)
def test_a_visitor_is_first_asked_to_sign_in_for_a_request(question: str, is_quoted: bool) -> None:
    page = Source(1, "Returns", "We refund your money within 5 working days after the parcel reaches us.", "en")
    request = ModelRequest("answer", (), (HUMAN,), catalogue(), question=question, sources=(page,), is_answerable=True)
    first, _, rest = reply_to(request).text.partition("\n\n")
    assert (first, rest) == (say("sign_in", "en"), f"{page.text} [1]" if is_quoted else "")


def test_an_address_with_all_its_parts_is_used() -> None:
    text = "Please change the address of WF-20444 to Mara Lindqvist, Am Markt 3, 3. OG, 50667 Köln, Germany"
    assert arguments_of(text)["address"] == {
        "name": "Mara Lindqvist", "line1": "Am Markt 3", "line2": "3. OG", "postal_code": "50667", "city": "Köln",
        "country": "DE",
    }  # fmt: skip


def test_a_partial_address_is_asked_for_again() -> None:
    chat = Chat()
    assert chat.send("I need another delivery address for WF-20444")[0] == say("address", "en")
    for half in ("04109", "04109 Leipzig please"):
        assert chat.send(half) == (f"{say('unread', 'en')} {say('address', 'en')}", [])
        assert chat.blocks[0]["type"] == "form"
    words, calls = chat.send("Rosenweg 5 in Leipzig")
    assert is_offer_of_a_person(words) and calls == [] and chat.blocks[0]["type"] == "form"
    _, [(_, arguments)] = chat.send("Rosenweg 5, 04109 Leipzig")
    assert arguments["address"] == {"line1": "Rosenweg 5", "city": "Leipzig", "postal_code": "04109"}
    assert arguments["order_id"] == "WF-20444"


def test_a_form_with_a_missing_part_is_asked_for_again() -> None:
    chat = Chat()
    chat.send("I need another delivery address for WF-20444")
    assert chat.send("Street and house number: Rosenweg 5\nCity: Leipzig") == (say("address", "en"), [])


def test_fields_of_every_kind_are_asked_for_and_read() -> None:
    chat = Chat(tools=(SKIP,))
    assert chat.send("Please skip my next box")[0] == "Please enter: Weeks."
    assert chat.send("2")[0] == "Please choose: Size. The options are: small box or large box."
    assert chat.send("the large box")[0] == "Please enter: Contract."
    assert chat.send("It is C1234.")[0] == "Please enter: Note."
    _, [(name, arguments)] = chat.send("on holiday")
    assert (name, arguments) == (
        "skip_next_box",
        {"weeks": 2, "size": "large_box", "contract": "C1234", "note": "on holiday"},
    )


def test_a_postal_code_is_not_an_order_number_and_an_address_has_no_language() -> None:
    chat = Chat()
    chat.send("Change the address of my order")
    words, calls = chat.send("Hauptstr. 5, 80331 München")
    assert words.startswith(say("which_of_these", "en")) and calls == []
    _, ((_, arguments),) = chat.send("WF-20444")
    assert arguments["address"]["postal_code"] == "80331"
