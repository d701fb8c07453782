"""The built-in answerer's and the assistant's own phrases, in each language."""

from typing import get_args

import pytest

from supportbot.assistant.texts import NOT_FOUND
from supportbot.builtin.phrases import (
    IntentPhrase,
    asks_back,
    cannot_take,
    dated,
    field_title,
    is_offer_of_a_person,
    is_ours,
    is_small_talk,
    language_name,
    only_asks,
    phrase_in,
    say,
    says_a_person_can_take_over,
    titles_of,
    without_offer_of_a_person,
)
from supportbot.language.normalise import normalised
from supportbot.translation import LANGUAGES, text_in


@pytest.mark.parametrize("language", LANGUAGES)
def test_own_phrases_are_recognised(language: str) -> None:
    assert is_offer_of_a_person(say("not_found", language))
    assert is_offer_of_a_person(say("complaint", language))
    assert is_offer_of_a_person(normalised(say("complaint", language)))
    assert is_offer_of_a_person(text_in(language, NOT_FOUND))
    bare = without_offer_of_a_person(say("not_found", language))
    assert not is_offer_of_a_person(bare)
    assert f"{bare} {say('offer', language)}" == say("not_found", language)
    regret, page = say("regret", language), "Returns are free within 30 days. [1]"
    assert without_offer_of_a_person(f"{say('complaint', language)}\n\n{page}") == f"{regret}\n\n{page}"
    assert without_offer_of_a_person(say("complaint", language)) == regret
    assert not is_offer_of_a_person(say("greeting", language))
    assert all(says_a_person_can_take_over(say(phrase, language)) for phrase in ("no_person", "who", "can_do"))
    assert not says_a_person_can_take_over(f"{say('no_person', language)} Yes.")
    assert only_asks(say("only_asks", language))
    assert asks_back(say("order_number", language))
    assert asks_back(say("other", language, part=field_title("city", {}, language)))
    assert not asks_back(say("not_found", language))
    assert all(
        is_small_talk(say(courtesy, language)) for courtesy in ("greeting", "thanks", "unclear", "not_understood")
    )
    assert not is_small_talk(say("not_found", language)) and not is_small_talk(say("no_person", language))
    assert is_ours(say("foreign_page", language, language=language_name("en", language)))
    assert is_ours(say("nothing_on", language, question="Do you take Klarna"))
    assert is_ours(say("goes_on", language))


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("amount", "Welchen Betrag meinen Sie in Ziffern?"),
        ("amount", "¿Qué importe quiere decir, en cifras?"),
        ("amount", normalised("De quel montant parlez-vous, en chiffres ?")),
        ("address", "Wie lautet die neue Adresse mit Straße und Hausnummer und Postleitzahl und Ort?"),
        ("entries", "Please enter one or more, with commas in between: Extras."),
        ("which_of_these", "Which of these orders is it about?"),
        ("order_number", "What is the number of the order?"),
        ("amount", "Which amount do you mean in digits?"),
        ("address", "What is the new address with street and house number and postal code and city?"),
        ("cannot_read", "I still cannot read the answer to this: Arrival."),
    ],
)
def test_former_wordings_of_a_question_are_recognised(phrase: str, text: str) -> None:
    assert phrase_in(text) == phrase


@pytest.mark.parametrize(
    "text",
    [
        "I am sorry to hear that. What exactly is it about, and what happens when you try?",
        normalised("Je n'ai pas compris. Pourriez-vous le dire autrement\u00a0?"),
    ],
)
def test_the_former_wording_of_a_courtesy_is_recognised(text: str) -> None:
    assert is_small_talk(text)


def test_the_former_wording_of_a_value_that_the_chat_cannot_take_is_recognised() -> None:
    assert cannot_take("I cannot take this in the chat: Photo.")


def test_a_phrase_with_an_added_fact_is_not_recognised() -> None:
    assert not is_ours("Our page about this is in English: returns are free.")
    assert not is_ours("Returns are free. That page says more about this.")
    assert not is_ours("")


def test_an_unknown_language_is_answered_in_english() -> None:
    assert say("not_found", "sv") == say("not_found", "en")
    assert language_name("pt", "fr") == "portugais"
    assert language_name("xx", "fr") == "une autre langue"


def test_labels_of_fields_are_known_in_every_language() -> None:
    assert {"City", "Ort", "Ville", "Şehir", "المدينة"} <= titles_of("city", {})
    assert titles_of("gift_message", {}) == {"Gift message"}
    assert titles_of("city", {"title": "Arrives at"}) == {"Arrives at"}


def test_a_field_is_named_by_its_label_or_a_short_description_before_its_name() -> None:
    described = {"description": "The booking number."}
    assert field_title("id", described, "en") == "The booking number"
    assert field_title("id", described | {"title": "Booking number"}, "en") == "Booking number"
    assert field_title("id", {"title": "IBAN of the account"}, "en") == "IBAN of the account"
    long = {"description": "What the customer wants to have done with the booking."}
    assert field_title("booking_id", long, "en") == "Booking id"


def test_a_date_of_an_order_is_written_as_the_language_does() -> None:
    assert dated("shipped_at", "2026-03-04", "de") == "verschickt am 4. März"
    assert dated("shipped_at", "2026-03-04", "pl") == "wysłane 4 marca"
    assert dated("expected_on", "Saturday", "en") == "expected on Saturday"


@pytest.mark.one_in(8)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("phrase", get_args(IntentPhrase))
def test_an_own_question_is_recognised_in_the_history_with_other_characters(
    phrase: IntentPhrase, language: str
) -> None:
    values = dict.fromkeys(("part", "fields", "choices", "example", "title"), "x")
    assert phrase_in(normalised(say(phrase, language, **values))) is not None
