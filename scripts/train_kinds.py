#!/usr/bin/env python3
"""Train the two models of `supportbot/assistant/checks/sentence_kinds.py` on labelled rows, or measure them.

    python scripts/train_kinds.py             fits on all rows and writes kinds.npz
    python scripts/train_kinds.py --measure   fits without each author in turn and prints how it does on them

Rows are `{"text", "locale", "label": "deed"|"other", "kind", "author"}` in `checks/data/kinds.<language>.jsonl`.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts.nets import averaged, linear, vectors_of
from supportbot.assistant.checks import deeds, sentence_kinds

TALK = {"offer", "question", "recap", "courtesy", "heading"}
REGRET = {"capability", "denial"}
FEATURES_ROUNDS = 250

Row = dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--measure", action="store_true")
    options.add_argument("--extra", type=Path, help="rows that are only measured, never trained on")
    chosen = options.parse_args()
    rows = [json.loads(line) for file in sorted(sentence_kinds.DATA.glob("kinds.*.jsonl")) for line in file.open()]
    extra = [json.loads(line) | {"author": "extra"} for line in chosen.extra.open()] if chosen.extra else []
    vectors = vectors_of([row["text"] for row in (*rows, *extra)])
    known, unseen = vectors[: len(rows)], vectors[len(rows) :]
    if extra:
        report("never seen", extra, unseen, fitted(rows, known))
    if chosen.measure:
        for author in sorted({row["author"] for row in rows}):
            is_out = np.array([row["author"] == author for row in rows])
            weights = fitted([row for row in rows if row["author"] != author], known[~is_out])
            report(f"author {author}", [row for row in rows if row["author"] == author], known[is_out], weights)
    if not chosen.measure and not extra:
        weights = fitted(rows, known)
        small = {name: value.astype(np.float16) for name, value in weights.items()}
        np.savez_compressed(sentence_kinds.DATA / "kinds.npz", **small)


def classes_of(rows: Sequence[Row]) -> np.ndarray:
    """Return the number of each row's class in `kinds.KINDS`."""
    return np.array([
        0 if row["label"] == "deed" else 1 if row["kind"] in TALK else 3 if row["kind"] in REGRET else 2 for row in rows
    ])  # fmt: skip


def fitted(rows: Sequence[Row], vectors: np.ndarray) -> dict[str, np.ndarray]:
    wanted = classes_of(rows)
    counts = np.bincount(wanted, minlength=len(sentence_kinds.KINDS))
    shares = (len(rows) / (len(sentence_kinds.KINDS) * counts))[wanted]
    centre, scale = vectors.mean(axis=0), vectors.std(axis=0)
    seen = np.hstack([(vectors - centre) / scale, np.array([sentence_kinds.shape_of(row["text"]) for row in rows])])
    texts, words = [row["text"] for row in rows], sentence_kinds.FEATURE_WORDS_MOST
    pieces, bias = linear(texts, wanted, shares, classes=len(sentence_kinds.KINDS), words=words, rounds=FEATURES_ROUNDS)
    return {
        "pieces": pieces, "pieces_bias": bias, "centre": centre, "scale": scale,
        **averaged(seen, wanted, shares, classes=len(sentence_kinds.KINDS)),
    }  # fmt: skip


def report(name: str, rows: Sequence[Row], vectors: np.ndarray, weights: dict[str, np.ndarray]) -> None:
    """Print how well deeds are recognised on unseen rows: by features, by vector, by locale and kind."""
    made = sentence_kinds.weights_from({key: value.astype(np.float16) for key, value in weights.items()})
    sentence_kinds.weights_shipped = lambda: made  # type: ignore[assignment]
    is_deed = classes_of(rows) == 0
    pieces = [sentence_kinds.by_pieces(row["text"]) for row in rows]
    both = [
        deeds.joint(one, sentence_kinds.by_vector(row["text"], own))
        for one, row, own in zip(pieces, rows, vectors, strict=True)
    ]
    scores = {"both": np.array(both), "pieces": np.array([one.deed for one in pieces])}
    for by, given in scores.items():
        points = {f"recall at {alarms:.0%}": recall_at(given, is_deed, alarms) for alarms in (0.03, 0.05, 0.1)}
        say(on=name, by=by, rows=len(rows), auc=auc(given, is_deed), **points)
    for level in (0.3, 0.45, 0.6, 0.7, 0.9):
        said = scores["both"] >= level
        say(on=name, level=level, recall=said[is_deed].mean(), alarms=said[~is_deed].mean())
    for level in (0.03, 0.06, 0.1, 0.2):
        said = scores["pieces"] >= level
        say(on=name, looked_at_from=level, deeds=said[is_deed].mean(), others=said[~is_deed].mean())
    for field in ("locale", "kind"):
        groups: dict[str, list[bool]] = defaultdict(list)
        for row, score in zip(rows, scores["both"], strict=True):
            groups[f"{row['label']} {row[field]}"].append(score >= deeds.DEED_FROM)
        say(on=name, **{group: np.mean(found) for group, found in sorted(groups.items())})


def say(**facts: Any) -> None:
    rounded = {key: round(float(fact), 3) if isinstance(fact, float) else fact for key, fact in facts.items()}
    sys.stdout.write(json.dumps(rounded, ensure_ascii=False) + "\n")


def auc(scores: np.ndarray, is_deed: np.ndarray) -> float:
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores)] = np.arange(1, len(scores) + 1)
    deeds = is_deed.sum()
    return float((ranks[is_deed].sum() - deeds * (deeds + 1) / 2) / (deeds * (len(scores) - deeds)))


def recall_at(scores: np.ndarray, is_deed: np.ndarray, alarms: float) -> float:
    return float((scores[is_deed] > np.quantile(scores[~is_deed], 1 - alarms)).mean())


if __name__ == "__main__":
    main()
