"""Trains the packaged embedder's last layers further, for other programs in this folder: the trained model reads one
text and answers yes or no, or names one of several classes.

The layers below them stay as they are, so their output for each text is computed only once. The weights are rounded to
four bits during training too, because that is how the engine reads them.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scripts import packaged_layers
from scripts.packaged_layers import LAYERS, Layer, passed
from supportbot.assistant.checks.cross_encoders import DATA

CUT: Final = 8  # number of layers that stay as they are
BATCH, RATE, WARM_UP = 32, 2e-4, 100
HEAD_RATE: Final = 20  # multiple of RATE: the head starts from nothing
DECAY: Final = 0.01
SURE: Final = 0.96  # the probability that a true example is trained to reach; not 1, since some rows are wrong
DROPOUT: Final = 0.1
SCALE: Final = 20.0  # multiplies the vectors, whose length is 1
MAX_TOKENS: Final = 160
Trained = dict[str, Any]
Row = dict[str, Any]


class Example(NamedTuple):
    """A text, the answer to learn for it (yes, or the number of its class), and how much it counts."""

    text: str
    wanted: int
    weight: float = 1.0


def rows_of(kind: str) -> list[Row]:
    """Return the labelled rows of a kind, in all languages."""
    return [row for file in sorted(DATA.glob(f"{kind}.*.jsonl")) for row in rows_in(file)]


def rows_in(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.open(encoding="utf-8")]


def lower_states(texts: Sequence[str]) -> list[np.ndarray]:
    """Return the unchanged layers' output for each text; it is kept in a file, since computing it takes ten minutes."""
    name = sha256("\x00".join(texts).encode()).hexdigest()[:16]
    file = Path(tempfile.gettempdir()) / f"supportbot-states-{CUT}-{name}.npz"
    if not file.exists():
        states = packaged_layers.states(texts, layers=CUT, most_tokens=MAX_TOKENS)
        np.savez(file, *states)
    with np.load(file) as stored:
        return [stored[name] for name in stored.files]


def trained_on(
    examples: Sequence[Example],
    states: Sequence[np.ndarray],
    *,
    rounds: int,
    report: Callable[[Trained], None],
    classes: int = 0,
) -> Trained:
    """Return the trained layers; `report` is called with them after each round. Without `classes`, they answer yes or
    no.
    """
    wanted = np.array([one.wanted for one in examples], dtype=np.int32 if classes else np.float32)
    weights = np.array([one.weight for one in examples], dtype=np.float32)
    trained: Trained = {
        "layers": [packaged_layers.layer(at) for at in range(CUT, LAYERS)],
        "direction": jnp.zeros((packaged_layers.WIDTH, classes) if classes else packaged_layers.WIDTH),
        "bias": jnp.zeros(classes or ()),
    }  # fmt: skip
    means, squares = (jax.tree.map(jnp.zeros_like, trained) for _ in range(2))
    order, key, steps, began = np.random.default_rng(0), jax.random.key(0), 0, time.monotonic()
    most = rounds * (len(examples) // BATCH)
    for _ in range(rounds):
        for chosen in batches(order, states):
            steps += 1
            rate = RATE * min(1, steps / WARM_UP) * max(0.05, 1 - steps / most)
            key, drawn = jax.random.split(key)
            batch = (*padded([states[at] for at in chosen]), wanted[chosen], weights[chosen])
            trained, means, squares, loss = step(trained, means, squares, steps, rate, batch, drawn)
            if steps % 100 == 0:
                sys.stdout.write(f"{steps} of {most}: {float(loss):.3f}, {time.monotonic() - began:.0f} s\n")
                sys.stdout.flush()
        report(trained)
    return trained


def batches(order: np.random.Generator, states: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the indices of all texts in batches of similar lengths, in a different order each time."""
    found, lengths, places = [], np.array([len(one) for one in states]), order.permutation(len(states))
    for start in range(0, len(places), BATCH * 24):
        together = places[start : start + BATCH * 24]
        together = together[np.argsort(lengths[together])]
        found += [together[at : at + BATCH] for at in range(0, len(together) - BATCH + 1, BATCH)]
    order.shuffle(found)
    return found


def padded(states: Sequence[np.ndarray], size: int = BATCH) -> tuple[np.ndarray, np.ndarray]:
    """Return a batch padded to one length, and a mask of the text in it."""
    longest = -(-max(map(len, states)) // 16) * 16
    seen = np.zeros((size, longest, packaged_layers.WIDTH), np.float32)
    is_text = np.zeros((size, longest), np.float32)
    is_text[:, 0] = 1
    for at, one in enumerate(states):
        seen[at, : len(one)], is_text[at, : len(one)] = one, 1
    return seen, is_text


def logits(trained: Trained, seen: Any, is_text: Any, drawn: Any = None) -> Any:
    for one in trained["layers"]:
        seen = passed(in_four_bits(one), seen, is_text)
    vectors = packaged_layers.pooled(seen, is_text)
    if drawn is not None:
        vectors *= jax.random.bernoulli(drawn, 1 - DROPOUT, vectors.shape) / (1 - DROPOUT)
    return SCALE * vectors @ trained["direction"] + trained["bias"]


def loss_of(trained: Trained, batch: tuple[Any, ...], drawn: Any) -> Any:
    seen, is_text, wanted, weights = batch
    odds = logits(trained, seen, is_text, drawn)
    if odds.ndim == 1:
        sure = wanted * (2 * SURE - 1) + 1 - SURE
        each = jnp.maximum(odds, 0) - odds * sure + jnp.log1p(jnp.exp(-jnp.abs(odds)))
    else:
        sure = jax.nn.one_hot(wanted, odds.shape[1])
        sure = sure * SURE + (1 - sure) * (1 - SURE) / (odds.shape[1] - 1)
        each = -(sure * jax.nn.log_softmax(odds)).sum(-1)
    return (weights * each).sum() / weights.sum()


@partial(jax.jit, donate_argnums=(0, 1, 2))
def step(trained: Trained, means: Any, squares: Any, at: Any, rate: Any, batch: Any, drawn: Any) -> Any:
    """Take one step of Adam."""
    loss, slopes = jax.value_and_grad(loss_of)(trained, batch, drawn)
    length = jnp.sqrt(sum(jnp.sum(one * one) for one in jax.tree.leaves(slopes)))
    slopes = jax.tree.map(lambda one: one * jnp.minimum(1, 1 / length), slopes)
    means = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, means, slopes)
    squares = jax.tree.map(lambda old, new: 0.99 * old + 0.01 * new * new, squares, slopes)

    def moved(path: Any, value: Any, mean: Any, square: Any) -> Any:
        own = rate * (1 if path[0].key == "layers" else HEAD_RATE)
        move = (mean / (1 - 0.9**at)) / (jnp.sqrt(square / (1 - 0.99**at)) + 1e-8)
        return value - own * (move + (DECAY * value if value.ndim == 2 else 0))

    return jax.tree_util.tree_map_with_path(moved, trained, means, squares), means, squares, loss


def in_four_bits(one: Layer) -> Layer:
    """Return a layer as the engine will read it; gradients pass as if nothing had been rounded."""
    return {
        name: value + jax.lax.stop_gradient(packaged_layers.rounded(value) - value) if value.ndim == 2 else value
        for name, value in one.items()
    }


_logits = jax.jit(logits)


def odds_of(trained: Trained, states: Sequence[np.ndarray]) -> np.ndarray:
    found = [_logits(trained, *padded(states[at : at + BATCH])) for at in range(0, len(states), BATCH)]
    return np.concatenate(found)[: len(states)]


def as_shipped(trained: Trained) -> dict[str, np.ndarray]:
    """Return the arrays to ship: the layers as in the engine's file, and `direction` and `bias`, which evaluate a
    vector.
    """
    layers = {
        f"l{CUT + at}.{name}": packaged_layers.packed(np.asarray(value))
        for at, one in enumerate(trained["layers"])
        for name, value in one.items()
    }
    direction = SCALE * np.asarray(trained["direction"], dtype=np.float32)
    return {**layers, "direction": direction, "bias": np.asarray(trained["bias"], dtype=np.float32)}


def area(odds: np.ndarray, wanted: np.ndarray) -> float:
    """Return how often an example whose answer is yes has better odds than one whose answer is no."""
    return float((odds[wanted][:, None] > odds[~wanted][None, :]).mean())
