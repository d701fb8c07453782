#!/usr/bin/env python3
"""Train the layers of the model in `checks/deeds.py` that reads a sentence with the records of what was done, and
decides whether it says no more than they do.

    pip install torch
    python scripts/train_record_layers.py     trains on all rows and writes record_layers.npz: 20 minutes on one core
    python scripts/train_record_layers.py --extra FILE.jsonl ...     also prints after each round how the model does on
                                                                     rows of `bench.checks`, never trained on

The last layers of the packaged embedder are trained further. They read sentence and records as one text, so that they
see each word of one together with the words of the other (`layer_training.py`).

There are three kinds of rows, in `checks/data`:
- `records.<language>.jsonl`: `{"records": [...], "text", "locale", "is_said", "kind", "author"}`, a sentence and the
  records. Some are repeated with an additional record or a different one, and with the records in English
  (`english_records.jsonl`), since a shop's actions often have no other language.
- `done.<language>.jsonl`: `{"deed", "status", "role": "record"|"said", "text", "locale"}`, notes of deeds and an
  assistant's sentences about them, with placeholders for figures. Each sentence is paired with a record of the same
  deed and outcome, of another outcome, and of another deed. Half of these pairs are used.
- `twins.<language>.jsonl` and `altered.jsonl`: a passage, a sentence that it supports, and one with the opposite
  meaning. Each sentence is paired with the nearest pieces of the passage.
"""

import argparse
import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts.layer_training import (
    Example,
    Row,
    Trained,
    area,
    as_shipped,
    lower_states,
    odds_of,
    rows_in,
    rows_of,
    trained_on,
)
from supportbot.assistant.checks import cross_encoders, doubtful_sentences

ROUNDS: Final = 3
MADE_SHARE: Final = 0.5  # share of the pairs made from `done` that is used
MADE_WEIGHT: Final = 0.5  # weight of these pairs: nobody has read them
PIECES: Final = 3  # number of pieces of a passage
FURTHER, OTHER, IN_ENGLISH = (
    0.3,
    0.15,
    0.3,
)  # shares of rows with such records
OUTCOMES: Final = ("done", "waiting", "refused", "failed", "looked_up")
PLACES: Final = {
    "product": ("Kestrel 2", "Linea", "Volta Mini", "AeroPress Go"),
    "address": ("12 High Street, Bristol", "Talstraße 8, 79102 Freiburg", "5 rue des Lilas, Lyon"),
    "email": ("k.mora@example.org",),
}


class Pair(NamedTuple):
    """A sentence, the records read with it, whether it says no more than they do, and the weight of the pair."""

    text: str
    records: tuple[str, ...]
    is_said: bool
    weight: float = 1.0

    @property
    def example(self) -> Example:
        return Example(cross_encoders.together(self.text, self.records), self.is_said, self.weight)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--extra", type=Path, nargs="*", default=[])
    chosen = options.parse_args()
    pairs = list(pairs_to_learn())
    extra = {
        file.stem: [pair for line in file.open() for pair in of_an_answer(json.loads(line))] for file in chosen.extra
    }
    every = [pair.example for pair in (*pairs, *(pair for found in extra.values() for pair in found))]
    states = lower_states([one.text for one in every])
    report = partial(_report, extra, states[len(pairs) :])
    trained = trained_on(every[: len(pairs)], states[: len(pairs)], rounds=ROUNDS, report=report)
    np.savez_compressed(cross_encoders.DATA / "record_layers.npz", **as_shipped(trained))


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
    yield from beside_pages([*rows_of("twins"), *rows_in(cross_encoders.DATA / "altered.jsonl")])


def of_the_rows(rows: Sequence[Row]) -> Iterator[Pair]:
    known = rows_in(cross_encoders.DATA / "english_records.jsonl")
    english = {one["record"]: one["english"] for one in known}
    for row in rows:
        yield Pair(row["text"], tuple(row["records"]), row["is_said"])
        if row["locale"] != "en" and all(record in english for record in row["records"]):
            yield Pair(row["text"], tuple(english[record] for record in row["records"]), row["is_said"])


def beside_others(rows: Sequence[Row], chance: random.Random) -> Iterator[Pair]:
    """Yield some sentences with an additional record, which changes nothing, and some true ones with records of other
    rows.
    """
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
    """Yield the sentences about each deed with records of it, of a different outcome, and of a different deed."""
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
    """Yield each sentence about a passage with the pieces of the passage that share most with it."""
    for row in rows:
        for text, is_said in ((row["honest"], True), (row["turned"], False)):
            pieces = doubtful_sentences.nearest_pieces([row["passage"]], text, row["locale"], most=PIECES)
            yield Pair(text, tuple(pieces), is_said)


def others_of(
    row: Row, records: dict[tuple[str, str, str], list[str]], chance: random.Random
) -> Iterator[tuple[str, str]]:
    """Yield the deed with a different outcome, and a different deed: each in most cases, and only if records exist."""
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


if __name__ == "__main__":
    main()
