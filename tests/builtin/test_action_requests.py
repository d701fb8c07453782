"""Requests as the built-in answerer detects them, through the provider: which action is called, or none."""

import json
from dataclasses import replace
from typing import Any

import pytest

from supportbot.builtin.actions.next_step import next_step
from supportbot.builtin.answerer import reply_to
from supportbot.builtin.phrases import say
from supportbot.llm.types import ChatMessage, ModelRequest, Source, ToolCall, ToolSpec
from tests.builtin.action_chat import DAY, HUMAN, ORDERS, SKIP, WITHDRAW, Chat, catalogue, hotel
from tests.pace import bounded


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("text", "action", "order"),
    [
        ("I want a refund for order WF-20418", "refund_order", "WF-20418"),
        ("Could you pay me back for WF-20404? It never lit.", "refund_order", "WF-20404"),
        ("WF-20404 arrived broken, get me my money back", "refund_order", "WF-20404"),
        ("The stove is broken. Can I get my money back?", "refund_order", "WF-20404"),
        ("I was wondering if you could refund WF-20404", "refund_order", "WF-20404"),
        ("Ich will mein Geld für WF-20404 zurück", "refund_order", "WF-20404"),
        ("Ich wollte fragen, ob Sie mir WF-20404 erstatten könnten", "refund_order", "WF-20404"),
        ("cancel my last order", "cancel_order", "WF-20444"),
        ("Please have my order WF-20444 cancelled", "cancel_order", "WF-20444"),
        ("Have WF-20404 refunded, please", "refund_order", "WF-20404"),
        ("Are you able to get WF-20444 cancelled?", "cancel_order", "WF-20444"),
        ("Did I mention that I want to cancel order WF-20444?", "cancel_order", "WF-20444"),
        ("I do not need WF-20444 any more, please cancel it", "cancel_order", "WF-20444"),
        ("Hiermit storniere ich die Bestellung WF-20444", "cancel_order", "WF-20444"),
        ("Kann ich WF-20444 noch stornieren?", "cancel_order", "WF-20444"),
        ("ich möchte bestellung wf-20444 stornieren", "cancel_order", "WF-20444"),
        ("Je veux annuler la commande WF-20444", "cancel_order", "WF-20444"),
        ("Quiero que me devuelvan el dinero de WF-20404", "refund_order", "WF-20404"),
        ("Vorrei un rimborso per WF-20404, è rotto", "refund_order", "WF-20404"),
        ("annuleer mijn bestelling WF-20444 aub", "cancel_order", "WF-20444"),
    ],
)
def test_a_request_calls_its_action(text: str, action: str, order: str) -> None:
    _, [(name, arguments)] = Chat().send(text)
    assert (name, arguments["order_id"]) == (action, order)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "text",
    [
        "How long does a refund take?",
        "Can I get a refund after 40 days?",
        "What happens to my money if I cancel?",
        "Do you refund shipping costs?",
        "Is it possible to change the address later?",
        "I'd like to know how refunds work",
        "refund policy",
        "Can I still change where my parcel goes?",
        "Kann ich die Lieferadresse noch ändern?",
        "Kann ich noch ändern, wohin mein Paket geht?",
        "Is it still possible to change where my parcel goes?",
        "Wohin kann ich mein Paket zurückschicken?",
        "Wie lange dauert eine Erstattung?",
        "Bekommt man sein Geld zurück, wenn man storniert?",
        "Bis wann kann ich stornieren?",
        "Ist es möglich, die Lieferadresse zu ändern?",
        "Kostet eine Stornierung etwas?",
    ],
)
def test_a_question_about_an_action_is_not_a_request(text: str) -> None:
    chat = Chat()
    words, calls = chat.send(text)
    assert calls == [] and chat.asked == []
    # the help pages were searched, but there are none
    assert "could not find" in words or "steht nichts" in words


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "text",
    [
        "don't cancel",
        "Please do not cancel WF-20444, I still want it",
        "I'd rather not be refunded",
        "There is no need to cancel WF-20444",
        "stornieren Sie bitte nicht",
        "Bitte WF-20444 nicht stornieren",
        "Ich möchte keine Erstattung, sondern Ersatz",
        "Ändern Sie die Adresse auf keinen Fall",
    ],
)
def test_a_no_is_not_a_request(text: str) -> None:
    chat = Chat()
    assert chat.send(text)[1] == [] and chat.asked == []


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "text",
    [
        "You already refunded WF-20404, thank you",
        "I never got my refund for WF-20404",
        "The refund for WF-20404 was too low",
        "Someone cancelled my order and it wasn't me",
        "Maybe I'll cancel later",
        "cancel my newsletter",
        "I want to change my email address",
        "Sie haben WF-20404 schon erstattet, danke",
        "Are refunds paid to the card I used?",
        "Have other customers been refunded?",
        "Was kostet es, wenn meine Bestellung storniert wurde?",
        "Is it possible that my order was cancelled?",
        "Ich überlege noch, ob ich storniere",
        "Ich möchte mein Abo kündigen und den Newsletter abbestellen",
    ],
)
def test_reports_thoughts_and_other_matters_are_not_requests(text: str) -> None:
    chat = Chat()
    assert chat.send(text)[1] == [] and chat.asked == []


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "text",
    [
        "where is my parcel",
        "Can we check my changed order?",
        "Has my tent been sent yet?",
        "order status",
        "Did my refund go through?",
        "Have you refunded me yet?",
        "Where is my refund?",
        "Was my cancellation successful?",
        "Has my address been changed?",
        "Wurde meine Erstattung schon bearbeitet?",
        "Ich warte immer noch auf meine Erstattung",
        "Wo bleibt mein Paket?",
        "Sendung verfolgen",
    ],
)
def test_a_look_up_needs_no_question(text: str) -> None:
    chat = Chat()
    chat.send(text)
    assert [call.name for call in chat.asked] == ["order_status"]


def test_only_the_orders_asked_for_are_shown() -> None:
    words, _ = Chat().send("Where is my jacket?")
    assert words == "- WF-20444: Skarn rain jacket, L · paid, not packed yet · €50.00"


def test_an_unknown_order_number_is_looked_up_once() -> None:
    chat = Chat()
    assert chat.send("What is the status of order 99999?") == ("", [])
    assert [json.loads(call.arguments) for call in chat.asked] == [{}, {"order_id": "99999"}]


@pytest.mark.parametrize("more", [{"refunded": "€50.00"}, {"asked_for": [{"what": "Refund €50.00"}]}])
def test_the_look_up_is_the_answer_if_a_line_would_leave_out_a_refund(more: dict[str, Any]) -> None:
    orders = [{**order, "refunded": "€0.00", **(more if order["id"] == "WF-20404" else {})} for order in ORDERS]
    assert Chat(orders=orders).send("Did my refund for the stove go through?") == ("", [])
    words, _ = Chat(orders=orders).send("Where is my jacket?")
    assert words.startswith("- WF-20444")


@pytest.mark.parametrize("text", ["Did my last refund go through?", "Wo bleibt meine letzte Erstattung?"])
def test_the_last_refund_is_not_the_refund_of_the_last_order(text: str) -> None:
    chat = Chat()
    assert chat.send(text)[0] == ""
    assert [call.name for call in chat.asked] == ["order_status"]


def test_several_requests_are_called_together() -> None:
    _, calls = Chat().send("Please refund WF-20404 and cancel WF-20444. Thanks!")
    assert [(name, arguments["order_id"]) for name, arguments in calls] == [
        ("refund_order", "WF-20404"),
        ("cancel_order", "WF-20444"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Cancel WF-20444. And send WF-20404 to another address.",
        "Please send WF-20404 to a new address and cancel WF-20444",
    ],
)
def test_a_refused_call_does_not_hide_the_question_of_another_request(text: str) -> None:
    cancel = ToolCall("b", "cancel_order", json.dumps({"order_id": "WF-20444"}))
    refused = json.dumps({"refused": "No.", "fields": {"arguments": ["No."]}})
    messages = (
        ChatMessage("user", text),
        ChatMessage("assistant", "", (ToolCall("a", "order_status", "{}"), cancel)),
        ChatMessage("tool", json.dumps({"orders": ORDERS}), tool_call_id="a"),
        ChatMessage("tool", refused, tool_call_id="b"),
    )
    tools = (HUMAN, *catalogue())
    step = next_step(ModelRequest("answer", messages, tools, question=text, locale="en", is_answerable=False), "en")
    assert step is not None and step.text == say("address", "en")


def test_one_request_for_two_orders_makes_two_calls() -> None:
    _, calls = Chat().send("Bitte WF-20404 und WF-20418 erstatten")
    assert [arguments["order_id"] for _, arguments in calls] == ["WF-20404", "WF-20418"]


def test_the_refund_of_a_cancellation_is_not_a_second_call() -> None:
    _, calls = Chat().send("Cancel WF-20444 and give me my money back")
    assert [name for name, _ in calls] == ["cancel_order"]


def test_a_no_next_to_a_request_keeps_the_request() -> None:
    words, calls = Chat().send("Don't cancel WF-20444, just change its address please")
    assert calls == [] and words in (say("address", "en"), say("meant", "en", title="Change the delivery address"))


def test_a_request_for_a_person_comes_before_actions() -> None:
    _, [(name, _)] = Chat().send("I want to talk to a person about my refund for WF-20404")
    assert name == "request_human"


def test_the_words_of_an_actions_own_example_are_not_a_request_for_a_person() -> None:
    _, [(name, _)] = Chat().send("I need a technician")
    assert name == HUMAN.name
    asked, calls = hotel("book_visit", {"day": DAY}, "I need a technician").send("I need a technician")
    assert (asked, calls) == (say("date", "en", part="Day", example="31 May 2027"), [])


def test_a_new_action_is_detected_by_its_examples_alone() -> None:
    chat = Chat(tools=(HUMAN, *catalogue(), SKIP))
    words, calls = chat.send("Please pause my box")
    if words == say("meant", "en", title="Skip a box"):  # similar to its examples, but not enough to start at once
        words, calls = chat.send("yes please")
    assert (words, calls) == ("Please enter: Weeks.", [])
    assert Chat(tools=(HUMAN, *catalogue())).send("Could you skip the next box for me?")[1] == []
    assert Chat(tools=(SKIP,)).send("What does it cost to skip a box?")[1] == []


def test_a_tool_without_examples_is_never_called() -> None:
    assert Chat(tools=(HUMAN,)).send("Refund WF-20404")[1] == []


@pytest.mark.long
def test_a_wall_of_letters_is_not_a_request() -> None:
    for wall in ("x" * 6000, "refund and " * 600, "Straße 8 " * 700, "€ 1 " * 1500):
        assert len(Chat(orders=ORDERS).send(wall)[1]) <= 8


@pytest.mark.long
@pytest.mark.parametrize("wall", ["refund my order " + "\t" * 3980 + "?", "x\n" * 1990, "refund " + "1€ " * 1320])
def test_a_conversation_of_long_messages_is_read_quickly(wall: str) -> None:
    walls = [ChatMessage("user", wall), ChatMessage("assistant", "I did not find that.")] * 20
    with bounded(7):  # twelve seconds for the tabs, eight for the amounts
        Chat(messages=walls).send("and my refund?")


@pytest.mark.parametrize(
    "answers",
    [
        (),
        ("3",),
        ("3", "large box"),
        ("3", "large box", "C1234"),
    ],  # each of these asks for something: a number, a choice, a form, words
)
def test_another_request_in_place_of_an_answer_starts_that_request(answers: tuple[str, ...]) -> None:
    chat = Chat(tools=(HUMAN, SKIP, *catalogue()))
    for text in ("Please skip my next box", *answers):
        chat.send(text)
    _, [(action, arguments)] = chat.send("Please refund order WF-20404, it arrived broken")
    assert (action, arguments["order_id"]) == ("refund_order", "WF-20404")


@pytest.mark.parametrize(
    ("words", "note"),
    [("please cancel the rest", "please cancel the"), ("I want my money back", "I want my money back")],
)
def test_any_words_are_the_answer_where_any_words_are_asked_for(words: str, note: str) -> None:
    chat = Chat(tools=(HUMAN, SKIP, *catalogue()))
    for text in ("Please skip my next box", "3", "large box", "C1234"):
        chat.send(text)
    _, [(action, arguments)] = chat.send(words)
    assert (action, arguments["note"]) == ("skip_next_box", note)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "words",
    [
        "no bell, please knock", "the gate is stiff, ok?", "no, leave a note at the gate",
        "no, he should call me before delivery", "nein, einfach vor die Tür stellen", "non, laissez-le chez le voisin",
        "no, déjelo con el portero", "No dogs, the gate is open", "when nobody is home, put it behind the shed?",
        "why? because the bell is broken, knock", "wenn keiner da ist, hinter den Schuppen?",
        "where do you want it? on the bench is fine", "does the driver have a key? otherwise ring at 4",
        "where the blue bins are, behind the house", "what matters: keep it dry",
    ],
)  # fmt: skip
def test_an_answer_in_free_text_may_look_like_a_question_or_a_no(words: str) -> None:
    chat = Chat(tools=(HUMAN, NOTE, *catalogue()))
    chat.send("Leave a note for the driver")
    assert chat.send(words)[1] == [("leave_note", {"note": words})]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "words",
    [
        "how long does delivery take?", "why?", "was kostet der versand nach österreich", "hmm, is delivery free?",
        "no, how much is shipping to Austria?", "combien coûte la livraison ?", "what is the note for?",
        "no wait, which payment methods do you take?", "ach so, was kostet das eigentlich?", "can I pay by invoice?",
        "could you put it on the porch?", "how about behind the shed?", "Können Sie es beim Nachbarn abgeben?",
    ],
)  # fmt: skip
def test_a_question_that_no_page_answers_is_asked_about_before_it_becomes_free_text(words: str) -> None:
    chat = Chat(tools=(HUMAN, NOTE, *catalogue()))
    chat.send("Leave a note for the driver")
    assert chat.send(words)[1] == []
    assert [option["id"] for option in chat.blocks[0]["options"]] == ["leave_note", "only-asks"]
    assert chat.send(NOTE.title)[1] == [("leave_note", {"note": words})]


def test_a_question_that_the_pages_answer_is_not_taken_as_free_text() -> None:
    chat = Chat(tools=(HUMAN, NOTE, *catalogue()))
    chat.send("Leave a note for the driver")
    said = (*chat.messages, ChatMessage("user", "how long does delivery take?"))
    page = Source(1, "Delivery", "Delivery takes two days.", "en")
    request = ModelRequest("answer", said, tuple(chat.tools), sources=(page,), question=said[-1].content)
    assert next_step(request, "en") is None
    assert next_step(replace(request, sources=()), "en") is not None


@pytest.mark.parametrize(
    "words",
    ["No, please leave it with the neighbour", "Nein, bitte beim Nachbarn abgeben", "no, just put it in the garage"],
)
def test_words_that_sound_like_another_action_after_a_no_may_still_be_the_answer(words: str) -> None:
    chat = Chat(tools=(HUMAN, NOTE, *catalogue()))
    chat.send("Leave a note for the driver")
    assert chat.send(words)[1] == []
    options = [option["id"] for option in chat.blocks[0]["options"]]
    assert options == ["change_shipping_address", "leave_note", "only-asks"]
    assert chat.send(NOTE.title)[1] == [("leave_note", {"note": words})]


def test_another_action_after_a_no_begins_once_it_is_chosen() -> None:
    chat = Chat(tools=(HUMAN, NOTE, *catalogue()))
    chat.send("Leave a note for the driver")
    chat.send("never mind, I want to cancel my order")
    assert chat.send("Cancel an order")[0].startswith(say("which_of_these", "en"))


def test_words_instead_of_a_choice_are_the_answer_in_free_text() -> None:
    for words in ("how about behind the shed?", "No, please leave it with the neighbour"):
        chat = Chat(tools=(HUMAN, NOTE, *catalogue()))
        chat.send("Leave a note for the driver")
        chat.send(words)
        assert chat.send("Ring twice")[1] == [("leave_note", {"note": "Ring twice"})]


def test_a_question_alone_is_not_an_answer_in_free_text() -> None:
    chat = Chat(tools=(HUMAN, NOTE, *catalogue()))
    chat.send("Leave a note for the driver")
    chat.send("how about behind the shed?")
    assert chat.send(say("only_asks", "en"))[1] == []


def test_a_no_where_words_may_be_another_action_asks_for_them_again() -> None:
    chat = Chat(tools=(HUMAN, NOTE, *catalogue()))
    asked, _ = chat.send("Leave a note for the driver")
    chat.send("No, please leave it with the neighbour")
    assert chat.send("No") == (asked, [])
    assert chat.send("Ring twice")[1] == [("leave_note", {"note": "Ring twice"})]


def test_text_after_a_withdrawal_is_not_taken_as_free_text() -> None:
    for words in ("forget it, I'd rather get my money back for WF-20404", "egal, wo bleibt mein Paket?"):
        chat = Chat(tools=(HUMAN, NOTE, *catalogue()))
        chat.send("Leave a note for the driver")
        _, calls = chat.send(words)
        assert chat.asked and "leave_note" not in {name for name, _ in calls}


def test_a_doubtful_request_in_a_question_is_asked_about_before_it_becomes_free_text() -> None:
    chat = Chat(tools=(HUMAN, NOTE, *catalogue()))
    asked, _ = chat.send("Leave a note for the driver")
    # Its scores differ by about 0.01 between kinds of processor; this wording stays away from the thresholds.
    offer, calls = chat.send("oh wait, can I still cancel the order?")
    assert offer == say("meant", "en", title="Cancel an order") and calls == []
    assert chat.send("No") == (asked, [])


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("This is ridiculous, my mug arrived broken!!", "en"),
        ("Das ist eine Frechheit, meine Tasse kam kaputt an!!", "de"),
        ("C'est ridicule, ma tasse est arrivée cassée !!", "fr"),
    ],
)
def test_an_angry_customer_is_offered_a_person_before_an_action(text: str, language: str) -> None:
    chat = Chat(tools=(HUMAN, *catalogue()))
    offer, calls = chat.send(text)
    first, _, question = offer.partition("\n\n")
    assert first == say("complaint", language) and calls == []
    assert question == say("meant", language, title="Refund an order")
    after_yes, calls = chat.send("yes")  # the answer to the last question
    assert after_yes.startswith(say("which_of_these", "en")) and calls == []


BROKEN = "I want a refund, it arrived broken"


def test_a_complaint_gets_regret_and_the_offer_of_a_person_before_its_card() -> None:
    chat = Chat(orders=ORDERS[:1])
    words, [(action, arguments)] = chat.send(BROKEN)
    assert (words, action, arguments["order_id"]) == (say("complaint", "en"), "refund_order", "WF-20404")


@pytest.mark.parametrize(
    ("asked", "yes", "language"),
    [(BROKEN, "yes", "en"), ("Ich will mein Geld zurück, der Kocher ist kaputt angekommen!", "ja bitte", "de")],
)
def test_a_yes_below_a_card_with_an_apology_points_to_its_button_and_offers_a_person(
    asked: str, yes: str, language: str
) -> None:
    chat = Chat(orders=ORDERS[:1], locale=language)
    words, [(action, _)] = chat.send(asked)
    assert (words, action) == (say("complaint", language), "refund_order")
    chat.tools = (HUMAN, WITHDRAW, *catalogue())  # the card waits
    assert chat.send(yes) == (f"{say('use_card', language)} {say('offer', language)}", [])
    assert [name for name, _ in chat.send(yes)[1]] == ["request_human"]  # the answer to the only question


def test_a_yes_to_an_apology_requests_a_person_once_the_card_has_ended() -> None:
    chat = Chat(orders=ORDERS[:1])
    chat.send(BROKEN)
    assert [name for name, _ in chat.send("yes")[1]] == ["request_human"]


def test_a_yes_to_a_later_offer_of_a_person_is_not_taken_for_the_card() -> None:
    chat = Chat(orders=ORDERS[:1])
    chat.send(BROKEN)
    chat.tools = (HUMAN, WITHDRAW, *catalogue())
    chat.messages += [ChatMessage("user", "Do you sell kayaks?"), ChatMessage("assistant", say("not_found", "en"))]
    assert [name for name, _ in chat.send("yes")[1]] == ["request_human"]


def test_a_card_without_a_complaint_has_no_regret() -> None:
    assert Chat().send("I want a refund for order WF-20418")[0] == ""


def test_a_look_up_before_the_card_says_nothing() -> None:
    first = ModelRequest("answer", (ChatMessage("user", BROKEN),), (HUMAN, *catalogue()), question=BROKEN)
    assert (reply_to(first).text, [call.name for call in reply_to(first).calls]) == ("", ["order_status"])


def test_regret_is_expressed_once_if_a_card_is_refused() -> None:
    chat = hotel("refund_stay", {"amount": {"type": "string", "title": "Amount"}}, BROKEN)
    refused = ChatMessage("tool", json.dumps({"refused": "?", "fields": {"amount": ["?"]}}), tool_call_id="1")
    called = ChatMessage("assistant", "", (ToolCall("1", "refund_stay", json.dumps({"amount": "1"})),))
    said = (ChatMessage("user", BROKEN),)
    before, after = (
        reply_to(ModelRequest("answer", messages, tuple(chat.tools), question=BROKEN)).text
        for messages in (said, (*said, called, refused))
    )
    assert before.startswith(say("regret", "en")) and not after.startswith(say("regret", "en"))
    assert before.endswith(after)


def test_words_start_another_action_while_a_number_is_asked_for() -> None:
    chat = Chat(tools=(HUMAN, SKIP, *catalogue()))
    chat.send("Please skip my next box")
    assert chat.send("I need another delivery address")[0].startswith(say("which_of_these", "en"))


NOTE = ToolSpec(
    "leave_note", "?",
    {"type": "object", "properties": {"note": {"type": "string", "title": "Note"}}, "required": ["note"]},
    title="Leave a note", examples=("Leave a note for the driver", "Tell the driver where to leave it"),
)  # fmt: skip
DEPOSIT = ToolSpec(
    "release_deposit", "?",
    {"type": "object", "properties": {"booking": {"type": "string", "pattern": "^[A-Z0-9]{6}$"}},
     "required": ["booking"]},
    title="Get the deposit back", examples=("Where is my deposit?", "I want my deposit back"),
)  # fmt: skip


def test_a_possible_new_request_is_asked_about_before_it_becomes_a_value() -> None:
    chat = Chat(tools=(HUMAN, SKIP, DEPOSIT))
    for text in ("Please skip my next box", "3", "large box", "C1234"):
        chat.send(text)
    offer, calls = chat.send("QQ11RR deposit not here yet")  # the reply may begin with an apology
    assert offer.endswith(say("meant", "en", title=DEPOSIT.title)) and calls == []
    assert chat.send(DEPOSIT.title)[1] == [("release_deposit", {"booking": "QQ11RR"})]


REPORT = ToolSpec(
    "report_damage", "?",
    {"type": "object", "properties": {"story": {"type": "string", "title": "What happened"}}, "required": ["story"]},
    title="Report damage", examples=("I need to report damage", "Something I bought is damaged"),
)  # fmt: skip


@pytest.mark.parametrize(
    "story",
    [
        "My order WF-20404 was damaged",
        "The stove in WF-20404 is dented, and the lid of it does not close any more",
        "I opened WF-20404 and half of the pegs were missing",
    ],
)
def test_a_story_with_an_order_number_is_taken_as_the_answer(story: str) -> None:
    chat = Chat(tools=(HUMAN, REPORT, *catalogue()))
    chat.send("I need to report damage")
    assert chat.send(story) == ("", [("report_damage", {"story": story})])


def test_a_no_to_an_offer_during_a_question_repeats_the_question() -> None:
    chat = Chat(tools=(HUMAN, SKIP, DEPOSIT))
    for text in ("Please skip my next box", "3", "large box", "C1234"):
        asked, _ = chat.send(text)
    offer, calls = chat.send("QQ11RR deposit not here yet")  # the reply may begin with an apology
    assert offer.endswith(say("meant", "en", title=DEPOSIT.title)) and calls == []
    assert chat.send("No") == (asked, [])
    _, [(action, arguments)] = chat.send("Leave it at the door")
    assert (action, arguments["note"]) == ("skip_next_box", "Leave it at the door")


DENT = "The parcel WF-20404 arrived with a dent in the lid and the burner is bent, I want a refund for it"


def test_a_long_story_that_requests_something_else_is_asked_about_and_ends_nothing() -> None:
    chat = Chat(tools=(HUMAN, REPORT, *catalogue()))
    asked, _ = chat.send("I need to report damage")
    offer, calls = chat.send(DENT)
    assert offer.endswith(say("meant", "en", title="Refund an order")) and calls == []
    assert chat.send("No") == (asked, [])
    _, [(action, _)] = chat.send("The lid is dented")
    assert action == "report_damage"


def test_a_yes_to_the_request_in_a_long_story_starts_it() -> None:
    chat = Chat(tools=(HUMAN, REPORT, *catalogue()))
    for text in ("I need to report damage", DENT):
        chat.send(text)
    _, [(action, arguments)] = chat.send("Yes please")
    assert (action, arguments["order_id"]) == ("refund_order", "WF-20404")
