#!/usr/bin/env python3
"""Teach the model of `checks/deeds.py` that tells whether a sentence says no more than a record of what was done.

    python scripts/train_records.py             fits on all rows and writes records.npz
    python scripts/train_records.py --measure   fits without one author after the other and prints how it does on them

Rows are `{"records": [...], "text", "locale", "is_said", "kind", "author"}` in `checks/data/records.<language>.jsonl`.
Each true sentence is also put to records of other rows, which say something else.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts.nets import averaged, vectors_of
from supportbot.assistant.checks import deeds
from supportbot.assistant.checks.kinds import DATA
from supportbot.language.figures import figures_in, known_figures

OTHERS = 3  # records of other rows that a true sentence is put to
Row = dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--measure", action="store_true")
    is_measured = options.parse_args().measure
    rows = with_others([json.loads(line) for file in sorted(DATA.glob("records.*.jsonl")) for line in file.open()])
    texts = [text for row in rows for text in (row["text"], *row["records"])]
    vectors = dict(zip(texts, vectors_of(texts), strict=True))
    if not is_measured:
        small = {name: value.astype(np.float16) for name, value in fitted(rows, vectors).items()}
        np.savez_compressed(DATA / "records.npz", **small)
        return
    for author in sorted({row["author"] for row in rows}):
        unseen = [row for row in rows if row["author"] == author]
        told(author, unseen, vectors, fitted([row for row in rows if row["author"] != author], vectors))


def with_others(rows: list[Row]) -> list[Row]:
    random = np.random.default_rng(0)
    others = []
    for row in rows:
        for at in random.integers(len(rows), size=OTHERS if row["is_said"] else 0):
            if rows[at]["records"] != row["records"]:
                others.append({**row, "records": rows[at]["records"], "is_said": False, "kind": "another record"})
    return rows + others


def pairs_of(rows: Sequence[Row], vectors: dict[str, np.ndarray]) -> np.ndarray:
    """Return each sentence beside the record that is nearest to it."""
    return np.array([deeds.pair_of(row["text"], vectors[row["text"]], *nearest(row, vectors)) for row in rows])


def nearest(row: Row, vectors: dict[str, np.ndarray]) -> tuple[str, np.ndarray]:
    own = vectors[row["text"]]
    best = max(row["records"], key=lambda text: float(own @ vectors[text]) / float(np.linalg.norm(vectors[text])))
    return best, vectors[best]


def fitted(rows: Sequence[Row], vectors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    pairs = pairs_of(rows, vectors)
    centre, scale = pairs.mean(axis=0), pairs.std(axis=0) + 1e-3
    wanted = np.array([int(row["is_said"]) for row in rows])
    shares = np.where(wanted == 1, len(rows) / (2 * wanted.sum()), len(rows) / (2 * (1 - wanted).sum()))
    net = averaged((pairs - centre) / scale, wanted, shares, classes=2)
    # Two classes are one odds.
    net["out"], net["out_bias"] = net["out"][:, 1:] - net["out"][:, :1], net["out_bias"][1:] - net["out_bias"][:1]
    return {"centre": centre, "scale": scale, **net}


def told(author: str, rows: Sequence[Row], vectors: dict[str, np.ndarray], weights: dict[str, np.ndarray]) -> None:
    """Print what is let through and what is not, with the figures' check beside the model, as a draft has them."""
    deeds._record_weights = lambda: weights  # type: ignore[assignment]
    held, scores = [], []
    for row in rows:
        known = known_figures(row["records"])
        held.append(all(known.holds(figure) for figure in figures_in(row["text"])))
        own = vectors[row["text"]]
        scores.append(max(deeds.says_the_same(row["text"], own, text, vectors[text]) for text in row["records"]))
    is_said = np.array([row["is_said"] for row in rows])
    is_other = np.array([row["kind"] == "another record" for row in rows])
    for level in (0.01, 0.03, 0.1, 0.2, 0.4, 0.6):
        passed = np.array(held) & (np.array(scores) >= level)
        facts = {
            "author": author, "level": level, "true shown": passed[is_said].mean(),
            "false withheld": 1 - passed[~is_said & ~is_other].mean(),
            "said of another record, withheld": 1 - passed[is_other].mean(),
        }  # fmt: skip
        rounded = {key: round(float(fact), 3) if isinstance(fact, float) else fact for key, fact in facts.items()}
        sys.stdout.write(json.dumps(rounded) + "\n")


if __name__ == "__main__":
    main()
