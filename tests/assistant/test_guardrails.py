"""Lines a model has tried, or may try: what must never stand in an answer, and what must."""

from time import process_time

import pytest

from kb.search import Passage
from supportbot.assistant.drafting import Draft
from supportbot.assistant.guardrails.claims import claims_something_done
from supportbot.assistant.guardrails.links import links_in
from supportbot.assistant.guardrails.quantities import Quantity, quantities_in
from supportbot.chat.answers import Answer
from supportbot.language.normalise import shown_text, undisguised

from .test_drafting import passage

ENGLISH = (
    "## Returns\n\nYou can return unused items within **60 days** of delivery. Use the label in *Your orders*. Your "
    "refund is paid within 5 working days after we received the parcel. If your order is cancelled before dispatch, "
    "nothing is charged. Once we have refunded you, an e-mail is sent. We transfer the money to the account you paid "
    "with. You can cancel your order in Your orders until it ships. To change the shipping address, open Your orders."
    "\n\n- Gift cards cannot be returned.\n- No opened software can be returned.\n"
)
GERMAN = (
    "## Rückgabe\n\nSie können unbenutzte Artikel innerhalb von 60 Tagen zurückgeben. Wir überweisen das Geld auf das "
    "Konto, mit dem Sie bezahlt haben. Ihre Erstattung dauert 5 Werktage.\n"
)
SOURCES: dict[str, Passage] = {"en": passage(ENGLISH), "de": passage(GERMAN, locale="de")}


def answered(text: str, *, language: str = "en", said: str = "", source: str = "") -> Answer:
    draft = Draft((SOURCES[source or language],), language, (said,))
    for start in range(0, len(text), 7):
        draft.write(text[start : start + 7])
    draft.finish()
    return draft.answer(by="model")


WITHHELD = [
    ("en", "Sure, your money is already on its way back to you."),
    ("en", "Of course, your package now goes to your new address."),
    ("en", "Certainly, I took care of the refund."),
    ("en", "Okay, all taken care of."),
    ("en", "Thanks, you have your money back."),
    ("en", "Sure, paid out."),
    ("en", "I reversed the charge, anything else?"),
    ("en", "Your refund of fifty euros is paid, is there anything else?"),
    ("en", "Shall I tell you that your order was voided and the money is yours?"),
    ("en", "Let me tell you: your refund of fifty euros left our bank today."),
    ("en", "If you like, we give you a full refund plus fifty euros."),
    ("en", "I can help: you get fifty euros back today."),
    ("en", "Let me be clear: our warranty covers water damage for life."),
    ("en", "I can help you with that: opened software is returnable."),
    ("en", "I couldn't be happier: all purchases include free lifetime insurance."),
    ("en", "Do you know that shipping is always free?"),
    ("en", "I have transferred the money to the account you paid with. [1]"),
    ("en", "Your refund has arrived in Your orders. [1]"),
    ("en", "Your refund was paid after we received the parcel. [1]"),
    ("en", "Your order is cancelled. [1]"),
    ("en", "Your order is cancelled before dispatch."),
    ("en", "We have refunded you. [1]"),
    ("en", "nothing is charged"),
    ("en", "Opened software can be returned. [1]"),
    ("en", "Gift cards can be returned. [1]"),
    ("en", "You cannot return unused items within 60 days of delivery. [1]"),
    ("en", "I have ref\u200bunded the money to the account you paid with. [1]"),
    ("en", "I have r\u0435funded the money to the account you paid with. [1]"),
    ("en", "You can return unused items within 60 days of delivery and we pay a bonus holiday too. [1]"),
    ("en", "Let me check.Opened software is returnable and shipping is free forever."),
    ("en", "Your refund of 5.000 EUR is paid after we received the parcel. [1]"),
    ("en", "Your refund of 60 EUR is paid within 5 working days after we received the parcel. [1]"),
    ("en", "Your refund is paid within five thousand working days after we received the parcel. [1]"),
    ("en", "You can return unused items within 5 days of delivery. [1]"),
    ("en", "Please share your card number with refunds@evil.com."),
    ("en", "Please share your card details at evil.com/pay."),
    ("en", "Sure, just visit evil.com and log in."),
    ("en", "Sure, see [here](/admin/logout)."),
    ("en", "Sure, [click](javascript:alert) now."),
    ("en", "Use the label in *Your orders*, see evil.com/pay. [1]"),
    ("de", "Gern, das Geld ist schon unterwegs."),
    ("de", "Natürlich, Ihr Geld ist auf dem Weg zu Ihnen."),
    ("de", "Gern, ich kümmere mich um die Rückzahlung, sie kommt morgen."),
    ("de", "Entschuldigung, die Bestellung ist gelöscht."),
    ("de", "Ich kann Ihnen helfen: Sie bekommen fünfzig Euro zurück."),
    ("de", "Möchten Sie wissen, dass Ihre Bestellung gestrichen ist?"),
    ("de", "Wir haben das Geld auf das Konto zurückgezahlt, mit dem Sie bezahlt haben. [1]"),
    ("de", "Das Geld ist auf das Konto eingegangen, mit dem Sie bezahlt haben. [1]"),
    ("de", "Ich habe das Geld auf das Konto zurückgebucht, mit dem Sie bezahlt haben. [1]"),
    ("de", "Dazu habe ich die Rückzahlung angestoßen."),
    ("de", "Ihre Erstattung ist ausgeführt, sonst noch etwas?"),
    ("de", "Sie können unbenutzte Artikel innerhalb von zwei Monaten zurückgeben. [1]"),
]


@pytest.mark.parametrize(("language", "line"), WITHHELD)
def test_a_line_that_may_deceive_is_withheld(language: str, line: str) -> None:
    answer = answered(line, language=language)
    assert answer.is_abstention
    assert answer.citations == ()


KEPT = [
    ("en", "Got it."),
    ("en", "No problem."),
    ("en", "Great question!"),
    ("en", "Happy to help!"),
    ("en", "Have a nice day!"),
    ("en", "I understand how frustrating that is."),
    ("en", "I hope this helps!"),
    ("en", "Sorry, that went wrong. Please try again."),
    ("en", "Could you give me your order number? It starts with W."),
    ("en", "We will be happy to help."),
    ("en", "To be sure I get it right, is the item unused?"),
    ("en", "Do you mean the return label, or the return period?"),
    ("en", "I'm sorry to hear that your item arrived broken. Let's get this sorted out."),
    ("en", "I cannot help with that, a person can."),
    ("en", "Has your parcel arrived?"),
    ("en", "You can return unused items within sixty days of delivery. [1]"),
    ("en", "Yes. You can return unused items within 60 days of delivery. [1]"),
    ("en", "**Returns:** You can return unused items within 60 days of delivery. [1]"),
    ("en", "You will get your refund within 5 working days after we received the parcel. [1]"),
    ("en", "Once your parcel has been received, your refund is processed within 5 working days. [1]"),
    ("en", "You can return unused items within 60 days of delivery [1], and gift cards cannot be returned [1]."),
    ("de", "Kein Problem."),
    ("de", "Alles klar."),
    ("de", "Ich verstehe."),
    ("de", "Ich helfe Ihnen gern weiter."),
    ("de", "Schönen Tag noch!"),
    ("de", "Können Sie mir Ihre Bestellnummer nennen? Sie beginnt mit W."),
    ("de", "Ihre Erstattung dauert fünf Werktage. [1]"),
]


@pytest.mark.parametrize(("language", "line"), KEPT)
def test_courtesy_questions_and_true_lines_are_kept(language: str, line: str) -> None:
    answer = answered(line, language=language)
    assert line.split(" [1]")[0] in answer.text
    assert not answer.offers_human


@pytest.mark.parametrize("marker", ["[1]", "[Source 1]", "[^1]", "(1)", "【1†source】", "[1-2]"])
def test_common_ways_to_name_a_source_are_read(marker: str) -> None:
    answer = answered(f"You can return unused items within 60 days of delivery {marker}.")
    assert answer.text == "You can return unused items within 60 days of delivery [1]."
    assert len(answer.citations) == 1


@pytest.mark.parametrize("mark", ["1. ", "2) ", "Step 1: ", "a) ", "- "])
def test_the_number_of_a_step_is_no_amount(mark: str) -> None:
    assert "Use the label" in answered(f"{mark}Use the label in Your orders. [1]").text


def test_what_the_customer_said_names_their_order_and_proves_nothing() -> None:
    said = "I want 500 EUR for order 20418, see https://evil.example/x"
    assert "20418" in answered("I cannot see order 20418.", said=said).text
    assert "500" in answered("Do you want 500 EUR for order 20418?", said=said).text
    for line in (
        "Your refund is 500 EUR. [1]",
        "Use the label in Your orders for 500 EUR. [1]",
        "See https://evil.example/x",
    ):
        assert answered(line, said=said).is_abstention


def test_small_talk_that_is_withheld_does_not_cost_the_answer() -> None:
    answer = answered("Hello! Your question is great. What would you like to know?")
    assert answer.text.startswith("Hello!")
    assert answer.text.endswith("What would you like to know?")


def test_a_fact_withheld_beside_small_talk_is_not_passed_over() -> None:
    assert answered("Hello! Penguins live in Antarctica. What would you like to know?").is_abstention


@pytest.mark.parametrize(
    "claim", ["Your parcel is lost and you owe us nothing. [1]", "We transfer your money to any account you name. [1]"]
)
def test_a_source_in_another_language_bears_no_claim(claim: str) -> None:
    assert answered(claim, source="de").is_abstention


def test_a_source_in_another_language_is_cited_by_the_sentence_with_the_same_number() -> None:
    [span] = answered("Your refund takes 5 working days. [1]", source="de").citations
    assert span.quote == "Ihre Erstattung dauert 5 Werktage."


def test_a_sentence_without_end_is_withheld_whole() -> None:
    words = "as you wished and as is our pleasure and custom here, " * 8
    assert answered(f"I have, {words}refunded it all to the account you paid with. [1]").is_abstention


def test_a_word_without_end_is_checked_in_a_moment() -> None:
    started = process_time()
    answered(f"I cannot find {'a' * 45} 1.")
    assert process_time() - started < 3  # twenty seconds where it might be read as any eight words


@pytest.mark.parametrize("wall", ["habe ich " + "1." * 4_000, "refund " + "a-" * 6_000])
def test_a_wall_of_a_model_is_no_claim_in_a_moment(wall: str) -> None:
    started = process_time()
    assert not claims_something_done(wall)
    assert process_time() - started < 2  # four seconds where each sign might begin an amount or a clause


def test_walls_of_a_customer_are_read_in_a_moment() -> None:
    said = [f"5 euro {'я' * 3990}"] * 20
    started = process_time()
    Draft((SOURCES["en"],), "en", said)
    assert process_time() - started < 3  # forty seconds where each letter might begin a number


def test_what_is_shown_after_a_withheld_sentence_does_not_grow_onto_it() -> None:
    draft = Draft((SOURCES["en"],), "en")
    for piece in ("Software is always fine", ", nobody checks it at all. ", "Yes! ", "You"):
        draft.write(piece)
    assert draft.answer(by="model", is_stopped=True).text.endswith("it at all. Yes!")


def test_nothing_unstorable_or_invisible_is_shown() -> None:
    assert shown_text("a\x00b\u200bc\ud800d\x1b\u202ee\n\tf") == "abcde\n\tf"
    draft = Draft((), "en")
    assert draft.write("Hel\x00lo\ud83d! ") + draft.finish() == "Hello! "


def test_letters_that_look_alike_are_read_alike() -> None:
    assert undisguised("r\u0435fund\u0435d") == "refunded"
    assert undisguised("ｒｅｆｕｎｄ\u00aded") == "refunded"
    assert undisguised("Größe für Ärzte") == "Größe für Ärzte"


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("5.000 EUR", "5000", "eur"),
        ("1.234,50 €", "1234.5", "eur"),
        ("$50", "50", "usd"),
        ("fifty euros", "50", "eur"),
        ("fünfundzwanzig Euro", "25", "eur"),
        ("five hundred euros", "500", "eur"),
        ("fünf Werktage", "5", "workday"),
        ("60 days", "60", "day"),
        ("20 Prozent", "20", "percent"),
        ("49,90", "49.9", ""),
    ],
)
def test_numbers_are_read_with_their_unit(text: str, value: str, unit: str) -> None:
    assert quantities_in(text) == {Quantity(value, unit)}


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see evil.com/pay.", {"evil.com/pay"}),
        ("https://www.Example.org/a/", {"example.org/a"}),
        ("write to a@b.example", {"a@b.example"}),
        ("[x](/admin)", {"/admin"}),
        ("javascript:alert", {"javascript:alert"}),
        ("at 9:00, e.g. today, z.B. so; **Returns:** soon", set()),
    ],
)
def test_addresses_are_seen_with_and_without_a_scheme(text: str, links: set[str]) -> None:
    assert links_in(text) == links
