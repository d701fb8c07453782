"""Train the small models that read a text's vector and its hashed features, for the `train_*` programs in this folder.

Vectors are cached in the system's temporary directory, since computing a thousand takes half a minute.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kb.embedders.packaged import RECIPE, PackagedEmbedder
from supportbot.builtin import intents
from supportbot.language.classifiers import BUCKETS, Ensemble, hashed_features, softmax
from supportbot.language.normalise import fold_homoglyphs

VECTORS = Path(tempfile.gettempdir()) / f"supportbot-vectors-{RECIPE.name}.npz"
BATCH, DECAY, RATE = 64, 0.02, 0.002
FEATURES_DECAY, FEATURES_RATE = 0.00001, 0.25


@dataclass(frozen=True, slots=True)
class Training:
    """How small nets are trained: their number and size, the rounds, and the share of inputs dropped in each step."""

    nets: int = 4
    hidden: int = 40
    rounds: int = 32
    dropout: float = 0.35
    numbers: type[np.floating] = np.float32


def vectors_of(texts: Sequence[str]) -> np.ndarray:
    stored: dict[str, np.ndarray] = {}
    if VECTORS.exists():
        with np.load(VECTORS, allow_pickle=False) as file:
            stored = dict(zip(file["texts"].tolist(), file["vectors"], strict=True))
    embedder = PackagedEmbedder()
    missing = [text for text in dict.fromkeys(texts) if text not in stored]
    for text in missing:
        stored[text] = np.array(embedder.query(text), dtype=np.float32)
    if missing:
        np.savez(VECTORS, texts=np.array(list(stored)), vectors=np.array(list(stored.values())))
    return np.array([stored[text] for text in texts])


def averaged(
    seen: np.ndarray, wanted: np.ndarray, shares: np.ndarray, *, classes: int, training: Training = Training()
) -> dict[str, np.ndarray]:
    """Return several nets as one that gives their mean. Each starts with different weights, so chance evens out."""
    seen, shares = seen.astype(training.numbers), shares.astype(training.numbers)
    nets = [net(seen, wanted, shares, classes, training, seed) for seed in range(training.nets)]
    return {
        "hidden": np.hstack([one[0] for one in nets]), "hidden_bias": np.hstack([one[1] for one in nets]),
        "out": np.vstack([one[2] for one in nets]) / len(nets), "out_bias": sum(one[3] for one in nets) / len(nets),
    }  # fmt: skip


def net(
    seen: np.ndarray, wanted: np.ndarray, shares: np.ndarray, classes: int, training: Training, seed: int
) -> list[np.ndarray]:
    """Return the weights of one small net. It is trained with dropout, so no single input decides."""
    random = np.random.default_rng(seed)
    count, width = seen.shape
    hidden, numbers = training.hidden, training.numbers
    values = [
        random.normal(0, width**-0.5, (width, hidden)), np.zeros(hidden),
        random.normal(0, hidden**-0.5, (hidden, classes)), np.zeros(classes),
    ]  # fmt: skip
    values = [value.astype(numbers) for value in values]
    means, squares = [np.zeros_like(value) for value in values], [np.zeros_like(value) for value in values]
    step = 0
    for _ in range(training.rounds):
        for chosen in np.array_split(random.permutation(count), max(1, count // BATCH)):
            kept = random.random((len(chosen), width), dtype=numbers) > training.dropout
            inputs = seen[chosen] * (kept * numbers(1 / (1 - training.dropout)))
            inner = inputs @ values[0] + values[1]
            active = np.maximum(inner, 0)
            error = softmax(active @ values[2] + values[3])
            error[np.arange(len(chosen)), wanted[chosen]] -= 1
            error *= shares[chosen, None] / len(chosen)
            back = (error @ values[2].T) * (inner > 0)
            slopes = [inputs.T @ back, back.sum(axis=0), active.T @ error, error.sum(axis=0)]
            step += 1
            for at, slope in enumerate(slopes):
                means[at] = 0.9 * means[at] + 0.1 * slope
                squares[at] = 0.999 * squares[at] + 0.001 * slope**2
                move = (means[at] / (1 - 0.9**step)) / (np.sqrt(squares[at] / (1 - 0.999**step)) + 1e-8)
                values[at] = values[at] - RATE * (move + (DECAY * values[at] if at in (0, 2) else 0))
    return values


def linear(
    texts: Sequence[str], wanted: np.ndarray, shares: np.ndarray, *, classes: int, words: int, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights and biases of a linear model on the hashed features of each text's first `words`."""
    found = [np.array(sorted(hashed_features(fold_homoglyphs(text), most=words))) for text in texts]
    lengths = [len(one) for one in found]
    at, columns = np.repeat(np.arange(len(texts)), lengths), np.concatenate(found)
    strength = np.repeat(1 / np.sqrt(lengths), lengths)
    weights, bias = np.zeros((BUCKETS, classes)), np.zeros(classes)
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, rounds + 1):
        logits = np.stack([np.bincount(at, strength * weights[columns, one], len(texts)) for one in range(classes)], 1)
        error = softmax(logits + bias)
        error[np.arange(len(texts)), wanted] -= 1
        error *= shares[:, None] / len(texts)
        slope = FEATURES_DECAY * weights
        for one in range(classes):
            slope[:, one] += np.bincount(columns, strength * error[at, one], BUCKETS)
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        weights -= FEATURES_RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        bias -= FEATURES_RATE * 10 * error.sum(axis=0)
    return weights, bias


def rows_of_intents() -> Iterator[dict[str, Any]]:
    """Yield the labelled rows of the intents, in all languages."""
    for file in sorted(intents.DATA.glob("intents.*.jsonl")):
        yield from map(json.loads, file.open())


def message_vectors(texts: Sequence[str]) -> np.ndarray:
    """Return the vectors of customers' messages as the classifiers read them, each of length 1."""
    vectors = vectors_of([intents.normalised(text) for text in texts])
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def two_sided(
    texts: Sequence[str],
    vectors: np.ndarray,
    wanted: np.ndarray,
    shares: np.ndarray,
    *,
    training: Training,
    rounds: int,
) -> dict[str, np.ndarray]:
    """Return the arrays of a net and of a linear model, trained for `rounds`, for two classes of messages.

    Both classes get the same total weight; `shares` are the weights of the rows within their class.
    """
    texts = [intents.normalised(text) for text in texts]
    sides = np.array([shares[wanted == side].sum() for side in (0, 1)])
    shares = shares * (shares.sum() / 2 / sides)[wanted]
    centre, scale = vectors.mean(axis=0), vectors.std(axis=0)
    inputs = np.hstack([(vectors - centre) / scale, np.array([intents.shape_of(text) for text in texts])])
    net_arrays = averaged(inputs, wanted, shares, classes=2, training=training)
    pieces, bias = linear(texts, wanted, shares, classes=2, words=intents.FEATURE_WORDS_MOST, rounds=rounds)
    return {"centre": centre, "scale": scale, **net_arrays, "pieces": pieces, "pieces_bias": bias}


def chance_of(weights: Ensemble, text: str, vector: np.ndarray) -> float:
    """Return the probability that a message belongs to the second class of a model by `two_sided`."""
    plain = intents.normalised(text)
    features = hashed_features(fold_homoglyphs(plain), most=intents.FEATURE_WORDS_MOST)
    return float(weights.chances(features, vector, intents.shape_of(plain))[1])


def save(arrays: dict[str, np.ndarray], file: Path) -> None:
    """Write the arrays in half precision."""
    np.savez_compressed(file, **{name: np.asarray(value, dtype=np.float16) for name, value in arrays.items()})
