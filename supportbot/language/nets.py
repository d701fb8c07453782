"""The models that classifiers ship: a linear one over hashed features, and small nets over vectors. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Net:
    """The weights of one net, and how its inputs are centred and scaled."""

    centre: Array
    scale: Array
    hidden: Array
    hidden_bias: Array
    out: Array
    out_bias: Array

    def chances(self, inputs: Array, shape: Array | None = None) -> Array:
        """Return how likely each class is; `shape` are further inputs, neither centred nor scaled."""
        seen = (inputs - self.centre) / self.scale
        seen = seen if shape is None else np.concatenate([seen, shape])
        return softmax(np.maximum(seen @ self.hidden + self.hidden_bias, 0) @ self.out + self.out_bias)


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear model over hashed features (`features`)."""

    pieces: Array  # features.BUCKETS x classes
    pieces_bias: Array

    def chances(self, found: Collection[int]) -> Array:
        """Return how likely each class is."""
        return softmax(self.pieces[list(found)].sum(axis=0) / np.sqrt(max(len(found), 1)) + self.pieces_bias)


def net_in(stored: Mapping[str, Array], name: str = "") -> Net:
    """Return the net whose arrays are stored as "<name><field>"."""
    return Net(**{field: stored[f"{name}{field}"].astype(np.float32) for field in Net.__slots__})


def linear_in(stored: Mapping[str, Array]) -> Linear:
    return Linear(**{field: stored[field].astype(np.float32) for field in Linear.__slots__})


def softmax(logits: Array) -> Array:
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Array = odds / odds.sum(axis=-1, keepdims=True)
    return shares


def unit(vector: Any) -> Array:
    """Return the vector with length 1."""
    side: Array = np.asarray(vector, dtype=np.float32)
    return side / max(float(np.linalg.norm(side)), 1e-9)
