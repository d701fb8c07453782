"""Homoglyphs and letters of other languages; tests/attacks/test_unicode.py has the attacks."""

import pytest

from supportbot.language.normalise import as_read, fold_homoglyphs, mixes_scripts, normalised, shown_text, visible


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("rеfundеd", "refunded"),  # Cyrillic e
        ("ｒｅｆｕｎｄ\u00aded", "refunded"),  # wide letters, a soft hyphen
        ("ᏒᎬfund", "REfund"),  # Cherokee
        ("ꓣꓰꓝꓴꓠꓓ", "REFUND"),  # Lisu
        ("ɓøøk ɖᶒł", "book del"),  # hooks and strokes
        ("ʀᴇꜰᴜɴᴅ", "refund"),  # small capitals
        ("🅁🅴🅵🆄🅽🅳", "REFUND"),  # letters in boxes
        ("ΙΝVΟΙCΕ", "INVOICE"),  # Greek capitals: iota is I and not l
        ("evil。com", "evil.com"),
        ("Größe für Ärzte", "Größe für Ärzte"),
        ("3–5 €", "3–5 €"),
        ("“no” ≠ ¥5 ©", "“no” ≠ ¥5 ©"),
        ("注文 한글 ٥ २", "注文 한글 ٥ २"),
        ("œuvre Straße Æon", "œuvre Straße Æon"),
    ],
)
def test_homoglyphs_are_replaced_by_the_letters_a_reader_sees(written: str, read: str) -> None:
    assert fold_homoglyphs(written) == read


@pytest.mark.parametrize("text", ["Где мой заказ, й и ё?", "Πού είναι;", "Իմ պատվերը", "ჩემი შეკვეთა", "ฉันรอ", "الطلب"])
def test_a_word_of_one_script_is_kept(text: str) -> None:
    assert normalised(text) == text == visible(text)
    assert not mixes_scripts(text)


@pytest.mark.parametrize(
    ("written", "read"),
    [("غَيَّرْنا العنـــوان", "غيرنا العنوان"), ("שָׁלוֹם", "שלום"), ("Żółw à côté", "Żółw à côté")],
    ids=["Arabic", "Hebrew", "Latin accents"],
)
def test_vowel_marks_do_not_change_what_is_read(written: str, read: str) -> None:
    assert as_read(written) == read


def test_an_overlong_question_is_cut() -> None:
    assert len(normalised("a" * 100_000)) == 6_000


def test_nothing_unstorable_or_invisible_is_shown() -> None:
    assert shown_text("a\x00b\u200bc\ud800d\x1b\u202ee\n\tf") == "abcde\n\tf"
