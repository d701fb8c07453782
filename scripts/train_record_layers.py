#!/usr/bin/env python3
"""Train the layers of the model in `checks/deeds.py` that reads a sentence beside the records of what was done, and
decides whether it says no more than they do.

    pip install jax
    python scripts/train_record_layers.py     trains on all rows and writes record_layers.npz: 40 minutes on two cores
    python scripts/train_record_layers.py --extra FILE.jsonl ...     also prints after each round how the model does on
                                                                     rows of `bench.checks`, never trained on

The last layers of the packaged embedder are trained further, reading sentence and records as one text, so that each
word of one is seen beside the words of the other; the layers below them stay as they are, and what they make of a text
is computed once. The weights are rounded to four bits in training too, as the engine reads them.

Three kinds of rows, in `checks/data`:
- `records.<language>.jsonl`: `{"records": [...], "text", "locale", "is_said", "kind", "author"}`, a sentence and the
  records. Some are repeated beside a further record or another one, and with the records in English
  (`english_records.jsonl`), since a shop's actions often have no other language.
- `done.<language>.jsonl`: `{"deed", "status", "role": "record"|"said", "text", "locale"}`, notes of deeds and what an
  assistant says about them, with placeholders for figures. What is said is put beside a record of the same deed and
  outcome, of another outcome, and of another deed. Half of these pairs are used.
- `twins.<language>.jsonl` and `altered.jsonl`: a passage, a sentence that it supports, and the same one turned;
  each is put beside the nearest pieces of the passage.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts import packaged_layers
from scripts.packaged_layers import LAYERS, Layer, passed
from supportbot.assistant.checks import deeds, doubt, sentence_kinds

CUT: Final = 8  # layers that stay as they are
ROUNDS, BATCH, RATE, WARM_UP = 3, 32, 2e-4, 100
HEAD_RATE: Final = 20  # times RATE, since it starts from nothing
DECAY: Final = 0.01
SURE: Final = 0.96  # what a true pair is taught to reach, since some rows are wrong
DROPOUT: Final = 0.1
SCALE: Final = 20.0  # of the vectors, whose length is 1
MADE_SHARE: Final = 0.5  # of the pairs made from `done` that are used
MADE_WEIGHT: Final = 0.5  # of these: nobody has read them
PIECES: Final = 3  # of a passage
MAX_TOKENS: Final = 160
FURTHER, OTHER, IN_ENGLISH = 0.3, 0.15, 0.3  # shares of the rows
OUTCOMES: Final = ("done", "waiting", "refused", "failed", "looked_up")
PLACES: Final = {
    "product": ("Kestrel 2", "Linea", "Volta Mini", "AeroPress Go"),
    "address": ("12 High Street, Bristol", "Talstraße 8, 79102 Freiburg", "5 rue des Lilas, Lyon"),
    "email": ("k.mora@example.org",),
}
Row = dict[str, Any]
Trained = dict[str, Any]


class Pair(NamedTuple):
    """A sentence, the records beside it, whether it says no more than they do, and how much the pair counts."""

    text: str
    records: tuple[str, ...]
    is_said: bool
    weight: float = 1.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--extra", type=Path, nargs="*", default=[])
    chosen = options.parse_args()
    pairs = list(pairs_to_learn())
    extra = {
        file.stem: [pair for line in file.open() for pair in of_an_answer(json.loads(line))] for file in chosen.extra
    }
    every = [*pairs, *(pair for found in extra.values() for pair in found)]
    states = lower_states([deeds.together(pair.text, pair.records) for pair in every])
    trained = trained_on(pairs, states[: len(pairs)], report=partial(_report, extra, states[len(pairs) :]))
    np.savez_compressed(sentence_kinds.DATA / "record_layers.npz", **as_shipped(trained))


def _report(extra: dict[str, list[Pair]], states: Sequence[np.ndarray], trained: Trained) -> None:
    at = 0
    for name, pairs in extra.items():
        odds = odds_of(trained, states[at : at + len(pairs)])
        at += len(pairs)
        is_said = np.array([pair.is_said for pair in pairs])
        figures = {
            "area": round(area(odds, is_said), 3),
            "false withheld": round(float((odds[~is_said] < 0).mean()), 2),
            "true shown": round(float((odds[is_said] >= 0).mean()), 2),
        }
        sys.stdout.write(json.dumps({"extra": name, **figures}) + "\n")


def area(odds: np.ndarray, is_said: np.ndarray) -> float:
    """Return how often a true pair has better odds than a false one."""
    return float((odds[is_said][:, None] > odds[~is_said][None, :]).mean())


def of_an_answer(row: Row) -> Iterator[Pair]:
    """Yield a row of `bench.checks` as a pair, if it has records and claims something."""
    records = (*row.get("ledger", ()), *row.get("lookups", ()))
    if records and row.get("kind") != "honest" and row["label"] in ("true", "false"):
        yield Pair(row["answer"], records, row["label"] == "true")


# --- pairs ---


def pairs_to_learn() -> Iterator[Pair]:
    chance = random.Random(1)
    by_author = defaultdict(list)
    for row in rows_of("records"):
        by_author[row["author"]].append(row)
    for rows in by_author.values():
        yield from of_the_rows(rows)
        yield from beside_others(rows, chance)
    yield from (pair for pair in made_from(rows_of("done"), chance) if chance.random() < MADE_SHARE)
    yield from beside_pages([*rows_of("twins"), *rows_in(sentence_kinds.DATA / "altered.jsonl")])


def rows_of(kind: str) -> list[Row]:
    files = sorted(sentence_kinds.DATA.glob(f"{kind}.*.jsonl"))
    return [row for file in files for row in rows_in(file)]


def rows_in(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.open(encoding="utf-8")]


def of_the_rows(rows: Sequence[Row]) -> Iterator[Pair]:
    known = rows_in(sentence_kinds.DATA / "english_records.jsonl")
    english = {one["record"]: one["english"] for one in known}
    for row in rows:
        yield Pair(row["text"], tuple(row["records"]), row["is_said"])
        if row["locale"] != "en" and all(record in english for record in row["records"]):
            yield Pair(row["text"], tuple(english[record] for record in row["records"]), row["is_said"])


def beside_others(rows: Sequence[Row], chance: random.Random) -> Iterator[Pair]:
    """Yield some sentences beside a further record, which changes nothing, and true ones beside another's records."""
    by_language = defaultdict(list)
    for row in rows:
        by_language[row["locale"]].append(row["records"])
    for row in rows:
        other, drawn = chance.choice(by_language[row["locale"]]), chance.random()
        if other == row["records"]:
            continue
        if drawn < FURTHER:
            yield Pair(row["text"], shuffled([*row["records"], chance.choice(other)], chance), row["is_said"])
        elif drawn < FURTHER + OTHER and row["is_said"]:
            yield Pair(row["text"], tuple(other), is_said=False)


def made_from(done: Sequence[Row], chance: random.Random) -> Iterator[Pair]:
    """Yield what is said of each deed beside records of it, of another outcome of it, and of another deed."""
    records = defaultdict(list)
    for row in done:
        if row["role"] == "record" and row["deed"]:
            records[row["locale"], row["deed"], row["status"]].append(row["text"])
    for row in done:
        if row["role"] != "said" or not row["deed"]:
            continue
        for deed, status in ((row["deed"], row["status"]), *others_of(row, records, chance)):
            language = "en" if chance.random() < IN_ENGLISH else row["locale"]
            if not (fitting := records.get((language, deed, status))):
                continue
            figures = drawn_figures(chance)
            beside = [chance.choice(fitting).format(**figures)]
            if chance.random() < FURTHER:
                _, another, _ = key = chance.choice(sorted(records))
                beside += [chance.choice(records[key]).format(**drawn_figures(chance))] if another != deed else []
            is_said = (deed, status) == (row["deed"], row["status"])
            yield Pair(row["text"].format(**figures), shuffled(beside, chance), is_said, MADE_WEIGHT)


def beside_pages(rows: Sequence[Row]) -> Iterator[Pair]:
    """Yield each sentence about a passage beside the pieces of it that share most with the sentence."""
    for row in rows:
        for text, is_said in ((row["honest"], True), (row["turned"], False)):
            pieces = doubt.nearest_pieces(row["passage"], text, row["locale"], most=PIECES)
            yield Pair(text, tuple(pieces), is_said)


def others_of(
    row: Row, records: dict[tuple[str, str, str], list[str]], chance: random.Random
) -> Iterator[tuple[str, str]]:
    """Yield the deed with another outcome and another deed, mostly, of which there are records."""
    outcomes = [one for one in OUTCOMES if one != row["status"] and (row["locale"], row["deed"], one) in records]
    if outcomes and (row["status"] == "done" or chance.random() < 1 / 2):
        yield row["deed"], chance.choice(outcomes)
    _, deed, status = chance.choice(sorted(records))
    if deed != row["deed"] and chance.random() < 2 / 3:
        yield deed, status


def drawn_figures(chance: random.Random) -> dict[str, str]:
    number = chance.randint
    amount = chance.choice(("€{}.{:02}", "{},{:02} €", "${}.{:02}"))
    return {
        "order": chance.choice(("{}", "A-{}", "KL-{}", "BK{}")).format(number(1_000, 99_999)),
        "amount": amount.format(number(5, 400), number(0, 99)), "amount2": amount.format(number(5, 90), number(0, 99)),
        "reference": f"RF-{number(100, 9_999)}", "count": str(number(2, 9)), "ending": str(number(1_000, 9_999)),
        "date": chance.choice(("{} March", "{}.11.", "2026-12-{:02}", "{}/10")).format(number(10, 28)),
        **{place: chance.choice(values) for place, values in PLACES.items()},
    }  # fmt: skip


def shuffled(records: list[str], chance: random.Random) -> tuple[str, ...]:
    chance.shuffle(records)
    return tuple(records)


# --- training ---


def lower_states(texts: Sequence[str]) -> list[np.ndarray]:
    """Return what the layers that stay make of each text; kept in a file, since it takes ten minutes."""
    name = sha256("\x00".join(texts).encode()).hexdigest()[:16]
    file = Path(tempfile.gettempdir()) / f"supportbot-states-{CUT}-{name}.npz"
    if not file.exists():
        states = packaged_layers.states(texts, layers=CUT, most_tokens=MAX_TOKENS)
        np.savez(file, *states)
    with np.load(file) as stored:
        return [stored[name] for name in stored.files]


def trained_on(pairs: Sequence[Pair], states: Sequence[np.ndarray], report: Any) -> Trained:
    wanted = np.array([pair.is_said for pair in pairs], dtype=np.float32)
    weights = np.array([pair.weight for pair in pairs], dtype=np.float32)
    trained: Trained = {
        "layers": [packaged_layers.layer(at) for at in range(CUT, LAYERS)],
        "direction": jnp.zeros(packaged_layers.WIDTH), "bias": jnp.zeros(()),
    }  # fmt: skip
    means, squares = (jax.tree.map(jnp.zeros_like, trained) for _ in range(2))
    order, key, steps, began = np.random.default_rng(0), jax.random.key(0), 0, time.monotonic()
    most = ROUNDS * (len(pairs) // BATCH)
    for _ in range(ROUNDS):
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
    """Return all places in batches of similar lengths, in another order each time."""
    found, lengths, places = [], np.array([len(one) for one in states]), order.permutation(len(states))
    for start in range(0, len(places), BATCH * 24):
        together = places[start : start + BATCH * 24]
        together = together[np.argsort(lengths[together])]
        found += [together[at : at + BATCH] for at in range(0, len(together) - BATCH + 1, BATCH)]
    order.shuffle(found)
    return found


def padded(states: Sequence[np.ndarray], size: int = BATCH) -> tuple[np.ndarray, np.ndarray]:
    """Return a batch of one length, and which of it is text."""
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
    odds, sure = logits(trained, seen, is_text, drawn), wanted * (2 * SURE - 1) + 1 - SURE
    each = jnp.maximum(odds, 0) - odds * sure + jnp.log1p(jnp.exp(-jnp.abs(odds)))
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
    """Return a layer as the engine will read it; slopes pass as if nothing had been rounded."""
    return {
        name: value + jax.lax.stop_gradient(packaged_layers.rounded(value) - value) if value.ndim == 2 else value
        for name, value in one.items()
    }


_logits = jax.jit(logits)


def odds_of(trained: Trained, states: Sequence[np.ndarray]) -> np.ndarray:
    found = [_logits(trained, *padded(states[at : at + BATCH])) for at in range(0, len(states), BATCH)]
    return np.concatenate(found)[: len(states)]


def as_shipped(trained: Trained) -> dict[str, np.ndarray]:
    """Return the arrays of record_layers.npz: the layers as in the engine's file, and how a vector is read."""
    layers = {
        f"l{CUT + at}.{name}": packaged_layers.packed(np.asarray(value))
        for at, one in enumerate(trained["layers"])
        for name, value in one.items()
    }
    direction = SCALE * np.asarray(trained["direction"], dtype=np.float32)
    return {**layers, "direction": direction, "bias": np.asarray(trained["bias"], dtype=np.float32)}


if __name__ == "__main__":
    main()
