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

from scripts.nets import Training, message_vectors, rows_of_intents, save, two_sided
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
    vectors = message_vectors([row["text"] for row in rows])
    if options.parse_args().measure:
        report(rows, vectors)
        return
    save(fitted(rows, vectors), persons.FILE)


def labelled() -> list[Row]:
    return [json.loads(line) for line in (intents.DATA / "persons.jsonl").open()]


def borrowed() -> list[Row]:
    """Return the rows of the intents that are of one of the two kinds."""
    return [
        row | {"person": row["intent"] == "person"} for row in rows_of_intents() if row["intent"] in ("person", "who")
    ]


def fitted(rows: Sequence[Row], vectors: np.ndarray) -> dict[str, np.ndarray]:
    texts, wanted = [row["text"] for row in rows], np.array([int(row["person"]) for row in rows])
    return two_sided(texts, vectors, wanted, np.ones(len(rows)), training=TRAINING, rounds=FEATURES_ROUNDS)


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
