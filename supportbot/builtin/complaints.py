"""Detects complaints: messages that say that something went wrong, for example that a parcel is late, broken or
missing, or that the customer was charged twice.

The answer to a complaint begins with an apology. Questions about such problems are not complaints, nor is a change of
mind. `scripts/train_complaints.py` trains the model on our own rows in `data/complaints.jsonl` and on the complaints,
questions and requests in the intent data.
"""

from functools import cache
from typing import Final

import numpy as np

from supportbot.builtin.intents import DATA, FEATURE_WORDS_MOST, classify, normalised, shape_of, without_records
from supportbot.language.classifiers import Array, Ensemble, ensemble_in, hashed_features
from supportbot.language.follow_ups import asks_something
from supportbot.language.normalise import fold_homoglyphs

# An unnecessary apology is worse than a missing one. docs/decisions/built-in-answerer.md has the figures.
COMPLAINT_FROM: Final = 0.6
# Before a card, an unnecessary apology is even worse: "Extend my rental by 2 hours" has a probability of 0.66.
BEFORE_CARD_FROM: Final = 0.8
# For messages about an order, hardly any of which are neither a question nor a report of a problem.
# docs/decisions/built-in-answerer.md has the figures.
ORDER_PROBLEM_FROM: Final = 0.4


def is_complaint(text: str, least: float = COMPLAINT_FROM) -> bool:
    """Return whether a message is a complaint with a probability of at least `least`."""
    return bool(text.strip()) and complaint_chance(text, classify(text).vector, weights_shipped()) >= least


def reports_order_problem(text: str) -> bool:
    """Return whether a message about an order reports a problem and asks nothing. It is read without the order's
    number, because the model has seen such numbers mainly in requests.
    """
    return is_complaint(without_records(text), ORDER_PROBLEM_FROM) and not asks_something(text)


def complaint_chance(text: str, vector: Array, weights: Ensemble) -> float:
    """Return the probability that a message is a complaint; `vector` is the unit vector of the classified message."""
    plain = normalised(text)
    features = hashed_features(fold_homoglyphs(plain), most=FEATURE_WORDS_MOST)
    return float(weights.chances(features, vector, shape_of(plain))[1])


@cache
def weights_shipped() -> Ensemble:
    """Return the weights, read once per process; class 1 is complaints."""
    with np.load(DATA / "complaints.npz") as stored:
        return ensemble_in(stored)
