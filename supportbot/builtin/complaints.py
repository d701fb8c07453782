"""Detects complaints: messages that say that something went wrong, for example late, broken, missing, charged twice.

An answer to such a message begins with an apology. Questions about such cases do not count, and neither does a change
of mind. `scripts/train_complaints.py` trains the model on the rows in `data/complaints.jsonl`, which are our own, and
on the complaints, questions and requests in the intent data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from supportbot.builtin.intents import DATA, FEATURE_WORDS_MOST, VECTOR_SHARE, classify, normalised, shape_of
from supportbot.language.classifiers import Array, Linear, Net, hashed_features, linear_in, net_in
from supportbot.language.normalise import fold_homoglyphs

# An apology when nothing went wrong is odder than a missing one when something did. docs/decisions/built-in-answerer.md
# has the figures.
COMPLAINT_FROM: Final = 0.6


@dataclass(frozen=True)
class Weights:
    """A small net over vector and shape, and a linear model over hashed features; class 1 is complaints."""

    linear: Linear
    net: Net


def is_complaint(text: str) -> bool:
    """Return whether a message says that something went wrong."""
    return bool(text.strip()) and complaint_chance(text, classify(text).vector, weights_shipped()) >= COMPLAINT_FROM


def complaint_chance(text: str, vector: Array, weights: Weights) -> float:
    """Return the probability that a message is a complaint; `vector` is the unit vector of the classified message."""
    plain = normalised(text)
    by_words = weights.linear.chances(hashed_features(fold_homoglyphs(plain), most=FEATURE_WORDS_MOST))
    both = weights.net.chances(vector, shape_of(plain)) ** VECTOR_SHARE * by_words ** (1 - VECTOR_SHARE)
    return float(both[1] / both.sum())


@cache
def weights_shipped() -> Weights:
    """Return the weights, read once per process."""
    with np.load(DATA / "complaints.npz") as stored:
        return weights_from(stored)


def weights_from(stored: Mapping[str, Any]) -> Weights:
    return Weights(linear_in(stored), net_in(stored))
