"""The parts of the shipped classifiers: hashed features of text (words, parts of words, neighbours), a linear model
over these features, small nets over vectors, and ensembles of both. Pure.

The features must be the same in training and in use, so after a change to them, all linear models must be trained
again.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final
from zlib import crc32

import numpy as np

BUCKETS: Final = 1 << 14
VECTOR_SHARE: Final = 0.6  # the weight of the net in an ensemble
_TOKEN: Final = re.compile(r"[^\W_]+|[^\w\s]")
_DIGITS: Final = re.compile(r"\d+")
_MAX_LETTERS: Final = 24  # letters of a word, including the marks at its ends
_LENGTHS: Final = (3, 4, 5)  # lengths of the parts of words


@lru_cache(maxsize=4_096)
def hashed_features(text: str, *, most: int) -> frozenset[int]:
    """Return the buckets of the first `most` words and signs, of their parts, and of neighbours. All numbers count as
    the same word.

    The caller must replace look-alike letters first (`normalise.fold_homoglyphs`).
    """
    tokens = _tokens(text)[:most]
    ends = ["<", *tokens, ">"]
    together = {*map(" ".join, pairwise(ends)), *map(" ".join, zip(tokens, tokens[1:], tokens[2:], strict=False))}
    return frozenset(map(_bucket, together)).union(*map(_features_of_word, tokens))


def hashed_words(text: str) -> frozenset[int]:
    """Return those of the `hashed_features` that do not depend on neighbours: words, signs and parts of words."""
    return frozenset().union(*map(_features_of_word, _tokens(text)))


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(_DIGITS.sub("0", text.lower()))


@lru_cache(maxsize=16_384)  # cached, because words recur
def _features_of_word(token: str) -> frozenset[int]:
    found = {token}
    if token.isalpha():
        marked = f"^{token}$"[:_MAX_LETTERS]
        found.update(marked[at : at + length] for length in _LENGTHS for at in range(len(marked) - length + 1))
    return frozenset(map(_bucket, found))


def _bucket(feature: str) -> int:
    return crc32(feature.encode()) % BUCKETS


Array = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Net:
    """The weights of one net, and the centring and scaling of its inputs."""

    centre: Array
    scale: Array
    hidden: Array
    hidden_bias: Array
    out: Array
    out_bias: Array

    def chances(self, inputs: Array, shape: Array | None = None) -> Array:
        """Return the probability of each class. `shape` contains further inputs, which are neither centred nor
        scaled.
        """
        seen = (inputs - self.centre) / self.scale
        seen = seen if shape is None else np.concatenate([seen, shape])
        return softmax(np.maximum(seen @ self.hidden + self.hidden_bias, 0) @ self.out + self.out_bias)


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear model over hashed features (`hashed_features`)."""

    pieces: Array  # its shape is features.BUCKETS x classes
    pieces_bias: Array

    def chances(self, found: Collection[int]) -> Array:
        """Return the probability of each class."""
        return softmax(self.pieces[list(found)].sum(axis=0) / np.sqrt(max(len(found), 1)) + self.pieces_bias)


@dataclass(frozen=True)
class Ensemble:
    """A linear model over hashed features, and a net over a message's vector and further inputs."""

    linear: Linear
    net: Net

    def chances(self, found: Collection[int], vector: Array | None, shape: Array) -> Array:
        """Return the probability of each class: the weighted geometric mean of both models or, if there is no vector,
        the linear model's probability.
        """
        by_words = self.linear.chances(found)
        if vector is None:
            return by_words
        both = self.net.chances(vector, shape) ** VECTOR_SHARE * by_words ** (1 - VECTOR_SHARE)
        shares: Array = both / both.sum()
        return shares


def net_in(stored: Mapping[str, Array], name: str = "") -> Net:
    """Return the net whose arrays are stored under names such as "<name><field>"."""
    return Net(**{field: stored[f"{name}{field}"].astype(np.float32) for field in Net.__slots__})


def linear_in(stored: Mapping[str, Array]) -> Linear:
    return Linear(**{field: stored[field].astype(np.float32) for field in Linear.__slots__})


def ensemble_in(stored: Mapping[str, Array]) -> Ensemble:
    return Ensemble(linear_in(stored), net_in(stored))


def softmax(logits: Array) -> Array:
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Array = odds / odds.sum(axis=-1, keepdims=True)
    return shares


def unit(vector: Any) -> Array:
    """Return the vector, scaled to length 1."""
    side: Array = np.asarray(vector, dtype=np.float32)
    return side / max(float(np.linalg.norm(side)), 1e-9)
