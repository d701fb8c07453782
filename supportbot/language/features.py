"""A text as hashed features (words, their parts, their neighbours) for linear models. Pure.

Training and use must compute the same features: after a change here, all these models must be retrained.
"""

import re
from functools import lru_cache
from itertools import pairwise
from typing import Final
from zlib import crc32

BUCKETS: Final = 1 << 14
_TOKEN: Final = re.compile(r"[^\W_]+|[^\w\s]")
_DIGITS: Final = re.compile(r"\d+")
_MAX_LETTERS: Final = 24  # of a word, with its ends marked
_LENGTHS: Final = (3, 4, 5)  # of a word's parts


@lru_cache(maxsize=4_096)
def hashed_features(text: str, *, most: int) -> frozenset[int]:
    """Return the buckets of the first `most` words and signs, their parts and their neighbours; all numbers count as
    the same word.

    Look-alike letters are left to the caller (`normalise.fold_homoglyphs`).
    """
    tokens = _TOKEN.findall(_DIGITS.sub("0", text.lower()))[:most]
    ends = ["<", *tokens, ">"]
    together = {*map(" ".join, pairwise(ends)), *map(" ".join, zip(tokens, tokens[1:], tokens[2:], strict=False))}
    return frozenset(map(_bucket, together)).union(*map(_features_of_word, tokens))


@lru_cache(maxsize=16_384)  # words occur again and again
def _features_of_word(token: str) -> frozenset[int]:
    found = {token}
    if token.isalpha():
        marked = f"^{token}$"[:_MAX_LETTERS]
        found.update(marked[at : at + length] for length in _LENGTHS for at in range(len(marked) - length + 1))
    return frozenset(map(_bucket, found))


def _bucket(feature: str) -> int:
    return crc32(feature.encode()) % BUCKETS
