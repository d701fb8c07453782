"""Words, stems and content words, in all kinds of scripts."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from supportbot.language.words import content_stems, stem, stem_similarity, stems, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Don't wait!", ["don", "t", "wait"]),
        ("l’ordine è in ritardo", ["l", "ordine", "è", "in", "ritardo"]),
        ("WF-20418: 6,90 € by 10:30", ["wf", "20418", "6,90", "by", "10:30"]),
        ("3rd of 14days", ["3rd", "of", "14days"]),
        ("Die Straße", ["die", "strasse"]),
        ("注文はどこ", ["注文", "文は", "はど", "どこ"]),
        ("Tシャツ", ["t", "シャ", "ャツ"]),
        ("中", ["中"]),
        ("मेरा ऑर्डर", ["मेरा", "ऑर्डर"]),
        ("где мой заказ", ["где", "мой", "заказ"]),
        ("e\u0301te\u0301", ["été"]),
        ("snake_case", ["snake", "case"]),
        ("", []),
        ("?!…", []),
    ],
)
def test_text_is_split_into_words(text: str, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "refunds", "refunded"), ("de", "lieferung", "lieferungen"), ("fr", "commandes", "commande"),
        ("es", "devoluciones", "devolución"), ("it", "rimborsi", "rimborso"), ("nl", "bestellingen", "bestelling"),
        ("pl", "zamówienia", "zamówienie"), ("pt", "devoluções", "devolução"), ("tr", "siparişler", "sipariş"),
        ("nn", "pakkene", "pakken"),
    ],
)  # fmt: skip
def test_forms_of_a_word_share_a_stem(language: str, one: str, other: str) -> None:
    assert stem(one, language) == stem(other, language)


def test_a_word_of_an_unknown_language_is_its_own_stem() -> None:
    assert stem("refunds", "xx") == stem("refunds", "") == "refunds"
    assert stems("refunds 20418", "en") == ["refund", "20418"]


@pytest.mark.parametrize(
    ("text", "language", "telling"),
    [
        ("Where are the refunds we're waiting for?", "en", {"refund", "wait"}),
        ("Wo ist das Paket mit der Jacke?", "de", {"pak", "jack"}),
        ("C'est l'heure de la livraison", "fr", {"heur", "livraison"}),
        ("Is it size M or 42?", "en", {"size", "42"}),
        ("the of", "en", set()),
        ("the of", "xx", {"the", "of"}),
        ("中", "zh", {"中"}),
    ],
)
def test_content_stems_leave_out_stop_words(text: str, language: str, telling: set[str]) -> None:
    assert content_stems(text, language) == telling


def test_stems_are_the_same_in_all_threads() -> None:
    """Snowball's stemmers keep the current word as state."""
    said = [f"deliveries returned refunds cancelling {'ing' * n}" for n in range(200)]
    alone = [stems(text, "en") for text in said]
    stem.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda text: stems(text, "en"), said)) == alone


@pytest.mark.parametrize(
    ("asked", "found", "how_far"),
    [("kost", "kost", 1.0), ("versand", "versandkost", 0.7), ("kosten", "versandkosten", 0.6), ("tent", "boot", 0.0)],
)
def test_a_longer_form_and_the_end_of_a_compound_match_in_part(asked: str, found: str, how_far: float) -> None:
    assert stem_similarity(asked, {found, "other"}) == how_far
