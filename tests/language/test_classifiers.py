"""Hashed pieces of words: they must stay the features that models were trained on."""

from zlib import crc32

from supportbot.language.classifiers import BUCKETS, hashed_features, hashed_words


def buckets(*pieces: str) -> set[int]:
    return {crc32(piece.encode()) % BUCKETS for piece in pieces}


def test_words_pairs_and_parts_are_features() -> None:
    parts = ("^ab", "ab$", "^ab$")
    assert hashed_features("Ab 12?", most=9) == buckets("ab", "0", "?", *parts, "< ab", "ab 0", "0 ?", "? >", "ab 0 ?")


def test_all_figures_are_one_feature() -> None:
    assert hashed_features("order 12345", most=9) == hashed_features("Order 7", most=9)


def test_words_beyond_the_limit_are_not_read() -> None:
    assert hashed_features("one two three", most=2) == hashed_features("one two", most=9)


def test_the_features_of_words_are_those_without_neighbours() -> None:
    words, neighbours = hashed_words("I refunded 12 €"), buckets("< i", "i refunded", "refunded 0", "0 €", "€ >")
    assert hashed_features("I refunded 12 €", most=9) - words == neighbours | buckets("i refunded 0", "refunded 0 €")
