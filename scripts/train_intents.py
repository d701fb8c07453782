#!/usr/bin/env python3
"""Train `supportbot/builtin/intents.py` on labelled rows, or measure it on authors it has not seen.

    python scripts/train_intents.py             fits on all rows and writes intents.npz and examples.npz
    python scripts/train_intents.py --measure   fits without each author in turn and prints the results on that author

Rows are `{"text", "locale", "intent", "stance"?, "action"?, "author"}` in `data/intents.<language>.jsonl`. Both
thresholds are set on rows that the head did not see. Of the rows without a request, not counting courtesies, a share of
`CARDS` is then above the upper threshold, where an action is detected, and a share of `ASKED` is above the lower one,
where the customer is asked.
"""

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
django.setup()  # the registry reads models

from actions.registry import code_actions  # noqa: E402
from scripts.nets import Training, averaged, linear, vectors_of  # noqa: E402
from supportbot.builtin import intents  # noqa: E402

TRAINING = Training(nets=6, hidden=64, rounds=40, dropout=0.5, numbers=np.float32)
FEATURES_ROUNDS = 200
FOLDS, EPISODES, PAIR_DECAY, PAIR_ROUNDS = 3, 2, 0.002, 2_000
LEAST_GROUP = 4
CARDS, ASKED = 0.02, 0.33
ELSEWHERE = {intents.UNDO, *get_args(intents.Courtesy)}

Row = dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--measure", action="store_true")
    is_measured = options.parse_args().measure
    rows = [json.loads(line) for file in sorted(intents.DATA.glob("intents.*.jsonl")) for line in file.open()]
    rows = [row | {"text": intents.normalised(row["text"])} for row in rows]
    vectors = unit_vectors_of([row["text"] for row in rows])
    if is_measured:
        for author in ("1", "2"):
            is_out = np.array([row["author"] == author for row in rows])
            weights = fitted([row for row in rows if row["author"] != author], vectors[~is_out])
            report(author, [row for row in rows if row["author"] == author], vectors[is_out], weights)
        return
    weights = fitted(rows, vectors)
    stored = {name: np.asarray(value) for name, value in flat(weights).items()}
    small = {
        name: value.astype(np.float16) if value.ndim and value.dtype.kind == "f" else value
        for name, value in stored.items()
    }
    np.savez_compressed(intents.DATA / "intents.npz", **small | {"pair": stored["pair"].astype(np.float32)})
    texts = sorted({text for many in examples().values() for text in many})
    known = unit_vectors_of(texts).astype(np.float16)
    np.savez_compressed(intents.DATA / "examples.npz", texts=np.array(texts), vectors=known)


def flat(weights: intents.Weights) -> dict[str, Any]:
    """Return the weights as they are stored, without the levels of the two models."""
    values = asdict(weights)
    return {**values.pop("linear"), **values.pop("net"), **values}


def unit_vectors_of(texts: Sequence[str]) -> np.ndarray:
    """Return the vectors of texts at unit length."""
    found = vectors_of(texts)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def examples() -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(intents.normalised(one) for many in action.examples.values() for one in many)
        for name, action in code_actions().items()
    }


def class_of(row: Row) -> str:
    is_stance = "stance" in row and row["intent"] != intents.OTHER
    return f"{row['intent']}/{row['stance']}" if is_stance else str(row["intent"])


def wanted_in(row: Row) -> str:
    """Return the action that a row requests; "" if it is not in the catalogue."""
    is_wish = row.get("stance") == "wish" and row["intent"] != intents.OTHER
    return str(row["intent"]) if is_wish else ""


def fitted(rows: Sequence[Row], vectors: np.ndarray) -> intents.Weights:
    """Return the weights: the head fitted on all rows, the evidence and both thresholds on held-out rows."""
    folds = np.random.default_rng(0).integers(0, FOLDS, len(rows))
    evidence, is_wish, shown, is_quiet = [], [], [], []
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        head = head_of([rows[at] for at in inside], vectors[inside])
        for found, hits in episodes(rows, vectors, inside, outside, head):
            evidence.append(found)
            is_wish.append(hits)
        for at in outside:
            shown.append(evidence_of(rows[at], vectors[at], head))
            # The thresholds do not apply to courtesies and requests to undo something.
            is_quiet.append(not wanted_in(rows[at]) and rows[at]["intent"] not in ELSEWHERE)
    pair = logistic(np.vstack(evidence), np.concatenate(is_wish))
    chances = np.array([1 / (1 + np.exp(-(one @ pair[:-1] + pair[-1]).max())) for one in shown])
    quiet = chances[np.array(is_quiet)]
    whole = head_of(rows, vectors)
    return replace(
        whole, pair=pair, acts_from=float(np.quantile(quiet, 1 - CARDS)), asks_from=float(np.quantile(quiet, 1 - ASKED))
    )


def evidence_of(row: Row, vector: np.ndarray, head: intents.Weights) -> np.ndarray:
    return intents.evidence_of(reading(row["text"], vector, head), list(catalogue(head).values()), head)


def episodes(
    rows: Sequence[Row], vectors: np.ndarray, inside: np.ndarray, outside: np.ndarray, head: intents.Weights
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield held-out rows with varying sets of actions: the catalogue's, and others made from a few rows' requests."""
    random = np.random.default_rng(1)
    groups: dict[str, list[int]] = defaultdict(list)
    for at in inside:
        if rows[at]["intent"] == intents.OTHER:
            groups[rows[at]["action"]].append(at)
    made = {name: intents.profile_from([reading(rows[at]["text"], vectors[at], head) for at in found], head)
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
                    intents.centred(vectors[one], head.net.centre)
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


def reading(text: str, vector: np.ndarray, head: intents.Weights) -> intents.Classification:
    intents.weights_shipped = lambda: head  # type: ignore[assignment]
    return intents.classification_of(text, vector)


def catalogue(head: intents.Weights) -> dict[str, intents.ActionProfile]:
    known = _PROFILES.get(id(head))
    if known is None:
        known = {}
        for name, texts in examples().items():
            found = unit_vectors_of(texts)
            known[name] = intents.profile_from(
                [reading(text, one, head) for text, one in zip(texts, found, strict=True)], head
            )
        _PROFILES.clear()
        _PROFILES[id(head)] = known
    return known


_PROFILES: dict[int, dict[str, intents.ActionProfile]] = {}


def head_of(rows: Sequence[Row], vectors: np.ndarray) -> intents.Weights:
    """Return the head's weights, trained on the rows and the catalogue's own examples."""
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
    net = averaged(inputs, wanted, shares, classes=len(classes), training=TRAINING)
    words = intents.FEATURE_WORDS_MOST
    pieces, bias = linear(texts, wanted, shares, classes=len(classes), words=words, rounds=FEATURES_ROUNDS)
    return intents.weights_from({
        "classes": classes, "centre": centre, "scale": scale, **net, "pieces": pieces, "pieces_bias": bias,
        "others": np.array([intents.centred(one, centre) for one in vectors[others]]),
        "pair": np.zeros(9), "acts_from": 1.0, "asks_from": 1.0,
    })  # fmt: skip


def logistic(evidence: np.ndarray, is_wish: np.ndarray) -> np.ndarray:
    """Return the weights of the evidence, fitted on standardised columns and converted for plain ones; bias last."""
    centre, scale = evidence.mean(axis=0), evidence.std(axis=0) + 1e-6
    seen = np.column_stack([(evidence - centre) / scale, np.ones(len(evidence))])
    weights = np.zeros(seen.shape[1])
    for _ in range(PAIR_ROUNDS):
        chances = 1 / (1 + np.exp(-seen @ weights))
        weights -= 0.5 * (seen.T @ (chances - is_wish) / len(seen) + PAIR_DECAY * np.append(weights[:-1], 0))
    plain = weights[:-1] / scale
    return np.append(plain, weights[-1] - plain @ centre)


def report(author: str, rows: Sequence[Row], vectors: np.ndarray, weights: intents.Weights) -> None:
    """Print the results on an unseen author's rows: by language, and for rows without a request by kind."""
    names = list(examples())
    counts: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row, vector in zip(rows, vectors, strict=True):
        chances = 1 / (1 + np.exp(-(evidence_of(row, vector, weights) @ weights.pair[:-1] + weights.pair[-1])))
        best, chance, wanted = names[int(chances.argmax())], float(chances.max()), wanted_in(row)
        acts = chance >= weights.acts_from
        message = reading(row["text"], vector, weights)
        asks = acts or (chance >= weights.asks_from and not message.is_clearly_no_request)
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
