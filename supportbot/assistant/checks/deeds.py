"""Detects sentences that claim or promise a deed, and whether the ledger or a look-up confirms them. Pure.

A sentence is first classified by the pieces of its words; its vector is used only if these leave a doubt. If the
sources use the same words, both must agree that it is a deed: a shop's pages are full of refunds, and their sentences
are rules.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from supportbot.assistant.checks.kinds import DATA, Kind, by_pieces, by_vector, shape_of
from supportbot.language.detection import detect
from supportbot.language.figures import figures_in, known_figures
from supportbot.language.words import telling_stems

# By pieces alone: below the first nothing is a deed, from the second on it is one where no vector can be had.
DOUBT_FROM: Final = 0.1
SURE_FROM: Final = 0.7
SPENT_FROM: Final = 0.5  # the same where an answer has had all its vectors: by then it has raised that many doubts
# Of the joint score of both. The more of a sentence the pages have too, the surer one must be: by neighbouring words,
# and, since any page about refunds has the words of any claim about one, only a little by words alone.
DEED_FROM: Final = 0.25
IN_THEIR_WORDS: Final = (0.65, 0.7)
WITH_THEIR_WORDS: Final = (0.8, 0.6)
# Low for what was done: of true statements about it hardly one may be lost, and one about another record is far below.
# A look-up has many facts beside each other, and what it does not say is soon said of the same order.
DONE_FROM: Final = 0.15
LOOKED_UP_FROM: Final = 0.25

Vector = Sequence[float]


def is_deed(
    sentence: str, vector: Vector | None, *, in_their_words: float, support: float | None, is_spent: bool = False
) -> bool:
    """Return whether a sentence counts as a deed.

    `in_their_words` is the share of its neighbouring words that are neighbours in a page, `support` the share of its
    words that the pages have. `is_spent` says that there is no vector because the answer has had all it may have.
    """
    pieces, least = by_pieces(sentence), DEED_FROM
    for share, (enough, level) in ((support or 0.0, WITH_THEIR_WORDS), (in_their_words, IN_THEIR_WORDS)):
        least = level if share >= enough else least
    if vector is None:
        return len(sentence.split()) > 1 and pieces.deed >= max(SPENT_FROM if is_spent else SURE_FROM, least)
    return joint(pieces, by_vector(sentence, vector)) >= least


def joint(pieces: Kind, seen: Kind) -> float:
    """Return how likely a sentence is a deed by both models; the vector counts three times as much."""
    return 1 / (1 + math.exp(-(0.75 * _odds(seen.deed) + 0.25 * _odds(pieces.deed))))


def _odds(share: float) -> float:
    share = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(share / (1 - share))


@dataclass(frozen=True)
class Records:
    """Our own words for what was done, and what look-ups found, with their vectors where known."""

    done: tuple[str, ...]
    looked_up: tuple[str, ...]
    vectors: Mapping[str, Vector]

    def hold(self, sentence: str, vector: Vector | None) -> bool:
        """Return whether a record confirms the sentence: all its figures, and the same deed."""
        known = known_figures((*self.done, *self.looked_up))
        if vector is None or not all(known.holds(figure) for figure in figures_in(sentence)):
            return False
        seen = [text for text in self.looked_up if _is_in_its_words(sentence, text)]
        return self._say_it(sentence, vector, self.done, DONE_FROM) or self._say_it(
            sentence, vector, seen, LOOKED_UP_FROM
        )

    def _say_it(self, sentence: str, vector: Vector, texts: Sequence[str], least: float) -> bool:
        near = [(text, self.vectors[text]) for text in texts if text in self.vectors]
        return any(says_the_same(sentence, vector, text, other) >= least for text, other in near)


def _is_in_its_words(sentence: str, record: str) -> bool:
    """Return whether a record has most of a sentence's content words; true if their languages differ."""
    language = detect(record, "en")
    if detect(sentence, language) != language:
        return True
    said = [one for one in telling_stems(sentence, language) if not one.isdigit()]
    known = telling_stems(record, language)
    return sum(one in known for one in said) > len(said) / 2


def says_the_same(sentence: str, vector: Vector, record: str, other: Vector) -> float:
    """Return how likely a sentence says no more than a record, by their vectors; figures are compared elsewhere."""
    weights = _record_weights()
    seen = (pair_of(sentence, vector, record, other, weights) - weights["centre"]) / weights["scale"]
    inner = np.maximum(seen @ weights["hidden"] + weights["hidden_bias"], 0)
    return 1 / (1 + math.exp(-float((inner @ weights["out"] + weights["out_bias"]).item())))


def pair_of(sentence: str, vector: Vector, record: str, other: Vector, weights: Mapping[str, Any]) -> Any:
    """Return the features by which a sentence and a record are compared.

    `mean`, `axes` and `status_axes` of the weights project a vector onto the few directions in which deeds and their
    outcomes (done, waiting, refused ...) differ, whatever the language and whoever speaks.
    """
    one, two = _unit(vector), _unit(other)
    said, noted = (_unit((side - weights["mean"]) @ weights["axes"]) for side in (one, two))
    became = [(side - weights["mean"]) @ weights["status_axes"] for side in (one, two)]
    figures, known = figures_in(sentence), known_figures([record])
    shared = sum(known.holds(figure) for figure in figures)
    likeness = [float(one @ two) * 10, float(said @ noted) * 3]
    lengths = [len(sentence.split()) / 10, len(record.split()) / 10, len(figures), shared]
    differences = [np.abs(said - noted) * 3, said * noted * 6, became[0] - became[1]]
    return np.concatenate([*differences, said * 3, noted * 3, *became, shape_of(sentence), likeness, lengths])


def _unit(vector: Any) -> Any:
    side = np.asarray(vector, dtype=np.float32)
    return side / max(float(np.linalg.norm(side)), 1e-9)


@cache
def _record_weights() -> dict[str, Any]:
    with np.load(DATA / "records.npz") as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}
