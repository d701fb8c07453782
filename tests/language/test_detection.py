"""The language that a customer writes in, and texts whose language is unclear."""

import pytest

from supportbot.language.detection import base_language, detect
from tests.pace import bounded


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hola, ¿cuánto tarda?", "es"), ("Wie lange?", "de"), ("How long?", "en"), ("Combien de temps ?", "fr"),
        ("Ciao, quanto costa?", "it"), ("Hoe lang duurt het?", "nl"), ("Jak długo?", "pl"), ("Ne kadar sürer?", "tr"),
        ("Onde está o meu pedido?", "pt"), ("Var är min beställning?", "sv"), ("Kde je moje objednávka?", "cs"),
        ("Где мой заказ?", "ru"), ("Де моє замовлення?", "uk"), ("Πού είναι η παραγγελία μου;", "el"),
        ("أين طلبي؟", "ar"), ("注文はどこですか", "ja"), ("我的订单在哪里", "zh"), ("주문 취소", "ko"),
        ("คำสั่งซื้อของฉันอยู่ที่ไหน", "th"), ("Was ist los?", "de"), ("was it shipped", "en"), ("bonjour", "fr"),
        ("WO IST MEINE BESTELLUNG", "de"), ("my order WF-20418 is late", "en"),
        ("Hi, I'm Jürgen Müller and my parcel has not arrived", "en"),
        ("Meine Mail ist anna.smith@example.com, wann kommt das Paket?", "de"),
        ("Is the Jack Wolfskin Wanderschuh in stock?", "en"),
        ("Bitte an Anna Schmidt, Lindenweg 4, 50667 Köln liefern, das wäre nett", "de"),
        ("hast du Hunger?", "de"), ("paket verfolgen", "de"), ("mi devolución", "es"),
        ("please send it to 12 Rue de la Paix, 75002 Paris", "en"),
    ],
)  # fmt: skip
def test_the_language_of_a_sentence_is_detected(text: str, language: str) -> None:
    for expected in ("en", "de", "fr"):
        assert detect(text, expected) == language


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "?", "ok", "xl", "👍", "WF-20418", "49,90 €", "iPhone 14", "anna.schmidt@example.com", "PayPal",
        "https://example.com/pfad/zu/bestellung", "Jürgen Müller", "Giovanni Rossi", "Hauptstraße 12, 10115 Berlin",
        "Anna Schmidt, Lindenweg 4, 50667 Köln", "12 Rue de la Paix, 75002 Paris", "Via Roma 5, 00184 Roma",
        "221B Baker Street, London NW1 6XE", "Calle Mayor 3, 28013 Madrid", "WF-20418, anna@example.de", "\x00",
        "ẞ", "Visa",
    ],
)  # fmt: skip
def test_text_without_a_language_gets_the_expected_one(text: str) -> None:
    for expected in ("en", "de", "fr", "es", "gl", "", "nonsense"):
        assert detect(text, expected) == expected


def test_a_page_in_a_related_language_keeps_it() -> None:
    assert detect("Hvor er pakken min?", "no") == "no"


@pytest.mark.parametrize(
    ("text", "expected", "language"),
    [("tu es un robot ?", "fr", "fr"), ("tu es un robot ?", "es", "es"), ("tu es un robot ?", "de", "es"),
     ("je suis un robot", "es", "fr")],
)  # fmt: skip
def test_words_that_two_languages_share_stay_in_the_expected_one(text: str, expected: str, language: str) -> None:
    assert detect(text, expected) == language


def test_detection_reads_only_the_beginning_of_a_long_text() -> None:
    sentence = "Where is my order WF-20418? I placed it last week and nobody has told me anything."
    detect(sentence, "en")  # loads the model
    for text in (sentence, sentence * 1_000, "ab" * 50_000):
        with bounded(2):
            for _ in range(100):
                detect(text, "de")


@pytest.mark.parametrize(
    ("locale", "language"), [("de-AT", "de"), ("pt_BR", "pt"), ("EN", "en"), ("", ""), ("zh-Hans-CN", "zh")]
)
def test_a_locale_has_a_base_language(locale: str, language: str) -> None:
    assert base_language(locale) == language
