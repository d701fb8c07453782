#!/usr/bin/env python3
"""Teach the model of `checks/deeds.py` that tells whether a sentence says no more than a record of what was done.

    python scripts/train_records.py             fits on all rows and writes records.npz
    python scripts/train_records.py --measure   fits without one author of the records after the other and prints how
                                                it does on them

Two kinds of rows, in `checks/data`:
- `records.<language>.jsonl`: `{"records": [...], "text", "locale", "is_said", "kind", "author"}`, a sentence and what
  is on record. Each true sentence is also put to records of other rows, which say something else.
- `done.<language>.jsonl`: `{"deed", "status", "role": "record"|"said", "text", "locale"}`, notes of forty-four deeds
  and what an assistant says of them, with places for figures. From them the directions are learnt in which deeds differ
  (linear discriminants), and pairs are made: the same deed and status; another deed, another status.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts import nets
from supportbot.assistant.checks import deeds
from supportbot.assistant.checks.kinds import DATA
from supportbot.language.figures import figures_in, known_figures

OTHERS = 3  # records of other rows that a true sentence is put to
AXES = 24  # of the 43 in which 44 deeds can differ: the rest told authors apart
RIDGE = 0.3
ROUNDS, DROPPED = 16, 0.2
RECORDS_WEIGHT = 5.0  # of a row with its own records beside a pair that was put together
# Figures to stand in the places, two sets, so that a pair has the same ones whether it is true or not.
FIGURES = (
    {"order": "WF-20418", "amount": "€64.50", "amount2": "€12.00", "reference": "RF-4411", "date": "12 May 2025",
     "product": "Kestrel 2", "count": "3", "address": "12 High Street, Bristol BS1 4QA", "email": "a.smith@example.com",
     "ending": "8820"},
    {"order": "70113", "amount": "129,00 €", "amount2": "15,00 €", "reference": "RX-902", "date": "2025-06-14",
     "product": "Linea", "count": "2", "address": "Talstraße 8, 79102 Freiburg", "email": "k.mora@example.org",
     "ending": "0417"},
)  # fmt: skip
# Deeds of which a note of one may well be told in the words of the other: no pair says that they differ.
ALIKE = (
    {"refund", "partial_refund"}, {"send_replacement", "resend_parcel", "change_item", "order_placed"},
    {"ticket_opened", "complaint_filed", "carrier_trace", "callback_arranged", "repair_arranged", "charge_disputed"},
    {"appointment_cancelled", "booking_cancelled", "cancel_order"}, {"email_sent", "invoice_sent"},
    {"hold_shipment", "change_delivery_date", "upgrade_shipping"}, {"change_item", "add_item"},
    {"discount_code", "store_credit", "gift_card_reissued", "points_credited"},
    {"account_deleted", "subscription_cancelled"},
)  # fmt: skip
Row = dict[str, Any]
Vectors = Mapping[str, np.ndarray]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--measure", action="store_true")
    is_measured = options.parse_args().measure
    nets.ROUNDS, nets.DROPPED = ROUNDS, DROPPED
    done, rows = rows_of("done"), with_others(rows_of("records"))
    paired = list(pairs_from(done))
    texts = [text for row in chain(rows, paired) for text in (row["text"], *row["records"])]
    vectors = dict(zip(texts, nets.vectors_of(texts), strict=True))
    axes = axes_from(done, vectors)
    if not is_measured:
        small = {name: value.astype(np.float16) for name, value in fitted(rows, paired, vectors, axes).items()}
        np.savez_compressed(DATA / "records.npz", **small)
        return
    for author in sorted({row["author"] for row in rows}):
        unseen = [row for row in rows if row["author"] == author]
        known = [row for row in rows if row["author"] != author]
        told(author, unseen, vectors, fitted(known, paired, vectors, axes))


def rows_of(kind: str) -> list[Row]:
    return [json.loads(line) for file in sorted(DATA.glob(f"{kind}.*.jsonl")) for line in file.open(encoding="utf-8")]


def with_others(rows: list[Row]) -> list[Row]:
    random = np.random.default_rng(0)
    others = []
    for row in rows:
        for at in random.integers(len(rows), size=OTHERS if row["is_said"] else 0):
            if rows[at]["records"] != row["records"]:
                others.append({**row, "records": rows[at]["records"], "is_said": False, "kind": "another record"})
    return rows + others


def pairs_from(done: Sequence[Row]) -> Iterator[Row]:
    """Yield sentences with notes of the same deed, of other deeds, and of the same deed in another status."""
    random = np.random.default_rng(0)
    notes = defaultdict(list)
    for row in done:
        if row["role"] == "record":
            notes[row["locale"]].append(row)
    for number, row in enumerate(row for row in done if row["role"] == "said"):
        figures = FIGURES[number % len(FIGURES)]
        for locale in dict.fromkeys((row["locale"], "en")):
            is_own = locale == row["locale"]
            same = [note for note in notes[locale] if note["deed"] == row["deed"]]
            groups = (
                (True, 2 if is_own else 1, [note for note in same if note["status"] == row["status"]]),
                (False, 2 if is_own else 1, [note for note in notes[locale] if differ(note, row)]),
                (False, 2 if is_own else 0, [note for note in same if note["status"] != row["status"]]),
                (False, 2 if row["status"] == "done" else 0, [note for note in notes[locale] if is_look_up(note)]),
            )
            for is_said, most, found in groups:
                for at in random.permutation(len(found))[:most]:
                    yield {
                        "text": filled(row["text"], figures), "records": [filled(found[at]["text"], figures)],
                        "is_said": is_said,
                    }  # fmt: skip


def differ(note: Row, row: Row) -> bool:
    one, two = note["deed"], row["deed"]
    return note["status"] == "done" and one != two and not any({one, two} <= group for group in ALIKE)


def is_look_up(note: Row) -> bool:
    """Return whether a note says that something was read only: no deed is on record, whatever it was about."""
    return bool(note["status"] == "looked_up")


def filled(text: str, figures: Mapping[str, str]) -> str:
    return text.format(**figures)


def axes_from(done: Sequence[Row], vectors: Vectors) -> dict[str, np.ndarray]:
    """Return the mean of the unit vectors, and the directions that set deeds, and what became of them, apart."""
    known = [
        (vectors[text], row)
        for row in done
        for text in (filled(row["text"], figures) for figures in FIGURES)
        if text in vectors
    ]
    units = np.array([vector / np.linalg.norm(vector) for vector, _ in known])
    mean = units.mean(axis=0)
    by_deed = directions(units - mean, [row["deed"] for _, row in known])[:, -AXES:]
    statuses = [row["status"] for _, row in known]
    by_status = directions(units - mean, statuses)[:, -(len(set(statuses)) - 1) :]
    return {"mean": mean, "axes": by_deed, "status_axes": by_status}


def directions(units: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return the linear discriminants of named groups, as columns, the most telling last."""
    groups = np.array(names)
    within, between = np.zeros((2, units.shape[1], units.shape[1]))
    for name in set(names):
        own = units[groups == name]
        middle = own.mean(axis=0)
        within += (own - middle).T @ (own - middle)
        between += len(own) * np.outer(middle, middle)
    within += np.eye(len(within)) * np.trace(within) / len(within) * RIDGE
    spread, turn = np.linalg.eigh(within / len(units))
    whitened = turn / np.sqrt(spread)
    _, found = np.linalg.eigh(whitened.T @ (between / len(units)) @ whitened)
    return whitened @ found


def pairs_of(rows: Sequence[Row], vectors: Vectors, axes: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return each sentence beside the record that is nearest to it."""
    return np.array([deeds.pair_of(row["text"], vectors[row["text"]], *nearest(row, vectors), axes) for row in rows])


def nearest(row: Row, vectors: Vectors) -> tuple[str, np.ndarray]:
    own = vectors[row["text"]]
    best = max(row["records"], key=lambda text: float(own @ vectors[text]) / float(np.linalg.norm(vectors[text])))
    return best, vectors[best]


def fitted(
    rows: Sequence[Row], paired: Sequence[Row], vectors: Vectors, axes: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    every = [*rows, *paired]
    seen = pairs_of(every, vectors, axes)
    centre, scale = seen.mean(axis=0), seen.std(axis=0) + 1e-3
    wanted = np.array([int(row["is_said"]) for row in every])
    shares = np.where(wanted == 1, len(every) / (2 * wanted.sum()), len(every) / (2 * (1 - wanted).sum()))
    shares *= np.where(np.arange(len(every)) < len(rows), RECORDS_WEIGHT, 1.0)
    net = nets.averaged((seen - centre) / scale, wanted, shares, classes=2)
    # Two classes are one odds.
    net["out"], net["out_bias"] = net["out"][:, 1:] - net["out"][:, :1], net["out_bias"][1:] - net["out_bias"][:1]
    return {"centre": centre, "scale": scale, **axes, **net}


def told(author: str, rows: Sequence[Row], vectors: Vectors, weights: Mapping[str, np.ndarray]) -> None:
    """Print what is let through and what is not, with the figures' check beside the model, as a draft has them."""
    deeds._record_weights = lambda: weights  # type: ignore[assignment]
    held, scores = [], []
    for row in rows:
        known = known_figures(row["records"])
        held.append(all(known.holds(figure) for figure in figures_in(row["text"])))
        own = vectors[row["text"]]
        scores.append(max(deeds.says_the_same(row["text"], own, text, vectors[text]) for text in row["records"]))
    is_said = np.array([row["is_said"] for row in rows])
    kinds = np.array([row["kind"] for row in rows])
    is_other = kinds == "another record"
    is_deed_of_its_own = (kinds == "kind_of_deed") & ~is_said
    for level in (0.05, 0.1, deeds.DONE_FROM, 0.2, 0.3, 0.5):
        passed = np.array(held) & (np.array(scores) >= level)
        facts = {
            "author": author, "level": level, "true shown": passed[is_said].mean(),
            "false withheld": 1 - passed[~is_said & ~is_other].mean(),
            "another deed, withheld": 1 - passed[is_deed_of_its_own].mean(),
            "said of another record, withheld": 1 - passed[is_other].mean(),
        }  # fmt: skip
        rounded = {key: round(float(fact), 3) if isinstance(fact, float) else fact for key, fact in facts.items()}
        sys.stdout.write(json.dumps(rounded) + "\n")


if __name__ == "__main__":
    main()
