"""The cross-encoders: models that read a sentence together with the texts it is compared with. Pure: vectors are passed
in.

Each model is the packaged embedder with different weights in its last four layers. `records` decides whether a sentence
says no more than the records of what was done, and `kinds` decides which kind of sentence it is, given the pages. They
are trained by `scripts/train_record_layers.py` and `scripts/train_kind_layers.py`; their weights are in
`data/record_layers.npz` and `data/kind_layers.npz`.
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
LONGEST_PART: Final = 400  # characters of the sentence and of each other text, so that they fit into the model together
WINDOW_CHARACTERS: Final = 320  # computing a vector takes a third of a millisecond per character
_BETWEEN: Final = " passage: "
_MARK: Final = re.compile(r"\b(?:passage|query)\s*:", re.IGNORECASE)
Model = Literal["records", "kinds"]
MODELS: Final[tuple[Model, ...]] = ("records", "kinds")
Vector = Sequence[float]


@dataclass(frozen=True, slots=True)
class ModelInput:
    """A text for `model`: a sentence together with the texts it is compared with."""

    text: str
    model: Model


Wanted = str | ModelInput  # a text whose vector is needed; strings are for the unchanged packaged embedder


def model_input(sentence: str, beside: Sequence[str], *, by: Model) -> ModelInput:
    return ModelInput(together(sentence, beside), by)


def together(sentence: str, beside: Sequence[str]) -> str:
    """Return a sentence joined with the texts it is compared with, in the form that the models were trained on."""
    parts = (_MARK.sub("", as_read(part)) for part in (sentence, *beside))  # so that no part can look like two
    return _BETWEEN.join(part[:LONGEST_PART] for part in parts)


def windows_of_page(title: str, text: str) -> Iterator[str]:
    """Yield a page in windows of two sentences, each with the page's title, so that it is clear what "it" refers to."""
    units = [sentence.strip() for sentence in sentences_of(text) if sentence.strip()]
    for at in range(0, len(units), 2):
        yield f"{title}: {' '.join(units[at : at + 2])}"[:WINDOW_CHARACTERS]


class Layers(NamedTuple):
    """A model's own layers, by their names in the packaged model; `direction` and `bias` turn its vectors into
    outputs.
    """

    weights: Mapping[str, Array]
    direction: Array
    bias: Array


def logits(vector: Vector, *, by: Model) -> Array:
    """Return a model's output for the vector of a text: one number, or one for each kind."""
    layers = layers_of(by)
    return np.asarray(np.asarray(vector, dtype=np.float32) @ layers.direction + layers.bias)


@cache
def layers_of(model: Model) -> Layers:
    """Return the shipped layers of a model, read once per process."""
    with np.load(DATA / f"{model[:-1]}_layers.npz") as stored:
        weights = {name: stored[name] for name in stored.files if name not in ("direction", "bias")}
        return Layers(weights, stored["direction"].astype(np.float32), stored["bias"].astype(np.float32))
