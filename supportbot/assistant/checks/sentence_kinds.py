"""Classifies a model's sentences as deed, talk, claim or regret. Pure: vectors are passed in.

A deed says or promises that something was, is or will be done for this customer. Talk (a courtesy, a question, an
offer, a heading) needs no source; a claim about the world does. A regret says that the assistant cannot do, does not
know or has not done something.

There are two models. One reads pieces of words, takes a tenth of a millisecond, and knows only the languages in which
it was trained (`scripts/train_kinds.py`, `data/kinds.npz`). The other reads the sentence together with pieces of the
pages and knows all languages (`cross_encoders`, `scripts/train_kind_layers.py`, `data/kind_layers.npz`). Their results
on unseen authors are in docs/decisions/checks-by-harm.md.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import add, sub
from typing import Final

import numpy as np

from supportbot.assistant.checks.cross_encoders import DATA, ModelInput, logits, model_input
from supportbot.language.classifiers import Array, Linear, hashed_features, hashed_words, linear_in, softmax
from supportbot.language.normalise import as_read, fold_homoglyphs

KINDS: Final = ("deed", "talk", "claim", "regret")
_DEED: Final = KINDS.index("deed")
FEATURE_WORDS_MOST: Final = 80  # words and signs of a sentence that are read
LANGUAGES: Final = frozenset({"en", "de", "fr", "es", "it", "nl", "pl", "pt", "tr"})
_UNHEARD: Final = 30
_BEGINNING: Final = "<"  # put before the first word
# The number of pieces of the pages with which a sentence is read, and the minimum number of content words in each. A
# heading says nothing, and a piece about something else makes a deed look like a rule. A sentence is read alone if its
# language differs from that of the pages, or if something was done or looked up in the conversation.
PIECES_BESIDE: Final = 2
TELLING_WORDS_LEAST: Final = 3
_EMPHASIS: Final = re.compile(r"[*`~]+")
HELD_FROM: Final = 0.35  # if the word pieces make a deed this likely, the sentence waits until it is complete


@dataclass(frozen=True, slots=True)
class Kind:
    """How likely a sentence is to be of each of the four kinds; the values add up to 1."""

    deed: float
    talk: float
    claim: float
    regret: float

    @property
    def needs_ground(self) -> bool:
        """Whether the sentence is more likely to be about the world than about the conversation."""
        return self.claim + self.deed >= self.talk + self.regret


@lru_cache(maxsize=256)
def by_pieces(sentence: str) -> Kind:
    """Return the kind according to the pieces of the sentence's words."""
    found = hashed_features(fold_homoglyphs(as_read(sentence)), most=FEATURE_WORDS_MOST)
    return Kind(*weights_shipped().chances(found).tolist()) if found else Kind(0.0, 1.0, 0.0, 0.0)


def beside_pages(sentence: str, pieces: Sequence[str]) -> ModelInput:
    """Return a sentence joined with pieces of the pages; the vector of this text shows the sentence's kind. Marks of
    emphasis are left out, because they could be inside a word.
    """
    return model_input(_EMPHASIS.sub("", sentence), pieces, by="kinds")


def by_reading(vector: Sequence[float]) -> Kind:
    """Return the kind according to the vector of `beside_pages`."""
    return Kind(*softmax(logits(vector, by="kinds")).tolist())


@cache
def weights_shipped() -> Linear:
    """Return the shipped weights of the pieces, read once per process."""
    with np.load(DATA / "kinds.npz") as stored:
        return linear_in(stored)


@cache
def _pieces_by_bucket() -> list[list[float]]:
    """Return the weights of the pieces as log odds. They are plain numbers, because a word has only thirty pieces, too
    few for numpy to be faster.
    """
    rows: list[list[float]] = _log_odds(weights_shipped().pieces).tolist()
    return rows


@cache
def _bias_of_pieces() -> list[float]:
    bias: list[float] = _log_odds(weights_shipped().pieces_bias).tolist()
    return bias


def _log_odds(weights: Array) -> Array:
    """Return the weights of the other kinds relative to those of a deed; a deed's likelihood depends only on these."""
    exact = weights.astype(np.float64)
    return np.delete(exact - exact[..., [_DEED]], _DEED, axis=-1)


@lru_cache(maxsize=4_096)  # most of a shop's answers consist of the same pairs of words
def _added(before: str, word: str) -> tuple[frozenset[int], tuple[float, ...], str]:
    """Return the pieces that a word adds after the word `before`, the sum of their weights, and the word in the form
    that the next call takes as `before`. They are the pieces of the word alone and of the pair; those of `before` alone
    were found by the call for that word.
    """
    plain = fold_homoglyphs(word)
    pieces = hashed_features(f"{before} {plain}", most=FEATURE_WORDS_MOST)
    if before != _BEGINNING:
        pieces -= hashed_words(before)
    return pieces, _weights_of(pieces), plain.strip()


def _weights_of(pieces: Iterable[int]) -> tuple[float, ...]:
    rows = _pieces_by_bucket()
    return tuple(map(sum, zip(*(rows[piece] for piece in pieces), strict=True)))


class Opening:
    """The beginning of a sentence, read word by word. As long as it is harmless, it may be shown before the rest
    arrives.

    This works only in the languages that the model for pieces was trained on. In all other languages, a sentence waits
    until it is complete.
    """

    def __init__(self) -> None:
        self._found: set[int] = set()
        self._log_odds = [0.0] * (len(KINDS) - 1)
        self._before = _BEGINNING
        self._is_harmless = True

    def stays_harmless(self, word: str, language: str) -> bool:
        """Take the next word; return whether nothing so far suggests a deed."""
        if language not in LANGUAGES:
            return False
        pieces, log_odds, self._before = _added(self._before, word)
        if again := pieces & self._found:  # each piece counts once, however often it occurs
            log_odds = tuple(map(sub, log_odds, _weights_of(again)))
        self._found |= pieces
        self._log_odds = list(map(add, self._log_odds, log_odds))
        # A few pieces say little, so the pieces that are still to come count as neutral.
        length = math.sqrt(len(self._found) + _UNHEARD)
        odds = [math.exp(one / length + bias) for one, bias in zip(self._log_odds, _bias_of_pieces(), strict=True)]
        self._is_harmless = self._is_harmless and 1 / (1 + sum(odds)) < HELD_FROM
        return self._is_harmless
