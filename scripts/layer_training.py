"""Train the packaged embedder's last layers further, for other programs in this folder: the trained model reads one
text and answers yes or no, or chooses one of several classes.

The layers below them stay as they are, so their output for each text is computed only once. The weights are rounded to
four bits during training too, because that is how the engine reads them.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from scripts import packaged_layers
from scripts.packaged_layers import LAYERS, Layer, Rounded, passed, quickly
from supportbot.assistant.checks.cross_encoders import DATA

CUT: Final = 8  # number of layers that stay as they are
BATCH, WARM_UP = 32, 100
RATE, HEAD_RATE = 2e-4, 4e-3  # learning rates of the layers, and of the head, which is trained from scratch
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
    """Return the unchanged layers' output for each text; it is kept in a file, since computing it takes minutes."""
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
    wanted = np.array([one.wanted for one in examples], dtype=np.int64 if classes else np.float32)
    weights = np.array([one.weight for one in examples], dtype=np.float32)
    trained = untrained(classes)
    torch.manual_seed(0)
    optimiser = optimiser_of(trained)
    order, steps, began = np.random.default_rng(0), 0, time.monotonic()
    most = rounds * (len(examples) // BATCH)
    for _ in range(rounds):
        for chosen in batches(order, states):
            steps += 1
            for group in optimiser.param_groups:
                group["lr"] = group["rate"] * min(1, steps / WARM_UP) * max(0.05, 1 - steps / most)
            own = torch.from_numpy(wanted[chosen]), torch.from_numpy(weights[chosen])
            loss = loss_of(trained, (*padded([states[at] for at in chosen]), *own))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([one for group in optimiser.param_groups for one in group["params"]], 1)
            optimiser.step()
            if steps % 100 == 0:
                sys.stdout.write(f"{steps} of {most}: {loss.item():.3f}, {time.monotonic() - began:.0f} s\n")
                sys.stdout.flush()
        report(trained)
    return trained


def untrained(classes: int) -> Trained:
    return {
        "layers": [packaged_layers.layer(at) for at in range(CUT, LAYERS)],
        "direction": torch.zeros((packaged_layers.WIDTH, classes) if classes else packaged_layers.WIDTH),
        "bias": torch.zeros((classes,) if classes else ()),
    }


def optimiser_of(trained: Trained) -> torch.optim.AdamW:
    """Return Adam for the layers and, at a higher rate, the head; only matrices decay."""
    layers = [value for one in trained["layers"] for value in one.values()]
    head = [trained["direction"], trained["bias"]]
    groups = [
        {"params": [one.requires_grad_() for one in values if (one.ndim == 2) is is_matrix], "rate": rate,
         "weight_decay": DECAY if is_matrix else 0.0}
        for values, rate in ((layers, RATE), (head, HEAD_RATE)) for is_matrix in (True, False)
    ]  # fmt: skip
    return torch.optim.AdamW([one for one in groups if one["params"]], betas=(0.9, 0.99), fused=True)


def batches(order: np.random.Generator, states: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the indices of all texts in batches of similar lengths, in a different order each time."""
    found, lengths, places = [], np.array([len(one) for one in states]), order.permutation(len(states))
    for start in range(0, len(places), BATCH * 24):
        together = places[start : start + BATCH * 24]
        together = together[np.argsort(lengths[together])]
        found += [together[at : at + BATCH] for at in range(0, len(together) - BATCH + 1, BATCH)]
    order.shuffle(found)
    return found


def padded(states: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a batch padded to one length, and a mask of the text in it."""
    longest = max(map(len, states))
    seen = np.zeros((len(states), longest, packaged_layers.WIDTH), np.float32)
    is_text = np.zeros((len(states), longest), np.float32)
    for at, one in enumerate(states):
        seen[at, : len(one)], is_text[at, : len(one)] = one, 1
    return torch.from_numpy(seen), torch.from_numpy(is_text)


def logits(trained: Trained, seen: torch.Tensor, is_text: torch.Tensor, *, dropout: float = 0.0) -> torch.Tensor:
    with quickly():
        for one in trained["layers"]:
            seen = passed(in_four_bits(one), seen, is_text)
    vectors = functional.dropout(packaged_layers.pooled(seen, is_text), dropout)
    return SCALE * vectors @ trained["direction"] + trained["bias"]


def loss_of(trained: Trained, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
    seen, is_text, wanted, weights = batch
    odds = logits(trained, seen, is_text, dropout=DROPOUT)
    if odds.ndim == 1:
        sure = wanted * (2 * SURE - 1) + 1 - SURE
        each = functional.binary_cross_entropy_with_logits(odds, sure, reduction="none")
    else:
        sure = functional.one_hot(wanted, odds.shape[1])
        sure = sure * SURE + (1 - sure) * (1 - SURE) / (odds.shape[1] - 1)
        each = -(sure * odds.log_softmax(-1)).sum(-1)
    return (weights * each).sum() / weights.sum()


def in_four_bits(one: Layer) -> Layer:
    """Return a layer as the engine will read it."""
    return {name: Rounded.apply(value) if value.ndim == 2 else value for name, value in one.items()}


@torch.no_grad()
def odds_of(trained: Trained, states: Sequence[np.ndarray]) -> np.ndarray:
    found = [logits(trained, *padded(states[at : at + BATCH])) for at in range(0, len(states), BATCH)]
    return torch.cat(found).numpy()


def as_shipped(trained: Trained) -> dict[str, np.ndarray]:
    """Return the arrays to ship: the layers as in the engine's file, and `direction` and `bias`, which evaluate a
    vector.
    """
    layers = {
        f"l{CUT + at}.{name}": packaged_layers.packed(value.detach().numpy())
        for at, one in enumerate(trained["layers"])
        for name, value in one.items()
    }
    direction = SCALE * trained["direction"].detach().numpy()
    return {**layers, "direction": direction, "bias": trained["bias"].detach().numpy()}


def area(odds: np.ndarray, wanted: np.ndarray) -> float:
    """Return how often an example whose answer is yes has better odds than one whose answer is no."""
    return float((odds[wanted][:, None] > odds[~wanted][None, :]).mean())
