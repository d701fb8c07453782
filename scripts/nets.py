"""A small net over vectors and what else is known of a text, and the vectors, for the programs beside this one.

Vectors are kept in a file of the system's temporary directory, since a thousand take half a minute.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kb.embedders.packaged import RECIPE, PackagedEmbedder

VECTORS = Path(tempfile.gettempdir()) / f"supportbot-vectors-{RECIPE.name}.npz"
NETS, HIDDEN, ROUNDS, BATCH = 4, 40, 32, 64
DROPPED, DECAY, RATE = 0.35, 0.02, 0.002


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


def averaged(seen: np.ndarray, wanted: np.ndarray, shares: np.ndarray, *, classes: int) -> dict[str, np.ndarray]:
    """Return several nets as one that gives their mean: each begins elsewhere, and what only one sees is chance."""
    nets = [net(seen, wanted, shares, classes=classes, seed=seed) for seed in range(NETS)]
    return {
        "hidden": np.hstack([one[0] for one in nets]), "hidden_bias": np.hstack([one[1] for one in nets]),
        "out": np.vstack([one[2] for one in nets]) / NETS, "out_bias": sum(one[3] for one in nets) / NETS,
    }  # fmt: skip


def net(seen: np.ndarray, wanted: np.ndarray, shares: np.ndarray, *, classes: int, seed: int) -> list[np.ndarray]:
    """Return the weights of one small net, taught with dropped inputs so that no single one decides."""
    random = np.random.default_rng(seed)
    count, width = seen.shape
    values = [
        random.normal(0, width**-0.5, (width, HIDDEN)), np.zeros(HIDDEN),
        random.normal(0, HIDDEN**-0.5, (HIDDEN, classes)), np.zeros(classes),
    ]  # fmt: skip
    means, squares = [np.zeros_like(value) for value in values], [np.zeros_like(value) for value in values]
    step = 0
    for _ in range(ROUNDS):
        for chosen in np.array_split(random.permutation(count), max(1, count // BATCH)):
            kept = (random.random((len(chosen), width)) > DROPPED) / (1 - DROPPED)
            inputs = seen[chosen] * kept
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


def softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)
