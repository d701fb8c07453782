#!/usr/bin/env python3
"""Train `supportbot/builtin/persons.py` on labelled rows, or measure it on languages that it has not seen.

    python scripts/train_persons.py             fits on all rows and writes persons.npz
    python scripts/train_persons.py --measure   leaves out each language in turn and prints the shares that are right

Rows are `{"text", "locale", "person"}` in `data/persons.jsonl`. The intents' requests for a person and questions about
who is answering are used, too.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts.nets import Training, averaged, linear, vectors_of
from supportbot.builtin import intents, persons
from supportbot.language.classifiers import hashed_features
from supportbot.language.normalise import fold_homoglyphs

TRAINING: Final = Training(nets=3, hidden=24, rounds=60, dropout=0.5)
FEATURES_ROUNDS: Final = 150

Row = dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--measure", action="store_true")
    rows = [*labelled(), *borrowed()]
    vectors = vectors_of([intents.normalised(row["text"]) for row in rows])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    if options.parse_args().measure:
        report(rows, vectors)
        return
    stored = {name: np.asarray(value, dtype=np.float16) for name, value in fitted(rows, vectors).items()}
    np.savez_compressed(persons.FILE, **stored)


def labelled() -> list[Row]:
    return [json.loads(line) for line in (intents.DATA / "persons.jsonl").open()]


def borrowed() -> list[Row]:
    """Return the rows of the intents that are of one of the two kinds."""
    found = (json.loads(line) for file in sorted(intents.DATA.glob("intents.*.jsonl")) for line in file.open())
    return [row | {"person": row["intent"] == "person"} for row in found if row["intent"] in ("person", "who")]


def fitted(rows: Sequence[Row], vectors: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arrays of the net and of the linear model; both classes have the same total weight."""
    texts = [intents.normalised(row["text"]) for row in rows]
    wanted = np.array([int(row["person"]) for row in rows])
    shares = (len(rows) / 2 / np.bincount(wanted, minlength=2))[wanted]
    centre, scale = vectors.mean(axis=0), vectors.std(axis=0)
    inputs = np.hstack([(vectors - centre) / scale, np.array([intents.shape_of(text) for text in texts])])
    net = averaged(inputs, wanted, shares, classes=2, training=TRAINING)
    pieces, bias = linear(texts, wanted, shares, classes=2, words=intents.FEATURE_WORDS_MOST, rounds=FEATURES_ROUNDS)
    return {"centre": centre, "scale": scale, **net, "pieces": pieces, "pieces_bias": bias}


def report(rows: Sequence[Row], vectors: np.ndarray) -> None:
    """Print the share of right decisions by language, each without its own rows in the fit."""
    locales = np.array([row["locale"] for row in rows])
    for language in sorted(set(locales)):
        inside, outside = np.flatnonzero(locales != language), np.flatnonzero(locales == language)
        weights = persons.weights_from(fitted([rows[at] for at in inside], vectors[inside]))
        right: dict[bool, list[bool]] = {True: [], False: []}
        for at in outside:
            text = intents.normalised(rows[at]["text"])
            features = hashed_features(fold_homoglyphs(text), most=intents.FEATURE_WORDS_MOST)
            share = persons.person_share(features, vectors[at], intents.shape_of(text), weights)
            right[rows[at]["person"]].append((share >= 0.5) == rows[at]["person"])
        sides = (("person", right[True]), ("who", right[False]))
        shares = {name: round(sum(found) / len(found), 3) for name, found in sides if found}
        sys.stdout.write(json.dumps({"left_out": language, "rows": len(outside), **shares}) + "\n")


if __name__ == "__main__":
    main()
