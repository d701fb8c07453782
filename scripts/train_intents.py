#!/usr/bin/env python3
"""Teach `supportbot/builtin/intents.py` from the labelled rows, or say how well it hears authors it has not seen.

    python scripts/train_intents.py             fits on all rows and writes intents.npz and examples.npz
    python scripts/train_intents.py --measure   fits without one author after the other and prints how it does on them

Rows are `{"text", "locale", "intent", "stance"?, "action"?, "author"}` in `data/intents.<language>.jsonl`. Both
thresholds are set on rows that the head did not see: from the upper one an action is heard in `CARDS` of the rows
without a wish, from the lower one it asks back about `ASKED` of them.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from actions.registry import all_actions
from scripts.nets import vectors_of
from supportbot.builtin import intents
from supportbot.language.normalise import undisguised
from supportbot.language.pieces import BUCKETS, pieces_of

NETS, HIDDEN, ROUNDS, BATCH = 3, 64, 40, 64
DROPPED, DECAY, RATE = 0.5, 0.02, 0.002
PIECES_DECAY, PIECES_ROUNDS, PIECES_RATE = 0.00001, 200, 0.25
FOLDS, EPISODES, PAIR_DECAY, PAIR_ROUNDS = 3, 2, 0.002, 2_000
LEAST_GROUP = 4
CARDS, ASKED = 0.02, 0.3

Row = dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--measure", action="store_true")
    rows = [json.loads(line) for file in sorted(intents.DATA.glob("intents.*.jsonl")) for line in file.open()]
    rows = [row | {"text": intents.plainly(row["text"])} for row in rows]
    vectors = unit_vectors_of([row["text"] for row in rows])
    if options.parse_args().measure:
        for author in ("1", "2"):
            is_out = np.array([row["author"] == author for row in rows])
            weights = fitted([row for row in rows if row["author"] != author], vectors[~is_out])
            told(author, [row for row in rows if row["author"] == author], vectors[is_out], weights)
        return
    weights = fitted(rows, vectors)
    stored = {name: np.asarray(value) for name, value in vars(weights).items()}
    small = {
        name: value.astype(np.float16) if value.ndim and value.dtype.kind == "f" else value
        for name, value in stored.items()
    }
    np.savez_compressed(intents.DATA / "intents.npz", **small | {"pair": stored["pair"].astype(np.float32)})
    texts = sorted({text for many in examples().values() for text in many})
    known = unit_vectors_of(texts).astype(np.float16)
    np.savez_compressed(intents.DATA / "examples.npz", texts=np.array(texts), vectors=known)


def unit_vectors_of(texts: Sequence[str]) -> np.ndarray:
    """Return the vectors of texts, each of length 1."""
    found = vectors_of(texts)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def examples() -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(intents.plainly(one) for many in action.examples.values() for one in many)
        for name, action in all_actions().items()
    }


def class_of(row: Row) -> str:
    is_stance = "stance" in row and row["intent"] != intents.OTHER
    return f"{row['intent']}/{row['stance']}" if is_stance else str(row["intent"])


def wanted_in(row: Row) -> str:
    """Return the action that a row wishes for, "" if none of the catalogue's."""
    is_wish = row.get("stance") == "wish" and row["intent"] != intents.OTHER
    return str(row["intent"]) if is_wish else ""


def fitted(rows: Sequence[Row], vectors: np.ndarray) -> intents.Weights:
    """Return the weights: the head's on all rows, the evidence's and both thresholds on rows held out of it."""
    folds = np.random.default_rng(0).integers(0, FOLDS, len(rows))
    evidence, is_wish, shown, is_shown_wish = [], [], [], []
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        head = head_of([rows[at] for at in inside], vectors[inside])
        for found, hits in episodes(rows, vectors, inside, outside, head):
            evidence.append(found)
            is_wish.append(hits)
        for at in outside:
            shown.append(evidence_of(rows[at], vectors[at], head))
            is_shown_wish.append(bool(wanted_in(rows[at])))
    pair = logistic(np.vstack(evidence), np.concatenate(is_wish))
    chances = np.array([1 / (1 + np.exp(-(one @ pair[:-1] + pair[-1]).max())) for one in shown])
    quiet = chances[~np.array(is_shown_wish)]
    whole = head_of(rows, vectors)
    return replace(
        whole, pair=pair, acts_from=float(np.quantile(quiet, 1 - CARDS)), asks_from=float(np.quantile(quiet, 1 - ASKED))
    )


def evidence_of(row: Row, vector: np.ndarray, head: intents.Weights) -> np.ndarray:
    return intents.evidence_of(reading(row["text"], vector, head), list(catalogue(head).values()), head)


def episodes(
    rows: Sequence[Row], vectors: np.ndarray, inside: np.ndarray, outside: np.ndarray, head: intents.Weights
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield held-out rows among changing sets of actions: the catalogue's, and others made of a few rows' wishes."""
    random = np.random.default_rng(1)
    groups: dict[str, list[int]] = defaultdict(list)
    for at in inside:
        if rows[at]["intent"] == intents.OTHER:
            groups[rows[at]["action"]].append(at)
    made = {name: intents.learnt_from([reading(rows[at]["text"], vectors[at], head) for at in found], head)
            for name, found in groups.items() if len(found) >= LEAST_GROUP}  # fmt: skip
    known = catalogue(head)
    for at in outside:
        row, own = rows[at], rows[at].get("action", "")
        for _ in range(EPISODES):
            names = [name for name in known if random.random() < 0.9]
            names += list(random.permutation(list(made))[: random.integers(0, 3)])
            names += [own] if own in made and own not in names and random.random() < 0.5 else []
            if not names:
                continue
            others = np.array(
                [
                    intents.centred(vectors[one], head.centre)
                    for name, found in groups.items()
                    if name not in names
                    for one in found
                ]
            )
            seen = reading(row["text"], vectors[at], head)
            found = intents.evidence_of(
                seen, [known.get(name) or made[name] for name in names], replace(head, others=others)
            )
            yield found, np.array([name in (wanted_in(row), own) for name in names])


def reading(text: str, vector: np.ndarray, head: intents.Weights) -> intents.Reading:
    intents.weights_shipped = lambda: head  # type: ignore[assignment]
    return intents.reading_of(text, vector)


def catalogue(head: intents.Weights) -> dict[str, intents.Learnt]:
    known = _LEARNT.get(id(head))
    if known is None:
        known = {}
        for name, texts in examples().items():
            found = unit_vectors_of(texts)
            known[name] = intents.learnt_from(
                [reading(text, one, head) for text, one in zip(texts, found, strict=True)], head
            )
        _LEARNT.clear()
        _LEARNT[id(head)] = known
    return known


_LEARNT: dict[int, dict[str, intents.Learnt]] = {}


def head_of(rows: Sequence[Row], vectors: np.ndarray) -> intents.Weights:
    """Return the head's weights, taught from the rows and from the catalogue's own examples."""
    others = np.array([row["intent"] == intents.OTHER for row in rows])
    own = [(text, f"{name}/wish") for name, texts in examples().items() for text in texts]
    texts = [*(row["text"] for row in rows), *(text for text, _ in own)]
    named = [*map(class_of, rows), *(name for _, name in own)]
    seen = np.vstack([vectors, unit_vectors_of([text for text, _ in own])])
    classes = sorted(set(named))
    wanted = np.array([classes.index(name) for name in named])
    counts = np.bincount(wanted, minlength=len(classes))
    shares = np.sqrt(len(wanted) / (len(classes) * counts))[wanted]
    centre, scale = seen.mean(axis=0), seen.std(axis=0)
    inputs = np.hstack([(seen - centre) / scale, np.array([intents.shape_of(text) for text in texts])])
    nets = [net(inputs, wanted, shares, len(classes), seed) for seed in range(NETS)]
    pieces, bias = linear(texts, wanted, shares, len(classes))
    return intents.Weights(
        classes=tuple(classes), centre=centre, scale=scale,
        hidden=np.hstack([one[0] for one in nets]), hidden_bias=np.hstack([one[1] for one in nets]),
        out=np.vstack([one[2] for one in nets]) / NETS, out_bias=sum(one[3] for one in nets) / NETS,
        pieces=pieces, pieces_bias=bias, others=np.array([intents.centred(one, centre) for one in vectors[others]]),
        pair=np.zeros(9), acts_from=1.0, asks_from=1.0,
    )  # fmt: skip


def net(inputs: np.ndarray, wanted: np.ndarray, shares: np.ndarray, classes: int, seed: int) -> list[np.ndarray]:
    """Return the weights of one small net, taught with dropped inputs so that no single one decides."""
    random = np.random.default_rng(seed)
    inputs = inputs.astype(np.float32)
    count, width = inputs.shape
    values = [
        random.normal(0, width**-0.5, (width, HIDDEN)), np.zeros(HIDDEN),
        random.normal(0, HIDDEN**-0.5, (HIDDEN, classes)), np.zeros(classes),
    ]  # fmt: skip
    values = [value.astype(np.float32) for value in values]
    means, squares = [np.zeros_like(value) for value in values], [np.zeros_like(value) for value in values]
    shares = shares.astype(np.float32)
    step = 0
    for _ in range(ROUNDS):
        for chosen in np.array_split(random.permutation(count), max(1, count // BATCH)):
            kept = inputs[chosen] * (
                (random.random((len(chosen), width), dtype=np.float32) > DROPPED) * np.float32(1 / (1 - DROPPED))
            )
            inner = kept @ values[0] + values[1]
            active = np.maximum(inner, 0)
            error = softmax(active @ values[2] + values[3])
            error[np.arange(len(chosen)), wanted[chosen]] -= 1
            error *= shares[chosen, None] / len(chosen)
            back = (error @ values[2].T) * (inner > 0)
            step += 1
            for at, slope in enumerate([kept.T @ back, back.sum(axis=0), active.T @ error, error.sum(axis=0)]):
                means[at] = 0.9 * means[at] + 0.1 * slope
                squares[at] = 0.999 * squares[at] + 0.001 * slope**2
                move = (means[at] / (1 - 0.9**step)) / (np.sqrt(squares[at] / (1 - 0.999**step)) + 1e-8)
                values[at] = values[at] - RATE * (move + (DECAY * values[at] if at in (0, 2) else 0))
    return values


def linear(texts: Sequence[str], wanted: np.ndarray, shares: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of the model by pieces of words."""
    found = [np.array(sorted(pieces_of(undisguised(text), most=intents.PIECES_MOST))) for text in texts]
    lengths = [len(one) for one in found]
    at, columns = np.repeat(np.arange(len(texts)), lengths), np.concatenate(found)
    strength = np.repeat(1 / np.sqrt(lengths), lengths)
    weights, bias = np.zeros((BUCKETS, classes)), np.zeros(classes)
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, PIECES_ROUNDS + 1):
        logits = np.stack([np.bincount(at, strength * weights[columns, one], len(texts)) for one in range(classes)], 1)
        error = softmax(logits + bias)
        error[np.arange(len(texts)), wanted] -= 1
        error *= shares[:, None] / len(texts)
        slope = PIECES_DECAY * weights
        for one in range(classes):
            slope[:, one] += np.bincount(columns, strength * error[at, one], BUCKETS)
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        weights -= PIECES_RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        bias -= PIECES_RATE * 10 * error.sum(axis=0)
    return weights, bias


def logistic(evidence: np.ndarray, is_wish: np.ndarray) -> np.ndarray:
    """Return the weights of the evidence, fitted on standardised columns and told for plain ones; the bias is last."""
    centre, scale = evidence.mean(axis=0), evidence.std(axis=0) + 1e-6
    seen = np.column_stack([(evidence - centre) / scale, np.ones(len(evidence))])
    weights = np.zeros(seen.shape[1])
    for _ in range(PAIR_ROUNDS):
        chances = 1 / (1 + np.exp(-seen @ weights))
        weights -= 0.5 * (seen.T @ (chances - is_wish) / len(seen) + PAIR_DECAY * np.append(weights[:-1], 0))
    plain = weights[:-1] / scale
    return np.append(plain, weights[-1] - plain @ centre)


def softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def told(author: str, rows: Sequence[Row], vectors: np.ndarray, weights: intents.Weights) -> None:
    """Print what came of an unseen author's rows: by language, and of the rows without a wish by their kind."""
    names = list(examples())
    counts: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row, vector in zip(rows, vectors, strict=True):
        chances = 1 / (1 + np.exp(-(evidence_of(row, vector, weights) @ weights.pair[:-1] + weights.pair[-1])))
        best, chance, wanted = names[int(chances.argmax())], float(chances.max()), wanted_in(row)
        acts = chance >= weights.acts_from
        message = reading(row["text"], vector, weights)
        asks = acts or (chance >= weights.asks_from and not message.is_plainly_none)
        for group in (row["locale"], "all"):
            if wanted:
                counts[group]["heard"].append(acts and best == wanted)
                counts[group]["heard_or_asked"].append(asks and best == wanted)
                counts[group]["wrong_card"].append(acts and best != wanted)
            else:
                counts[group]["null_card"].append(acts and best != "order_status")
                counts[group]["null_look_up"].append(acts and best == "order_status")
                counts[group]["null_asked"].append(asks and not acts)
        if not wanted:
            counts[class_of(row).split("/")[-1]]["card"].append(acts)
            counts[class_of(row).split("/")[-1]]["asked"].append(asks and not acts)
        kind = intents.OTHER if row["intent"] == intents.OTHER else row.get("stance", row["intent"])
        kind = "wish" if kind == intents.OTHER else kind
        counts[f"kind {kind}"]["told"].append(message.kind == kind)
    for group, found in counts.items():
        shares = {name: round(float(np.mean(values)), 3) for name, values in found.items()}
        facts = {"author": author, "on": group, "rows": len(next(iter(found.values()))), **shares}
        sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
