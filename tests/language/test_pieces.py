"""Hashed pieces of words: what models were taught by stays cut as it was."""

from zlib import crc32

from supportbot.language.pieces import BUCKETS, pieces_of


def buckets(*pieces: str) -> set[int]:
    return {crc32(piece.encode()) % BUCKETS for piece in pieces}


def test_words_neighbours_and_parts_are_pieces() -> None:
    parts = ("^ab", "ab$", "^ab$")
    assert pieces_of("Ab 12?", most=9) == buckets("ab", "0", "?", *parts, "< ab", "ab 0", "0 ?", "? >", "ab 0 ?")


def test_figures_are_all_alike() -> None:
    assert pieces_of("order 12345", most=9) == pieces_of("Order 7", most=9)


def test_what_comes_late_is_not_read() -> None:
    assert pieces_of("one two three", most=2) == pieces_of("one two", most=9)
