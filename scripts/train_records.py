#!/usr/bin/env python3
"""Train the nets in `checks/deeds.py` that give a second opinion on whether a sentence says no more than a record.

    python scripts/train_records.py             fits on all rows and writes records.npz
    python scripts/train_records.py --measure   fits without each author of records in turn and prints the results on
                                                that author
    python scripts/train_records.py --measure --extra FILE.jsonl   also measures rows of `bench.checks` with a ledger,
                                                                   which are never used for fitting

There are three kinds of rows, in `checks/data`:
- `done.<language>.jsonl`: `{"deed", "status", "role": "record"|"said", "text", "locale"}`, notes of deeds and an
  assistant's sentences about them, with placeholders for figures. They teach which deed a text is about (unless `deed`
  is empty), and its outcome.
- `records.<language>.jsonl`: `{"records": [...], "text", "locale", "is_said", "kind", "author"}`, a sentence and the
  records. Each true sentence is also compared with records of other rows, which say something else. They teach how
  similar deed and outcome must be.
- `english_records.jsonl`: `{"record", "english"}`, records of those rows in English, since a shop's actions often have
  no other language. Sentences are compared with them too.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts import nets
from supportbot.assistant.checks import deeds
from supportbot.assistant.checks.cross_encoders import DATA
from supportbot.language.figures import figures_in, known_figures

OTHERS = 1  # number of other rows' records that a true sentence is compared with
TRAINING = nets.Training(rounds=16, dropout=0.2)
PAIRS_TRAINING = nets.Training(nets=8, rounds=16, dropout=0.2)  # with few inputs, chance has more effect
STATUS_WEIGHT = 3  # weight of false claims that a waiting, refused or failed deed was done: there are few
# The values of the placeholders; a net cannot distinguish figures, but it can distinguish names.
FIGURES = (
    {"product": "Kestrel 2", "address": "12 High Street, Bristol BS1 4QA", "email": "a.smith@example.com"},
    {"product": "Linea", "address": "Talstraße 8, 79102 Freiburg", "email": "k.mora@example.org"},
)
PLACES = ("order", "amount", "amount2", "reference", "date", "count", "ending")
Row = dict[str, Any]
Vectors = Mapping[str, np.ndarray]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--measure", action="store_true")
    options.add_argument("--extra", type=Path)
    chosen = options.parse_args()
    done, own = rows_of("done"), rows_of("records")
    rows = with_others(own) + with_others(beside_english(own))
    extra = [of_an_answer(json.loads(line)) for line in chosen.extra.open()] if chosen.extra else []
    texts = [deeds.plainly(text) for row in (*rows, *extra) for text in (row["text"], *row["records"])]
    texts += [row["plain"] for row in done]
    vectors = dict(zip(texts, nets.vectors_of(texts), strict=True))
    if not chosen.measure:
        small = {name: value.astype(np.float16) for name, value in fitted(rows, done, vectors).items()}
        np.savez_compressed(DATA / "records.npz", **small)
        return
    for author in sorted({row["author"] for row in own}):
        weights = fitted([row for row in rows if row["author"][0] != author], done, vectors)
        for name in (author, f"{author} in English"):
            if unseen := [row for row in rows if row["author"] == name]:
                told(name, unseen, vectors, weights)
    if extra:
        told("extra", extra, vectors, fitted(rows, done, vectors))


def rows_of(kind: str) -> list[Row]:
    found = [json.loads(line) for file in sorted(DATA.glob(f"{kind}.*.jsonl")) for line in file.open(encoding="utf-8")]
    for number, row in enumerate(found):
        names = dict.fromkeys(PLACES, "0") | FIGURES[number % len(FIGURES)]
        row["plain"] = deeds.plainly(row["text"].format(**names) if kind == "done" else row["text"])
    return found


def of_an_answer(row: Row) -> Row:
    """Return a row of `bench.checks` as one of `records`."""
    return {
        "text": row["answer"], "records": row["ledger"], "is_said": row["label"] == "true", "kind": row["kind"],
        "locale": row["locale"],
    }  # fmt: skip


def with_others(rows: list[Row]) -> list[Row]:
    random = np.random.default_rng(0)
    others = []
    for row in rows:
        for at in random.integers(len(rows), size=OTHERS if row["is_said"] else 0):
            if rows[at]["records"] != row["records"]:
                others.append({**row, "records": rows[at]["records"], "is_said": False, "kind": "another record"})
    return rows + others


def beside_english(rows: Sequence[Row]) -> list[Row]:
    """Return the sentences in other languages with their records in English."""
    known = [json.loads(line) for line in (DATA / "english_records.jsonl").open(encoding="utf-8")]
    english = {one["record"]: one["english"] for one in known}
    return [
        {**row, "records": [english[record] for record in row["records"]], "author": f"{row['author']} in English"}
        for row in rows
        if row["locale"] != "en" and all(record in english for record in row["records"])
    ]


def fitted(rows: Sequence[Row], done: Sequence[Row], vectors: Vectors) -> dict[str, np.ndarray]:
    """Return the arrays of all three nets."""
    seen = np.array([vectors[row["plain"]] for row in done])
    has_deed = np.array([bool(row["deed"]) for row in done])
    whole = {
        **told_apart("deed", [row for row in done if row["deed"]], seen[has_deed]),
        **told_apart("outcome", done, seen),
    }
    use(whole)
    inputs, wanted, weights = [], [], []
    for row in rows:
        said, noted = nearest(row, vectors)
        inputs.append(deeds.pair_of(said, noted))
        wanted.append(row["is_said"])
        weights.append(STATUS_WEIGHT if row["kind"] == "status" and not row["is_said"] else 1)
    return {**whole, **net("pair", np.array(inputs), np.array(wanted, dtype=int), np.array(weights), classes=2)}


def told_apart(by: str, done: Sequence[Row], seen: np.ndarray) -> dict[str, np.ndarray]:
    """Return a net that distinguishes the deeds or their outcomes; each outcome has the same weight."""
    names = deeds.OUTCOMES if by == "outcome" else tuple(sorted({row["deed"] for row in done}))
    wanted = np.array([names.index(row["status" if by == "outcome" else "deed"]) for row in done])
    counts = np.bincount(wanted, minlength=len(names))
    shares = (len(done) / (len(names) * counts))[wanted] if by == "outcome" else np.ones(len(done))
    return net(by, seen, wanted, shares, classes=len(names))


def net(
    name: str, seen: np.ndarray, wanted: np.ndarray, shares: np.ndarray | None = None, *, classes: int
) -> dict[str, np.ndarray]:
    centre, scale = seen.mean(axis=0), seen.std(axis=0) + 1e-3
    inputs, weights = (seen - centre) / scale, np.ones(len(seen)) if shares is None else shares
    values = nets.averaged(
        inputs, wanted, weights, classes=classes, training=PAIRS_TRAINING if name == "pair" else TRAINING
    )
    return {f"{name}_{field}": value for field, value in {"centre": centre, "scale": scale, **values}.items()}


def use(arrays: Mapping[str, np.ndarray]) -> None:
    made = deeds.nets_in(arrays)
    deeds._nets = lambda: made  # type: ignore[assignment]


def nearest(row: Row, vectors: Vectors) -> tuple[deeds.Meaning, deeds.Meaning]:
    """Return the meanings of a sentence and of the record nearest to it."""
    said, *noted = (deeds.meaning_of(text, vectors[deeds.plainly(text)]) for text in (row["text"], *row["records"]))
    return said, max(noted, key=lambda one: float(said.unit @ one.unit))


def told(author: str, rows: Sequence[Row], vectors: Vectors, weights: Mapping[str, np.ndarray]) -> None:
    """Print the share of sentences that the checks would show, by level and kind."""
    use(weights)
    passed: dict[float, list[bool]] = defaultdict(list)
    for row in rows:
        is_deed = deeds.is_deed(row["text"], None, in_their_words=0, support=None)
        known = known_figures(row["records"])
        has_figures = all(known.holds(figure) for figure in figures_in(row["text"]))
        said, *noted = (deeds.meaning_of(text, vectors[deeds.plainly(text)]) for text in (row["text"], *row["records"]))
        score = max(deeds.odds_of_pair(said, one) for one in noted)
        for level in (-3, -2, -1.5, -1, -0.5, 0):
            passed[level].append(not is_deed or (has_figures and score >= level))
    kind = np.array(["true" if row["is_said"] else row["kind"] for row in rows])
    for level, shown in passed.items():
        facts = {name: round(float(np.mean(np.array(shown)[kind == name])), 2) for name in sorted(set(kind))}
        own = np.array([name not in ("true", "another record") for name in kind])
        facts["false"] = round(float(np.array(shown)[own].mean()), 2)
        sys.stdout.write(json.dumps({"author": author, "level": level, "shown": facts}) + "\n")


if __name__ == "__main__":
    main()
