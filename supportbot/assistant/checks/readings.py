"""Texts in which a sentence stands beside what it is compared with, and the models that read them. Pure: vectors are
passed in.

Each model is the packaged embedder with other weights in its last four layers, so that every word of the sentence is
seen beside the words of the rest: `records` decides whether a sentence says no more than the records of what was done,
`kinds` which kind of sentence it is beside the pages. They are trained by `scripts/train_record_layers.py` and
`scripts/train_kind_layers.py`; their weights are in `data/<model>_layers.npz`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np

from supportbot.language.classifiers import Array
from supportbot.language.normalise import as_read
from supportbot.language.sentences import sentences_of

DATA: Final = Path(__file__).parent / "data"
LONGEST_PART: Final = 400  # characters of a sentence or of what stands beside it, so that all fit the model
WINDOW_CHARACTERS: Final = 320  # a vector takes a third of a millisecond for each
_BETWEEN: Final = " passage: "
_MARK: Final = re.compile(r"\b(?:passage|query)\s*:", re.IGNORECASE)
Model = Literal["records", "kinds"]
MODELS: Final[tuple[Model, ...]] = ("records", "kinds")
Vector = Sequence[float]


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence and what it is read beside, as one text whose vector is computed by that model."""

    text: str
    model: Model


Wanted = str | Reading  # a text whose vector is needed; a plain one by the packaged embedder as it is


def reading(sentence: str, beside: Sequence[str], *, by: Model) -> Reading:
    return Reading(together(sentence, beside), by)


def together(sentence: str, beside: Sequence[str]) -> str:
    """Return a sentence and what stands beside it as the text that the models were trained to read."""
    parts = (_MARK.sub("", as_read(part)) for part in (sentence, *beside))  # none can pretend to be a further part
    return _BETWEEN.join(part[:LONGEST_PART] for part in parts)


def windows_of_page(title: str, text: str) -> Iterator[str]:
    """Yield a page in windows of two sentences with its title, so that "it" has its noun nearby."""
    said = [sentence.strip() for sentence in sentences_of(text) if sentence.strip()]
    for at in range(0, len(said), 2):
        yield f"{title}: {' '.join(said[at : at + 2])}"[:WINDOW_CHARACTERS]


class Layers(NamedTuple):
    """The layers of a model, by their names in the packaged one, and how its vectors are read."""

    weights: Mapping[str, Array]
    direction: Array
    bias: Array


def logits(vector: Vector, *, by: Model) -> Array:
    """Return what a model says of a text by its vector: one number, or one for each kind."""
    layers = layers_of(by)
    return np.asarray(np.asarray(vector, dtype=np.float32) @ layers.direction + layers.bias)


@cache
def layers_of(model: Model) -> Layers:
    """Return the shipped layers of a model, read once per process."""
    with np.load(DATA / f"{model[:-1]}_layers.npz") as stored:
        weights = {name: stored[name] for name in stored.files if name not in ("direction", "bias")}
        return Layers(weights, stored["direction"].astype(np.float32), stored["bias"].astype(np.float32))
