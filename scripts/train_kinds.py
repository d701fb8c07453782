#!/usr/bin/env python3
"""Train the model in `assistant/checks/sentence_kinds.py` that reads pieces of words, on labelled rows, or measure it.

    python scripts/train_kinds.py             fits on all rows and writes kinds.npz
    python scripts/train_kinds.py --measure   fits without each author in turn and prints the results on that author

Rows are `{"text", "locale", "label": "deed"|"other", "kind", "author"}` in `checks/data/kinds.<language>.jsonl`. The
sentences with a page (`told`, `train_kind_layers.py`) are left out: with them, "I have" would count as harmless and be
shown before the next word is read.
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

from scripts.nets import linear
from supportbot.assistant.checks import deeds, sentence_kinds
from supportbot.assistant.checks.cross_encoders import DATA
from supportbot.language.classifiers import linear_in

TALK = {"offer", "question", "recap", "courtesy", "heading", "talk"}
REGRET = {"capability", "denial", "regret"}
FEATURES_ROUNDS = 250

Row = dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--measure", action="store_true")
    options.add_argument("--extra", type=Path, help="rows that are only measured, never trained on")
    chosen = options.parse_args()
    rows = [row for file in sorted(DATA.glob("kinds.*.jsonl")) for row in rows_in(file)]
    if chosen.extra:
        report("never seen", rows_in(chosen.extra), fitted(rows))
    if chosen.measure:
        for author in sorted({row["author"] for row in rows}):
            others = [row for row in rows if row["author"] != author]
            report(f"author {author}", [row for row in rows if row["author"] == author], fitted(others))
    if not chosen.measure and not chosen.extra:
        small = {name: value.astype(np.float16) for name, value in fitted(rows).items()}
        np.savez_compressed(DATA / "kinds.npz", **small)


def rows_in(file: Path) -> list[Row]:
    return [{"kind": row["label"], **row} for line in file.open(encoding="utf-8") for row in [json.loads(line)]]


def classes_of(rows: Sequence[Row]) -> np.ndarray:
    """Return the number of each row's class in `sentence_kinds.KINDS`."""
    return np.array([
        0 if row["label"] == "deed" else 1 if row["kind"] in TALK else 3 if row["kind"] in REGRET else 2 for row in rows
    ])  # fmt: skip


def fitted(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    wanted = classes_of(rows)
    classes = len(sentence_kinds.KINDS)
    shares = (len(rows) / (classes * np.bincount(wanted, minlength=classes)))[wanted]
    texts, words = [row["text"] for row in rows], sentence_kinds.FEATURE_WORDS_MOST
    pieces, bias = linear(texts, wanted, shares, classes=classes, words=words, rounds=FEATURES_ROUNDS)
    return {"pieces": pieces, "pieces_bias": bias}


def report(name: str, rows: Sequence[Row], weights: dict[str, np.ndarray]) -> None:
    """Print how well deeds are recognised on unseen rows, by locale and kind."""
    made = linear_in({key: value.astype(np.float16) for key, value in weights.items()})
    sentence_kinds.weights_shipped = lambda: made  # type: ignore[assignment]
    sentence_kinds.by_pieces.cache_clear()
    is_deed = classes_of(rows) == 0
    scores = np.array([sentence_kinds.by_pieces(row["text"]).deed for row in rows])
    points = {f"recall at {alarms:.0%}": recall_at(scores, is_deed, alarms) for alarms in (0.03, 0.05, 0.1)}
    say(on=name, rows=len(rows), auc=auc(scores, is_deed), **points)
    for level in (0.03, 0.06, deeds.DOUBT_FROM, 0.2):
        said = scores >= level
        say(on=name, looked_at_from=level, deeds=said[is_deed].mean(), others=said[~is_deed].mean())
    for field in ("locale", "kind"):
        groups: dict[str, list[bool]] = defaultdict(list)
        for row, score in zip(rows, scores, strict=True):
            groups[f"{row['label']} {row[field]}"].append(score >= deeds.DOUBT_FROM)
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
