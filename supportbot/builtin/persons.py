"""Distinguishes requests for a person from questions about who is answering, and from all other messages.

"Can I talk to a person?" and "Am I talking to a person?" share most of their words. The first model only divides the
probability that the head in `intents.py` gives to both kinds together, so it changes nothing else. It is trained on the
rows in `data/persons.jsonl`, which are our own, and on the intents' rows of both kinds.

In "My jacket ripped, get me someone", the head mainly sees the problem. The second model knows only requests for a
person and all other messages. It is trained on these rows, on our own in `data/person_requests.jsonl`, and on all those
of the intents and complaints. `scripts/train_persons.py` trains both.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from supportbot.language.classifiers import Array, Linear, Net, linear_in, net_in

FILE: Final = Path(__file__).parent / "data" / "persons.npz"
REQUESTS_FILE: Final = FILE.with_name("person_requests.npz")
VECTOR_SHARE: Final = 0.6  # the weight of the net in the geometric mean of the two models


@dataclass(frozen=True)
class Weights:
    """A small net over vector and shape, and a linear model over hashed features; class 1 is requests for a person."""

    linear: Linear
    net: Net


def person_share(features: Collection[int], vector: Array | None, shape: Array, weights: Weights) -> float:
    """Return the probability that a message asks for a person, if it is of a kind that the weights know; without a
    vector, from its words alone.
    """
    both = weights.linear.chances(features)
    if vector is not None:
        both = weights.net.chances(vector, shape) ** VECTOR_SHARE * both ** (1 - VECTOR_SHARE)
    return float(both[1] / both.sum())


@cache
def weights_shipped() -> Weights:
    """Return the weights that divide both kinds, read once per process."""
    with np.load(FILE) as stored:
        return weights_from(stored)


@cache
def request_weights_shipped() -> Weights:
    """Return the weights that know all kinds of messages, read once per process."""
    with np.load(REQUESTS_FILE) as stored:
        return weights_from(stored)


def weights_from(stored: Mapping[str, Any]) -> Weights:
    return Weights(linear_in(stored), net_in(stored))
