"""A text as hashed pieces of its words, for the linear models that are taught by them. Pure.

What a model was taught by and what it reads must be cut alike: another rule here means to teach all of them again.
"""

import re
from functools import lru_cache
from itertools import pairwise
from typing import Final
from zlib import crc32

BUCKETS: Final = 1 << 14
_TOKEN: Final = re.compile(r"[^\W_]+|[^\w\s]")
_DIGITS: Final = re.compile(r"\d+")
_LETTERS_MOST: Final = 24  # of a word, with its ends marked
_LENGTHS: Final = (3, 4, 5)  # of a word's parts


@lru_cache(maxsize=4_096)
def pieces_of(text: str, *, most: int) -> frozenset[int]:
    """Return the buckets of the first words, of their neighbours and of their parts; figures are all alike.

    Look-alike letters are the caller's business (`normalise.undisguised`); `most` words and signs are read.
    """
    tokens = _TOKEN.findall(_DIGITS.sub("0", text.lower()))[:most]
    found = set(tokens)
    for token in tokens:
        if token.isalpha():
            marked = f"^{token}$"[:_LETTERS_MOST]
            found.update(marked[at : at + length] for length in _LENGTHS for at in range(len(marked) - length + 1))
    ends = ["<", *tokens, ">"]
    found.update(" ".join(pair) for pair in pairwise(ends))
    found.update(" ".join(three) for three in zip(tokens, tokens[1:], tokens[2:], strict=False))
    return frozenset(crc32(piece.encode()) % BUCKETS for piece in found)
