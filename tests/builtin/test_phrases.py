"""What the built-in answerer and the assistant say in their own words, in each language."""

import pytest

from supportbot.assistant.texts import TEXTS
from supportbot.builtin.phrases import (
    PHRASES,
    asks_back,
    is_offer_of_a_person,
    is_ours,
    is_small_talk,
    language_name,
    names_the_way_to_a_person,
    say,
)
from supportbot.language.phrases import Phrases

LANGUAGES = {"en", "de", "fr", "es", "it", "nl"}


@pytest.mark.parametrize("phrases", [PHRASES, TEXTS])
def test_every_language_says_the_same_with_the_same_values(phrases: Phrases) -> None:
    assert phrases.by_language.keys() == LANGUAGES
    english = phrases.by_language["en"]
    for texts in phrases.by_language.values():
        assert texts.keys() == english.keys()
        assert all(texts[key].count("{") == english[key].count("{") for key in english)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_what_is_ours_is_known_again(language: str) -> None:
    assert is_offer_of_a_person(say("not_found", language))
    assert is_offer_of_a_person(say("complaint", language))
    assert is_offer_of_a_person(TEXTS.say("not_found", language))
    assert not is_offer_of_a_person(say("greeting", language))
    assert names_the_way_to_a_person(say("no_person", language))
    assert not names_the_way_to_a_person(f"{say('no_person', language)} Yes.")
    assert asks_back(say("order_number", language))
    assert not asks_back(say("not_found", language))
    assert all(is_small_talk(say(courtesy, language)) for courtesy in ("greeting", "thanks", "unclear", "complaint"))
    assert not is_small_talk(say("not_found", language)) and not is_small_talk(say("no_person", language))
    assert is_ours(say("foreign_page", language, language=language_name("en", language)))
    assert is_ours(say("nothing_on", language, question="Do you take Klarna"))
    assert is_ours(say("goes_on", language))


def test_a_fact_beside_our_words_is_not_ours() -> None:
    assert not is_ours("Our page about this is in English: returns are free.")
    assert not is_ours("Returns are free. There is more about this on that page.")
    assert not is_ours("")


def test_an_unknown_language_is_answered_in_english() -> None:
    assert say("not_found", "pt") == say("not_found", "en")
    assert language_name("pt", "fr") == "une autre langue"
