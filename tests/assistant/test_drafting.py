"""What of a model's text may be shown, and what the final answer is made of."""

from uuid import uuid4

import pytest

from kb.search import Passage
from supportbot.assistant.drafting import Draft
from supportbot.builtin.phrases import say
from supportbot.chat.answers import Answer

BODY = (
    "## Returns\n\nYou can return unused items within **60 days** of delivery. "
    "Use the label in *Your orders*. Your refund is paid within 5 working days after we received the parcel.\n\n"
    "- Gift cards cannot be returned.\n"
)


def passage(body: str = BODY, *, locale: str = "en", offset: int = 0) -> Passage:
    return Passage(
        article_id=uuid4(),
        external_id="returns",
        title="Returns",
        url="/help/wrenfell/returns/",
        locale=locale,
        revision=3,
        heading="Returns",
        text=body,
        start=offset,
        end=offset + len(body),
        score=1.0,
        similarity=0.9,
        chunk_id=uuid4(),
    )


def written(text: str, *, step: int = 7, language: str = "en", said: str = "", by: str = "model") -> tuple[str, Answer]:
    """What was shown on the way, and the answer, of a text that arrives in pieces of `step` characters."""
    draft = Draft((passage(),), language, (said,))
    shown = "".join(draft.write(text[start : start + step]) for start in range(0, len(text), step)) + draft.finish()
    return shown, draft.answer(by=by)


@pytest.mark.parametrize("step", [1, 3, 7, 1000])
def test_a_quotation_keeps_its_source_to_the_character(step: int) -> None:
    text = "You can return unused items within 60 days of delivery. [1]"
    shown, answer = written(text, step=step)

    assert answer.text == shown.strip() == text
    [span] = answer.citations
    assert span.quote == "You can return unused items within **60 days** of delivery."
    assert BODY[span.start : span.end] == span.quote
    assert not answer.is_abstention


@pytest.mark.parametrize(
    "quote",
    [
        "1. Open *Account*, *Delete my account*.",
        "**Boots** can be exchanged once.",
        "Write to [our team](/team).",
        "Choose `Apply`.",
    ],
)
def test_a_quotation_is_whole_markdown(quote: str) -> None:
    body = f"Before.\n\n{quote}\n\nAfter it."
    draft = Draft((passage(body),), "en")
    draft.write(quote.translate(str.maketrans("", "", "*`[]")).replace("(/team)", "") + " [1]")
    draft.finish()
    [span] = draft.answer(by="builtin").citations
    assert span.quote == quote


def test_spans_count_from_the_start_of_the_article() -> None:
    draft = Draft((passage(offset=500),), "en")
    draft.write("Gift cards cannot be returned. [1]")
    draft.finish()
    [span] = draft.answer(by="model").citations
    assert span.start == 500 + BODY.index("Gift cards")


def test_a_paraphrase_is_traced_to_the_sentence_it_rests_on() -> None:
    _, answer = written("Unused items may be returned within 60 days after delivery [1].")
    assert answer.citations[0].quote == "You can return unused items within **60 days** of delivery."
    assert answer.text == "Unused items may be returned within 60 days after delivery [1]."


def test_a_sentence_that_names_no_source_gets_the_one_it_quotes() -> None:
    _, answer = written("Gift cards cannot be returned.")
    assert answer.text == "Gift cards cannot be returned. [1]"
    assert answer.citations[0].quote == "Gift cards cannot be returned."


@pytest.mark.parametrize(
    "invention",
    [
        "Shipping to the moon is free. [1]",  # the source says nothing of it
        "You can return unused items within 90 days of delivery. [1]",  # the number is another
        "Penguins live in Antarctica.",  # no source
        "You can return unused items. [7]",  # no such source, and half of a sentence only
        "See https://evil.example/login for unused items delivery. [1]",
    ],
)
def test_what_no_source_bears_is_not_an_answer(invention: str) -> None:
    _, answer = written(invention if "return unused items. [7]" not in invention else "Refunds take a year. [7]")
    assert answer.is_abstention
    assert answer.offers_human
    assert answer.citations == ()
    assert "could not find" in answer.text


def test_an_invention_beside_a_fact_is_left_out() -> None:
    _, answer = written("Gift cards cannot be returned. [1] Elephants are our mascots. [1]")
    assert answer.text == "Gift cards cannot be returned. [1]"
    assert not answer.is_abstention


@pytest.mark.parametrize(
    "claim",
    [
        "I have refunded your order.",
        "Your refund has been issued.",
        "We have cancelled it for you.",
        "Your refund is on its way.",
        "I will refund the full amount today.",
        "The amount of 69.00 was credited.",
        "Ich habe Ihre Bestellung storniert.",
        "Ihre Erstattung wurde veranlasst.",
        "Wir erstatten Ihnen den Betrag.",
        "The address is successfully changed. [1]",
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_a_claim_that_something_was_done_never_reaches_the_customer(claim: str, step: int) -> None:
    shown, answer = written(f"Hello. {claim} Anything else?", step=step)
    for text in (shown, answer.text):
        for word in ("refunded", "issued", "cancelled", "way", "storniert", "veranlasst", "69.00", "changed", "Betrag"):
            assert word not in text
    assert answer.citations == ()


def test_the_same_words_quoted_from_an_article_are_no_claim() -> None:
    _, answer = written("Your refund is paid within 5 working days after we received the parcel. [1]")
    assert len(answer.citations) == 1


def test_a_thing_a_deed_an_amount_or_a_link_waits_for_its_sentence() -> None:
    draft = Draft((passage(),), "en")
    assert draft.write("You can ") == "You can"
    assert draft.write("return unused items within 60 days of delivery") == ""
    assert draft.write(". [1]") == ""
    assert draft.finish() == " return unused items within 60 days of delivery. [1]"


@pytest.mark.parametrize("step", [1, 3, 50])
@pytest.mark.parametrize(
    "claim",
    [
        "Je vous ai remboursé le montant total.",
        "Votre commande est annulée.",
        "Le he reembolsado el importe completo.",
        "Ho rimborsato l'importo completo.",
        "Zwróciłem Ci pieniądze.",
        "Iade işleminiz yapıldı.",
        "Jeg har refunderet dig.",
        "Rahasi on palautettu.",
        "Vratili smo vam novac.",
        "Я вернул вам деньги.",
        "환불해 드렸습니다.",
        "我们把钱退给您了。",
        "تم رد المبلغ إلى حسابك.",
    ],
)
def test_of_a_claim_in_any_language_no_word_is_streamed_that_says_it(claim: str, step: int) -> None:
    draft = Draft((passage(),), "en")
    shown = "".join(draft.write(claim[start : start + step]) for start in range(0, len(claim) - 1, step))
    assert len(shown.split()) <= 2  # "on", "he", "vous": words that English or German have too
    assert draft.answer(by="model", is_stopped=True).text == shown
    assert shown.strip() not in claim.split()[1:]


def test_words_of_a_source_in_a_third_language_wait_for_their_sentence() -> None:
    draft = Draft((passage("Votre commande est annulée sans frais avant son envoi.", locale="fr"),), "fr")
    assert draft.write("Votre commande est annulée") == ""


def test_words_of_the_sources_are_streamed_as_they_come() -> None:
    draft = Draft((passage("Tents with a groundsheet dry within minutes when they hang in the wind."),), "en")
    assert draft.write("A tent with a groundsheet hangs in the ") == "A tent with a groundsheet hangs in the"


def test_beginnings_of_withheld_sentences_do_not_pile_up() -> None:
    shown, answer = written("The moon is made of cheese. " * 20 + "Gift cards cannot be returned. [1]")
    assert shown == "The Gift cards cannot be returned. [1]"
    assert answer.text == "Gift cards cannot be returned. [1]"


def test_courtesy_needs_no_source() -> None:
    _, answer = written("Hello! How can I help you today?")
    assert answer.text == "Hello! How can I help you today?"
    assert not answer.is_abstention


def test_an_honest_i_do_not_know_is_an_abstention_that_offers_a_person() -> None:
    _, answer = written("I could not find this in our help pages. Would you like to talk to a person?")
    assert answer.is_abstention
    assert answer.offers_human
    assert answer.text.startswith("I could not find")


def test_an_answer_in_another_language_may_name_its_source() -> None:
    _, answer = written("Ungenutzte Artikel nehmen wir 60 Tage lang zurück [1].", language="de")
    assert answer.text == "Ungenutzte Artikel nehmen wir 60 Tage lang zurück [1]."
    assert len(answer.citations) == 1


def test_numbers_the_customer_named_may_be_repeated() -> None:
    _, answer = written("Could you tell me what is wrong with order 20418?", said="My order 20418 is late")
    assert "20418" in answer.text


def test_a_stopped_answer_is_exactly_what_was_shown() -> None:
    draft = Draft((passage(),), "en")
    shown = draft.write("Gift cards cannot be returned. [1] The label is in your ord")
    answer = draft.answer(by="model", is_stopped=True)
    assert answer.text == shown.strip()
    assert answer.is_stopped
    assert len(answer.citations) == 1


@pytest.mark.parametrize(
    "end", ["You can return unused items", "Your refund is paid within 5 working days after we rec"]
)
def test_half_a_sentence_where_the_model_was_cut_off_is_left_out(end: str) -> None:
    draft = Draft((passage(),), "en")
    draft.write(f"Gift cards cannot be returned. [1] {end}")
    draft.break_off()
    draft.finish()
    assert draft.answer(by="model").text == "Gift cards cannot be returned. [1]"


@pytest.mark.parametrize("end", ["You can return unused items within 60 days of delivery. [1]", 'You may say "hello."'])
def test_a_whole_sentence_where_the_model_was_cut_off_stays(end: str) -> None:
    draft = Draft((passage(f'{BODY}\n\nYou may say "hello."\n'),), "en")
    draft.write(end)
    draft.break_off()
    draft.finish()
    assert draft.answer(by="model").text.startswith(end)


def test_nothing_but_half_a_sentence_and_a_courtesy_is_an_abstention() -> None:
    draft = Draft((passage(),), "en")
    draft.write("Sure! You can return unused items within 60 days of")
    draft.break_off()
    draft.finish()
    assert draft.answer(by="model").is_abstention


@pytest.mark.parametrize("flood", ["Gift cards cannot be returned. ", "a\n", ". ", "1. b\n", "packed "])
def test_a_flood_is_taken_up_to_a_bound(flood: str) -> None:
    draft = Draft((passage(),), "en")
    for _ in range(20_000 // 50):
        draft.write(flood * 50)
    draft.finish()
    assert len(draft.sentences) < 400
    assert len(draft.answer(by="model").text) < 10_000


def test_a_page_with_the_same_words_is_no_source_of_what_was_looked_up() -> None:
    draft = Draft((passage("Write to us when your order was delivered and the parcel is open."),), "en")
    draft.learn("Order A-1001: delivered")
    draft.write("Your order A-1001 was delivered.")
    draft.finish()
    answer = draft.answer(by="model")
    assert (answer.text, answer.citations) == ("Your order A-1001 was delivered.", ())


@pytest.mark.parametrize("language", ["en", "de"])
def test_who_hears_how_a_person_is_reached_gets_the_button(language: str) -> None:
    draft = Draft((), language)
    draft.write(say("no_person", language))
    draft.finish()
    answer = draft.answer(by="builtin")
    assert (answer.text, answer.is_abstention, answer.offers_human) == (say("no_person", language), True, True)


def test_nothing_at_all_is_an_abstention() -> None:
    _, answer = written("")
    assert answer.is_abstention


def test_a_marker_that_goes_leaves_no_blank_before_the_stop() -> None:
    _, answer = written("Gift cards cannot be returned [7].")
    assert answer.text == "Gift cards cannot be returned. [1]"


@pytest.mark.parametrize(
    "line",
    [
        "Notre page à ce sujet est en anglais :",
        "Onze pagina hierover is in het Engels:",
        "Nuestra página sobre esto está en inglés:",
    ],
)
def test_the_line_above_a_foreign_page_needs_no_source(line: str) -> None:
    text = f"{line}\n\nYou can return unused items within 60 days of delivery. [1]"
    _, answer = written(text, by="builtin", language="fr")
    assert answer.text == text
    assert len(answer.citations) == 1


def test_the_heading_of_a_passage_needs_no_source() -> None:
    text = "Returns:\nYou can return unused items within 60 days of delivery. [1]"
    assert written(text, by="builtin")[1].text == text
