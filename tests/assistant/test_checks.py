"""Which statements of a model about actions, figures and links are shown, and how many true sentences are withheld."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from kb.search import Passage
from supportbot.assistant.checked_stream import CheckedStream
from supportbot.assistant.checks.cross_encoders import DATA
from supportbot.assistant.checks.sentence_kinds import Opening
from supportbot.chat.answers import Answer
from supportbot.language.normalise import fold_homoglyphs

from .test_checked_stream import finished, passage, stream

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
DONE = "We refunded €79.00 for order WF-20410. Your reference is RF-B2IP-0410."
# The form for actions without a sentence of their own, and formerly for all actions.
SUMMARY_DONE = "Done: Refund €79.00 for order WF-20410. Your reference is RF-B2IP-0410."


def streaming_answer(
    language: str = "en", *, said: str = "", source: str = "", done: Sequence[str] = ()
) -> CheckedStream:
    return CheckedStream((SOURCES[source or language],), language, (said,), done=done)


def answered(text: str, *, language: str = "en", said: str = "", source: str = "") -> Answer:
    return finished(streaming_answer(language, said=said, source=source), text)


# Written by other people before the classifier existed, and not part of its training data.
DEEDS = [
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
    ("en", "I have transferred the money to the account you paid with. [1]"),
    ("en", "Your refund has arrived in Your orders. [1]"),
    ("en", "Your refund was paid after we received the parcel. [1]"),
    ("en", "Your order is cancelled. [1]"),
    ("en", "We have refunded you. [1]"),
    ("en", "I have ref\u200bunded the money to the account you paid with. [1]"),
    ("en", "I have r\u0435funded the money to the account you paid with. [1]"),
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
]
HONEST = [
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


def is_withheld(language: str, line: str) -> bool:
    return bool(answered(line, language=language).withheld)


@pytest.mark.long
def test_false_claims_and_promises_are_withheld_and_honest_sentences_are_not() -> None:
    missed = [line for language, line in DEEDS if not is_withheld(language, line)]
    assert len(missed) <= len(DEEDS) * 0.2, missed
    lost = [line for language, line in HONEST if answered(line, language=language).withheld]
    assert len(lost) <= len(HONEST) * 0.15, lost


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "claim",
    [
        "I have refunded your order.", "Your refund has been issued.", "We have cancelled it for you.",
        "I will refund the full amount today.", "Ich habe Ihre Bestellung storniert.",
        "Ihre Erstattung wurde veranlasst.",
        "Nous avons remboursé votre commande.", "Hemos cancelado su pedido.", "Abbiamo rimborsato il suo ordine.",
        "We hebben uw bestelling geannuleerd.", "Anulowaliśmy Pana zamówienie.", "Cancelámos a sua encomenda.",
        "Siparişinizi iptal ettik.",
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, 1000])
def test_a_plain_claim_never_reaches_the_customer(claim: str, step: int) -> None:
    streamed = streaming_answer()
    answer = finished(streamed, f"Hello. {claim} Anything else?", step=step)
    assert [one.text for one in answer.withheld] == [claim]
    assert claim not in streamed.shown
    assert claim not in answer.text


@pytest.mark.one_in(2)
@pytest.mark.parametrize("record", [DONE, SUMMARY_DONE])
@pytest.mark.parametrize(
    "line",
    [
        "I have refunded 79.00 EUR for your order WF-20410.",
        "Your refund of €79.00 for order WF-20410 has been issued.",
        "Your refund went through, the reference is RF-B2IP-0410.",
        "Ihre 79,00 € für WF-20410 wurden erstattet.",
    ],
)
def test_a_record_may_be_paraphrased(line: str, record: str) -> None:
    answer = finished(streaming_answer(done=[record]), line)
    assert answer.text == line
    assert answer.is_confirmed is not False
    assert finished(streaming_answer(), line).is_abstention


@pytest.mark.parametrize(
    "line",
    [
        "Your refund of €97.00 for order WF-20410 has been issued.",
        "Your refund of €79.00 for order WF-20411 has been issued.",
        "We have upgraded your hotel room to a suite.",
    ],
)
def test_a_claim_of_an_action_without_a_record_is_withheld(line: str) -> None:
    assert finished(streaming_answer(done=[DONE]), line).is_abstention


# The record, a true sentence, and one with the same order and figures but another action or outcome.
RECORDED = [
    ("en", "We cancelled order WF-20410.", "WF-20410 won't be coming any more.", "WF-20410 has been paid back to you."),
    ("en", "We changed the delivery address of order WF-20410 to Ada, 14 Mill Lane, T12 Cork, IE.",
     "WF-20410 is going to 14 Mill Lane now.", "WF-20410 has been cancelled."),
    ("de", "Wir haben die Lieferadresse der Bestellung WF-20410 geändert in: Ada, Neue Straße 5, 50823 Köln, DE.",
     "Die Lieferadresse von WF-20410 ist geändert.", "WF-20410 ist storniert."),
    ("fr", "Nous avons remplacé l’adresse de livraison de la commande WF-20410 par celle-ci\u00a0: Ada, 3 rue du Lac, "
     "67000 Strasbourg, FR.", "L'adresse de livraison de WF-20410 a été changée.", "WF-20410 a été annulée."),
    ("ar", "لقد غيرنا عنوان توصيل الطلب WF-20410 إلى: Ada, 14 Mill Lane, T12 Cork, IE.",
     "لقد غيّرنا عنوان توصيل طلبك WF-20410.", "تم إلغاء الطلب WF-20410."),
    ("ar", "لقد غيّرنا عنوان توصيل الطلب WF-20410 إلى: Ada, 14 Mill Lane, T12 Cork, IE.",
     "لقد غيرنا عنوان توصيل طلبك WF-20410.", "تمّ إلغاء الطلب WF-20410."),
    ("de", "Etikett für die Rücksendung von Bestellung 4711 erstellt.", "Das Rücksendeetikett für 4711 ist fertig.",
     "Bestellung 4711 habe ich Ihnen erstattet."),
    ("fr", "Remboursement de 20 € demandé, en attente de validation.",
     "J'ai demandé le remboursement de 20 €, un collègue doit le valider.", "Les 20 € vous ont été remboursés."),
    ("es", "Hecho: Pausar la suscripción AB-770 hasta el 1 de marzo.", "AB-770 queda en pausa hasta el 1 de marzo.",
     "AB-770 se ha dado de baja el 1 de marzo."),
    ("nl", "Bestelling 4711 bekeken: in behandeling, € 30,00.", "Je bestelling 4711 is nog in behandeling.",
     "Bestelling 4711 heb ik voor je geannuleerd."),
    ("en", "Done: Milk delivery ML-3 paused until 1 May.", "Your milk delivery ML-3 is paused until 1 May.",
     "Your milk delivery ML-3 has been cancelled."),
    ("fr", "Fait : permis de pêche PP-41 prolongé jusqu'au 30 juin.",
     "Votre permis de pêche est valable jusqu'au 30 juin.", "Le permis de pêche PP-41 a été retiré."),
    ("pl", "Done: Pool pass PP-9 paused until 1 September.", "Karnet PP-9 jest wstrzymany do 1 września.",
     "Karnet PP-9 został anulowany."),
    ("nl", "Waiting for approval: refund of €30.00 for ticket TK-4.",
     "De terugbetaling van € 30,00 wacht nog op goedkeuring.", "De € 30,00 is aan u terugbetaald."),
    ("it", "Done: Gym pass AM-12 paused until 3 June.", "L'abbonamento AM-12 è in pausa fino al 3 giugno.",
     "L'abbonamento AM-12 è stato disdetto il 3 giugno."),
]  # fmt: skip


@pytest.mark.one_in(4)
@pytest.mark.parametrize(("language", "record", "true", "false"), RECORDED)
def test_a_record_does_not_confirm_another_action_or_outcome_for_the_same_order(
    language: str, record: str, true: str, false: str
) -> None:
    assert finished(streaming_answer(language, source="en", done=[record]), true).text == true
    assert finished(streaming_answer(language, source="en", done=[record]), false).is_abstention


# The record, a true sentence, and the same sentence followed by another action or a promise.
ADDED = [
    ("en", "Done: Cancel booking LK-4407. No charge.", "I've called off your stay under LK-4407.",
     "Booking LK-4407 is cancelled, and I've credited your points."),
    ("de", "Erledigt: Karte mit der Endung 4471 gesperrt.", "Ich habe die Karte 4471 gesperrt.",
     "Die Karte 4471 ist gesperrt und die Gebühr haben wir Ihnen erlassen."),
    ("es", "Hecho: Cambiar la cita CT-771 al 14 de mayo.", "He movido la cita al 14 de mayo.",
     "La cita está cambiada y el informe ya se lo hemos mandado."),
    ("pl", "Wykonano: Zmiana miejsca na bilecie BL-6610 na rząd 4.", "Zmieniłem miejsce na bilecie BL-6610.",
     "Miejsce jest zmienione, a opłatę umorzyliśmy."),
]  # fmt: skip


@pytest.mark.one_in(4)
@pytest.mark.parametrize(("language", "record", "true", "added"), ADDED)
def test_a_record_does_not_confirm_a_second_action_in_the_same_sentence(
    language: str, record: str, true: str, added: str
) -> None:
    assert finished(streaming_answer(language, source="en", done=[record]), true).text == true
    assert finished(streaming_answer(language, source="en", done=[record]), added).is_abstention


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("You can return unused items within 90 days of delivery. [1]", "figure"),
        ("Your refund of 5.000 EUR is paid after we received the parcel. [1]", "figure"),
        ("Sie können unbenutzte Artikel innerhalb von zwei Monaten zurückgeben. [1]", "figure"),
        ("Use the discount SAVE20 in Your orders. [1]", "code"),
        ("Use the discount FREESHIP in Your orders. [1]", "code"),
        ("Use the label in Your orders, see evil.com/pay. [1]", "link"),
        ("See [your orders](/admin/logout). [1]", "link"),
        ("Click [here](javascript:alert) now.", "link"),
        ("Your card 4111 1111 1111 1111 was used.", "secret"),
        ("Your r\u0435fund is p\u0430id within 5 working days after we received it.", "disguise"),
    ],
)
def test_hard_checks_apply_whatever_the_strictness(line: str, code: str) -> None:
    for strictness in ("strict", "balanced", "open"):
        streamed = CheckedStream((SOURCES["en"], SOURCES["de"]), "en", strictness=strictness)  # type: ignore[arg-type]
        answer = finished(streamed, f"Use the label in Your orders. [1] {line}")
        assert code in [one.code for one in answer.withheld]
        assert line.removesuffix(" [1]") not in answer.text


def test_wording_alone_withholds_nothing_but_decides_whether_the_answer_is_confirmed() -> None:
    told = "Penguins live in Antarctica and eat mostly krill, squid and small fish."
    balanced = finished(CheckedStream((SOURCES["en"],), "en"), f"{told} [1]")
    assert balanced.text.startswith(told)
    assert "do not confirm" in balanced.text
    assert (balanced.is_confirmed, balanced.offers_human, balanced.citations) == (False, True, ())
    assert finished(CheckedStream((SOURCES["en"],), "en", strictness="open"), told).text == told
    strict = finished(CheckedStream((SOURCES["en"],), "en", strictness="strict"), told)
    assert strict.is_abstention
    assert told in [one.text for one in strict.withheld]


@pytest.mark.parametrize(
    "told",
    [
        "It is a MP3 file from NASA, made in HTML5.",
        "Words of a Random Access Memory Of Nowhere (RAMON) are rare.",
        "Here you are: WELCOME10.",
        "PLEASE READ THE LABEL OF YOUR PARCEL FIRST.",
    ],
)
def test_an_abbreviation_or_word_in_capitals_is_not_a_code(told: str) -> None:
    assert not answered(told, said="I have WELCOME10").withheld


@pytest.mark.parametrize("told", ["wibble frotz quux", "Banana purple wobble.", "xk jq zz pp"])
def test_words_that_are_in_no_source_are_not_shown_as_an_answer(told: str) -> None:
    answer = answered(told)
    assert answer.is_abstention or answer.is_confirmed is False


def test_punctuation_alone_is_not_an_answer() -> None:
    assert answered("!!! ??? …").is_abstention


def test_an_answer_that_the_pages_support_is_confirmed_and_cited() -> None:
    answer = answered("Unused items may be returned within 60 days after delivery [1].")
    assert answer.is_confirmed is True
    assert len(answer.citations) == 1
    assert answered("Happy to help! What would you like to know?").is_confirmed is None


def test_a_withheld_step_leaves_a_mark_in_its_place() -> None:
    text = "1. Use the label in Your orders. [1]\n2. Pay at evil.com/pay first.\n3. You can return unused items. [1]\n"
    answer = answered(text)
    assert answer.text.splitlines()[1] == "2. (left out: our help pages do not say this)"
    assert "3. You can return" in answer.text


def test_a_list_whose_introduction_is_withheld_says_so() -> None:
    answer = answered("Within 90 days of delivery:\n- Use the label in Your orders. [1]\n")
    assert answer.text.splitlines()[0] == "(left out: our help pages do not say this)"


@pytest.mark.parametrize("marker", ["[1]", "[Source 1]", "[^1]", "(1)", "【1†source】", "[1-2]"])
def test_common_citation_styles_are_understood(marker: str) -> None:
    answer = answered(f"You can return unused items within 60 days of delivery {marker}.")
    assert answer.text == "You can return unused items within 60 days of delivery [1]."
    assert len(answer.citations) == 1


def test_numbers_of_several_steps_in_one_line_are_not_amounts() -> None:
    steps = "1. Use the label in Your orders 2.[1] Open the shipping address 3.[1] Cancel before dispatch 4.[1] Return"
    answer = answered(steps)
    assert not answer.withheld
    assert answered(steps.replace(" 3.", " 7.")).withheld


@pytest.mark.parametrize("mark", ["1. ", "2) ", "Step 1: ", "a) ", "- "])
def test_the_number_of_a_step_is_not_an_amount(mark: str) -> None:
    assert "Use the label" in answered(f"{mark}Use the label in Your orders. [1]").text


def test_the_customers_words_may_be_repeated_except_their_links() -> None:
    said = "I want 500 EUR for order 20418, write to me@alice.example, see https://evil.example/x"
    assert "20418" in answered("I cannot see order 20418.", said=said).text
    assert "500" in answered("Do you want 500 EUR for order 20418?", said=said).text
    assert "me@alice.example" in answered("Is me@alice.example right?", said=said).text
    assert answered("See https://evil.example/x", said=said).is_abstention


def test_a_named_source_in_another_language_is_cited() -> None:
    streamed = CheckedStream((SOURCES["de"],), "en")
    [span] = finished(streamed, "Your refund takes 5 working days. [1]").citations
    assert span.title == "Returns"


def test_text_after_a_dangling_prefix_does_not_run_into_it() -> None:
    streamed = streaming_answer()
    stream(streamed, "Use the label at evil.com/pay. Yes! You")
    assert "evil" not in streamed.shown
    assert streamed.answer(is_stopped=True).text.endswith("Yes!")


def test_an_unavailable_vector_does_not_delay_the_answer() -> None:
    streamed = streaming_answer()
    streamed.write("Hello. I have refunded your order. You can return unused items. [1] ")
    for _ in range(9):
        streamed.weigh({})
        streamed.finish()
    assert "return unused items" in streamed.answer().text


def test_a_sentence_refuted_by_a_second_look_loses_its_citation() -> None:
    streamed = streaming_answer()
    finished(streamed, "Gift cards cannot be returned. [1] You can return unused items within 60 days of delivery. [1]")
    streamed.apply({0: False})
    answer = streamed.answer()
    assert answer.text == "You can return unused items within 60 days of delivery. [1]"
    assert [span.quote for span in answer.citations] == ["You can return unused items within **60 days** of delivery."]


@pytest.mark.parametrize("deed", ["Your account has been credited.", "Bob has reversed the charge for you."])
def test_many_apologies_leave_vectors_for_a_claim_after_them(deed: str) -> None:
    regrets = (
        "I cannot see your order here. I do not know the weight of it. I am not able to look that up. "
        "I have no details on the colour. I could not find the shop's phone. I am unable to open that page. "
        "I don't know when it opens. I cannot tell the size of it. I have not found any news on that. "
    )
    streamed = CheckedStream([], "en")
    finished(streamed, f"{regrets}{deed}")
    assert streamed.sentences[-1].withheld == "deed"


OPENINGS_OF_OTHERS = {
    "sv": "Du kan lämna tillbaka varan i butiken när som helst.",
    "da": "Medlemmer må gerne tage en gæst med om søndagen.",
    "cs": "Knihu můžete vrátit na kterékoli pobočce.",
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("sentences_before", [0, 1, 2, 5])
@pytest.mark.parametrize(
    ("language", "deed"),
    [
        ("sv", "Kollegan på låneavdelningen slår dig en signal efter lunch."),
        ("da", "Vi springer gebyret over for dig denne gang."),
        ("cs", "Vašemu psovi jsem domluvil operaci."),
    ],
)
def test_a_deed_in_a_language_without_training_rows_is_withheld_wherever_it_stands(
    language: str, deed: str, sentences_before: int
) -> None:
    opening = OPENINGS_OF_OTHERS[language]
    before = [opening.replace(".", f" {name}.") for name in ("alfa", "beta", "gamma", "delta", "epsilon")]
    before = before[:sentences_before]
    streamed = CheckedStream([], language)
    finished(streamed, " ".join([*before, deed]))
    assert [one.withheld for one in streamed.sentences] == [""] * sentences_before + ["deed"]


@pytest.mark.long
def test_four_true_statements_about_four_records_are_all_shown() -> None:
    records = [
        "We refunded €64.00 for order BK-3391. Your reference is RF-77K2.",
        "Done: Booking LK-4407 moved to 14 June.",
        "Done: Card ending 4471 blocked.",
        "Done: Invoice IN-2093 sent to a.smith@example.com.",
    ]
    true = (
        "I have refunded €64.00 for order BK-3391. Your booking LK-4407 is on 14 June now. "
        "I have blocked your card ending in 4471. I have sent invoice IN-2093 to a.smith@example.com."
    )
    assert finished(CheckedStream([], "en", done=records), true).text == true
    false = true.replace("sent invoice IN-2093 to", "deleted the account of")
    streamed = CheckedStream([], "en", done=records)
    finished(streamed, false)
    assert [one.withheld for one in streamed.sentences] == ["", "", "", "deed"]


def test_a_refund_of_one_order_does_not_confirm_one_of_an_order_that_was_only_looked_up() -> None:
    done, seen = ["We refunded €64.00 for order BK-3391."], ["BK-7777 delivered on 3 May"]
    for text, withheld in (
        ("I have refunded order BK-7777.", "deed"),
        ("I have refunded order BK-3391.", ""),
        ("BK-7777 was delivered on 3 May.", ""),
    ):
        streamed = CheckedStream([], "en", done=done, looked_up=seen)
        finished(streamed, text)
        assert [one.withheld for one in streamed.sentences] == [withheld], text


# What was done, the look-up of the order, and a statement with the amount of one or the other.
AMOUNTS = [
    ("en", "We refunded €18.90 for order BK-3391.", "BK-3391: delivered, 3 items, total €61.40",
     "I have refunded €61.40 for order BK-3391.", "deed"),
    ("en", "We refunded €18.90 for order BK-3391.", "BK-3391: delivered, 3 items, total €61.40",
     "Of the €61.40 for order BK-3391, I have refunded €18.90.", ""),
    ("en", "We refunded €18.90 for order BK-3391.", "BK-3391: delivered, 3 items, total €61.40",
     "The total of BK-3391 was €61.40, and it was delivered.", ""),
    ("nl", "Gedaan: € 8,00 terugbetalen voor bestelling KS-90.", "Bestelling KS-90: geleverd, totaal € 26,00",
     "De € 26,00 voor KS-90 is aan u terugbetaald.", "deed"),
    ("en", "Done: Refund €18.90 for 2 items of order BK-3391.", "BK-3391: delivered, 3 items, total €61.40",
     "We have refunded the €61.40 for 2 items of BK-3391.", "deed"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "done", "seen", "line", "withheld"), AMOUNTS)
def test_the_total_of_an_order_is_not_the_amount_that_was_paid_back(
    language: str, done: str, seen: str, line: str, withheld: str
) -> None:
    streamed = CheckedStream([], language, done=[done], looked_up=[seen])
    finished(streamed, line)
    assert [one.withheld for one in streamed.sentences] == [withheld]


@pytest.mark.parametrize(
    ("language", "seen", "text", "withheld"),
    [
        ("en", "Member 77: monthly plan, active, next payment £31 on 1 Dec",
         "The next £31 goes out at the start of December.", ""),
        ("it", "Tessera 42: 2 libri presi in prestito, scadenza 04/04",
         "Ha ancora due cose nostre a casa, da riportare entro il 4 aprile.", ""),
        ("en", "Order A-1001: refunded, the money was sent back", "I have paid you back.", "deed"),
        ("tr", "Fatura FT-8: 214,00 TL, son ödeme 15 Mayıs, ödenmedi", "İşlem tamam, borcunuz kalmadı.", "deed"),
        ("en", "Parcel 3S88: delivered 6 May 11:40, left at reception", "We have paid you for the parcel.", "deed"),
        ("fr", "Compte 220 : 2 livres empruntés, retour le 14 mai", "J'ai prolongé vos deux prêts.", "deed"),
    ],
)  # fmt: skip
def test_a_look_up_may_be_told_in_other_words_but_confirms_nothing_that_was_done(
    language: str, seen: str, text: str, withheld: str
) -> None:
    streamed = CheckedStream([], language, looked_up=[seen])
    finished(streamed, text)
    assert [one.withheld for one in streamed.sentences] == [withheld]


@pytest.mark.parametrize(
    ("language", "done", "line", "withheld"),
    [
        ("de", "Werkstatttermin 4. Mai bestätigt", "Für die Dauer der Reparatur steht ein Ersatzwagen für Sie bereit.",
         "deed"),
        ("de", "Werkstatttermin 4. Mai bestätigt", "Ihr Termin in der Werkstatt ist bestätigt.", ""),
        ("es", "Siniestro CL-77 abierto, en estudio", "El seguro se hace cargo de la luna nueva.", "deed"),
        ("nl", "Schade CL-77 gemeld, in behandeling", "De verzekering betaalt uw nieuwe voorruit.", "deed"),
        ("nl", "Schade CL-77 gemeld, in behandeling", "Uw schade CL-77 is nog in behandeling.", ""),
    ],
)  # fmt: skip
def test_next_to_records_a_sentence_that_may_be_a_deed_needs_one(
    language: str, done: str, line: str, withheld: str
) -> None:
    streamed = CheckedStream([], language, done=[done])
    finished(streamed, line)
    assert [one.withheld for one in streamed.sentences] == [withheld]


def test_next_to_records_a_rule_from_a_page_and_a_fragment_need_no_record() -> None:
    page = "Artikelen kunnen binnen twintig dagen na ontvangst worden teruggestuurd, mits ongedragen."
    done = ["Return label created and emailed to customer."]
    streamed = CheckedStream([passage(page, locale="nl")], "nl", done=done)
    finished(streamed, "Je hebt twintig dagen de tijd om iets terug te brengen.")
    assert [one.withheld for one in streamed.sentences] == [""]
    streamed = CheckedStream([], "en", done=["Done: Refund of €30.00 to B. Mora.", "Order 4711 sent to A. Brandt."])
    finished(streamed, "I have refunded €30.00 to B. Mora.")
    assert [one.withheld for one in streamed.sentences] == ["", ""]


def test_a_record_without_a_number_may_concern_an_order_that_was_looked_up() -> None:
    streamed = CheckedStream(
        [], "en", done=["Done: Refund €64.00."], looked_up=["Order BK-7777: delivered, total €64.00."]
    )
    finished(streamed, "I have refunded €64.00 for order BK-7777.")
    assert [one.withheld for one in streamed.sentences] == [""]


@pytest.mark.parametrize(
    ("language", "record", "line"),
    [
        ("nl", "Waiting for the customer: return RM-12, label not used yet.", "Het label is nog niet gebruikt."),
        ("nl", "Done: dentist for Sem moved forward to 8:30.", "Sem is nu om 8.30 uur aan de beurt."),
        ("pt", "Done: Reactivate the subscription Cine from 1 August.", "Sua assinatura Cine volta em 1º de agosto."),
    ],
)
def test_a_true_statement_is_not_withheld_for_a_figure(language: str, record: str, line: str) -> None:
    streamed = streaming_answer(language, source="en", done=[record])
    finished(streamed, line)
    assert [one.withheld for one in streamed.sentences] == [""]


@pytest.mark.parametrize(
    "line", ["I have refunded five € for order BK-3391.", "You also get ten % back.", "We have sent you € five."]
)
def test_an_amount_in_words_before_a_currency_sign_needs_a_record(line: str) -> None:
    streamed = CheckedStream([], "en", done=["We refunded €64.00 for order BK-3391."])
    finished(streamed, f"I have refunded €64.00 for order BK-3391. {line}")
    assert [bool(one.withheld) for one in streamed.sentences] == [False, True]


def test_nothing_is_trained_on_the_sentences_that_measure_it() -> None:
    def texts(folder: Path, pattern: str) -> set[str]:
        rows = [json.loads(line) for file in folder.glob(pattern) for line in file.open(encoding="utf-8")]
        return {str(row.get("answer") or row["text"]).strip().casefold() for row in rows}

    bench = Path(__file__).parents[2] / "bench"
    measured = texts(bench / "deeds", "*.jsonl") | texts(bench, "t*.jsonl") | texts(bench, "alone.jsonl")
    assert len(measured) > 2_900
    assert not measured & frozenset().union(*(texts(DATA, f"{kind}.*.jsonl") for kind in ("kinds", "told", "records")))


OLD_SOFAS = (
    "## Old furniture\n\nOne old sofa per delivery is taken away free of charge. The deposit for the key is paid back "
    "five working days after the key has arrived.\n"
)


@pytest.mark.parametrize(
    ("line", "is_shown"),
    [
        ("We take your old sofa along at no charge.", True),
        ("You get your deposit back five working days after we have the key.", True),
        ("Our driver is picking up your old sofa tomorrow.", False),
        ("I have sent your deposit back to you.", False),
    ],
)
def test_a_rule_from_a_page_is_shown_and_a_claim_of_an_action_next_to_it_is_not(line: str, is_shown: bool) -> None:
    streamed = CheckedStream([passage(OLD_SOFAS)], "en")
    finished(streamed, line)
    assert [one.withheld for one in streamed.sentences] == ["" if is_shown else "deed"]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("language", ["es", "fr", "pl", "pt", "tr"])
def test_accents_do_not_change_how_much_of_a_sentence_is_shown_early(language: str) -> None:
    rows = (DATA / f"kinds.{language}.jsonl").read_text().splitlines()
    texts = [json.loads(row)["text"] for row in rows[:300]]

    def shown(text: str) -> list[bool]:
        opening = Opening()
        return [opening.stays_harmless(word, language) for word in text.split()]

    differing = [text for text in texts if shown(text) != shown(fold_homoglyphs(text))]
    assert differing == []
