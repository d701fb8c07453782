"""Customers' texts in a conversation's language, whatever language is active."""

import pytest
from django.conf import settings
from django.utils import translation as active

from supportbot import translation
from supportbot.translation import in_all_languages, language_of, ntext_in, text_in

TEN = {"en", "de", "fr", "es", "it", "nl", "pl", "pt", "tr", "ar"}
MINUTES = ("%(minutes)s minute to read", "%(minutes)s minutes to read")


def test_ten_languages_are_supported() -> None:
    assert set(translation.LANGUAGES) == set(dict(settings.LANGUAGES)) >= TEN
    assert dict(settings.LANGUAGES)["pl"] == "polski"


@pytest.mark.parametrize(
    ("locale", "language"),
    [("de", "de"), ("de-AT", "de"), ("de_CH", "de"), ("PT-br", "pt"), ("xx", "en"), ("", "en"), ("../de", "en")],
)
def test_a_locale_gets_its_base_language_otherwise_english(locale: str, language: str) -> None:
    assert language_of(locale) == language


def test_a_message_is_in_the_language_asked_for_not_in_the_active_one() -> None:
    with active.override("fr"):
        assert text_in("de-AT", "Help") == "Hilfe"
        assert text_in("xx", "Help") == "Help"
    assert text_in("ar", "Help") == "المساعدة"


def test_a_message_without_a_translation_is_shown_in_english_with_its_values() -> None:
    assert text_in("pl", "This is not in a catalogue, {name}.", name="Alice") == "This is not in a catalogue, Alice."


@pytest.mark.parametrize(("n", "word"), [(1, "minuta"), (3, "minuty"), (5, "minut"), (22, "minuty"), (112, "minut")])
def test_counts_use_the_plural_forms_of_the_language(n: int, word: str) -> None:
    assert word in ntext_in("pl", *MINUTES, n).split()
    assert ntext_in("en", "{n} day", "{n} days", n) == f"{n} day{'' if n == 1 else 's'}"


def test_every_translation_of_a_message_is_known() -> None:
    assert {"Help", "Hilfe", "Pomoc", "Yardım"} <= in_all_languages("Help")
