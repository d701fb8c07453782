"""A question about an amount or a duration has no answer in pieces without one."""

from dataclasses import replace

import pytest

from supportbot.builtin.answer_types import asked_type, figure_first, lacks_figure, types_in_words, weights_shipped
from supportbot.builtin.ranking import ranked
from supportbot.llm.types import ModelRequest, Source

FIT = "The jacket is cut with room for a fleece. Take the size that you normally wear."
PRICE = "The jacket costs 120 euro in every size."


def asked(question: str, text: str, locale: str = "en", page: str = "en") -> ModelRequest:
    return ModelRequest("answer", (), question=question, sources=(Source(1, "The jacket", text, page),), locale=locale)


@pytest.mark.parametrize(
    ("question", "locale"),
    [
        ("How much is the jacket?", "en"),
        ("Was kostet die Jacke?", "de"),
        ("Combien coûte la veste ?", "fr"),
        ("¿Cuánto cuesta la chaqueta?", "es"),
        ("Quanto costa la giacca?", "it"),
        ("Wat kost de jas?", "nl"),
    ],
)
def test_a_price_is_asked_for_in_six_languages(question: str, locale: str) -> None:
    assert lacks_figure(asked(question, FIT, locale))
    assert not lacks_figure(asked(question, PRICE, locale))


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("How long does the repair take?", "duration"),
        ("Wie schwer ist der Rucksack?", "weight"),
        ("What are the dimensions of the table?", "size"),
        ("Combien de personnes peuvent utiliser la tente ?", "count"),
        ("At what temperature should I wash the blanket?", "temperature"),
        ("Can I return the jacket?", "other"),
        ("Why is the delivery so expensive?", "other"),
        ("What is a poncho?", "other"),
        ("my parcel arrived two days late", "other"),
        ("Ile kosztuje kurtka?", "other"),  # no rows are in Polish, so nothing is claimed
    ],
)
def test_the_kind_of_figure_is_recognised(question: str, wanted: str) -> None:
    assert asked_type(question, weights_shipped()) == wanted


def test_another_kind_of_figure_does_not_answer() -> None:
    assert lacks_figure(asked("How much does the jacket weigh?", PRICE))
    assert not lacks_figure(asked("How much does the jacket weigh?", "The jacket weighs 420 g in size M."))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How much does delivery cost?", "Delivery is free."),
        ("How much does delivery cost?", "Delivery costs nothing."),
        ("How long does delivery take?", "Delivery takes a week."),
        ("How long can I cancel an order?", "You can cancel an order until it is packed."),
        ("How long does delivery take?", "| To | Working days |\n|---|---|\n| France | 4 |\n| Italy | 5 |"),
    ],
)
def test_words_may_replace_a_figure(question: str, text: str) -> None:
    assert not lacks_figure(asked(question, text))


@pytest.mark.parametrize(
    ("text", "language", "is_amount"),
    [
        ("Der Versand kostet Sie nichts.", "de", True),
        ("La consegna non costa niente.", "it", True),
        ("We have no shop.", "en", False),
        ("Nobody of our team is here on Sundays.", "en", False),
        ("Am Sonntag ist niemand da.", "de", False),
    ],
)
def test_nothing_is_an_amount_only_beside_a_price(text: str, language: str, is_amount: bool) -> None:
    assert ("money" in types_in_words(text, language)) == is_amount


def test_a_compound_of_free_is_no_price() -> None:
    assert lacks_figure(asked("How much is the tent?", "The tent is free-standing."))


@pytest.mark.parametrize("heading", ["Shipping rates", "Versandkosten", "Our charges", "Delivery"])
def test_the_numbers_of_a_table_may_be_of_any_kind(heading: str) -> None:
    table = f"## {heading}\n\n| Parcel | Germany |\n|---|---|\n| small | 4 |\n| large | 7 |"
    assert not lacks_figure(asked("How much is the delivery?", table))


def test_nothing_is_lacking_if_there_is_nothing_to_quote() -> None:
    assert not lacks_figure(ModelRequest("answer", (), question="How much is the jacket?"))


@pytest.mark.parametrize(
    ("title", "text", "share", "is_quoted"),
    [
        ("Delivery", "Germany costs 5 euro, Austria 7 euro.", 0.4, True),
        ("Delivery", "Germany costs 5 euro, Austria 7 euro.", 0.3, False),
        ("Delivery", "We deliver to Germany and Austria.", 0.4, False),
        ("Returns", "Germany costs 5 euro, Austria 7 euro.", 0.4, False),
    ],
)
def test_the_next_piece_of_the_page_may_hold_the_figure(title: str, text: str, share: float, is_quoted: bool) -> None:
    question, intro = "How much is delivery?", "This page tells you what delivery costs."
    sources = (Source(1, "Delivery", intro, "en"), Source(2, title, text, "en"))
    found = {
        entry.piece.text: entry for entry in ranked(ModelRequest("answer", (), question=question, sources=sources))
    }
    entries = [replace(found[intro], score=1.0), replace(found[text], score=share)]
    assert [entry.piece.text for entry in figure_first(entries, question, "en")] == (
        [text, intro] if is_quoted else [intro]
    )
