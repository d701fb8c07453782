#!/usr/bin/env python3
"""Train the layers of the model in `checks/sentence_kinds.py` that reads a sentence with the pages and finds its kind.

    pip install torch
    python scripts/train_kind_layers.py     trains on all rows and writes kind_layers.npz: 15 minutes on one core
    python scripts/train_kind_layers.py --extra FILE.jsonl ...     also prints after each round how well it finds the
                                                                   deeds among rows like those of `told`

"We collect your old sofa at no charge" is a rule if the page says so, and a promise if it does not. So the last layers
of the packaged embedder are trained further, reading the sentence and the nearest pieces of the pages as one text
(`layer_training.py`).

There are four kinds of rows, in `checks/data`:
- `told.<language>.jsonl`: `{"page", "title", "page_locale", "text", "locale", "label": "rule"|"deed"|"regret"|"talk",
  "author"}`, sentences with a page: its rules as told to a customer, and deeds on the same subject in similar words.
- `kinds.<language>.jsonl`: sentences without a page (`train_kinds.py`). Each is read alone, and some are also read with
  pieces of a page of similar meaning, which never change their kind.
- `twins.<language>.jsonl` and `altered.jsonl`: a page, a sentence that it supports, and one with the opposite meaning.
  Both sentences are claims.
- `records.<language>.jsonl`: sentences about a deed, with or without a record of it. They are read alone.
"""

import argparse
import json
import random
import sys
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
from scripts.nets import vectors_of
from scripts.train_kinds import classes_of
from supportbot.assistant.checks import cross_encoders, doubtful_sentences, sentence_kinds

ROUNDS: Final = 2
TOLD_WEIGHT: Final = 2.0  # rows written for their page teach the difference best
WINDOWS_BESIDE: Final = 1  # windows of a page in another language; a draft's sentences are read without any
OTHERS_SHARE: Final = 0.4  # share of the sentences without a page that are also read with one
NEAREST: Final = 3  # number of nearest pages; each sentence is read with one of them
RECORDS_SHARE: Final = 0.5  # share of the sentences about records that is used
UNREAD_WEIGHT: Final = 0.5  # weight of these sentences: they were labelled for another purpose
DEEDS_OF_RECORDS: Final = frozenset({"faithful", "kind_of_deed", "deed", "added_deed", "extra", "paraphrase"})
DEED, TALK, CLAIM, REGRET = range(len(sentence_kinds.KINDS))
CLASSES: Final = {"rule": CLAIM, "deed": DEED, "regret": REGRET, "talk": TALK}


class Page(NamedTuple):
    title: str
    text: str
    locale: str


class Beside(NamedTuple):
    """A sentence, the page that it is read with, and the number of its kind."""

    text: str
    locale: str
    page: Page | None
    wanted: int
    weight: float = 1.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--extra", type=Path, nargs="*", default=[])
    chosen = options.parse_args()
    examples = examples_of(list(rows_to_learn()))
    extra = {file.stem: examples_of(told(rows_in(file))) for file in chosen.extra}
    every = [*examples, *(one for found in extra.values() for one in found)]
    states = lower_states([one.text for one in every])
    report = partial(_report, extra, states[len(examples) :])
    kinds = len(sentence_kinds.KINDS)
    trained = trained_on(examples, states[: len(examples)], rounds=ROUNDS, report=report, classes=kinds)
    np.savez_compressed(cross_encoders.DATA / "kind_layers.npz", **as_shipped(trained))


def _report(extra: dict[str, list[Example]], states: Sequence[np.ndarray], trained: Trained) -> None:
    at = 0
    for name, examples in extra.items():
        found = odds_of(trained, states[at : at + len(examples)])
        at += len(examples)
        odds = found[:, DEED] - np.logaddexp.reduce(np.delete(found, DEED, axis=1), axis=1)
        wanted = np.array([one.wanted for one in examples])
        is_deed = wanted == DEED
        figures = {"area": area(odds, is_deed), "right": (found.argmax(1) == wanted).mean()}
        for alarms in (0.03, 0.05, 0.1):
            level = np.quantile(odds[~is_deed], 1 - alarms)
            figures |= {f"recall at {alarms:.0%}": (odds[is_deed] > level).mean(), f"level at {alarms:.0%}": level}
        rounded = {key: round(float(value), 3) for key, value in figures.items()}
        sys.stdout.write(json.dumps({"extra": name, **rounded}) + "\n")


def told(rows: Sequence[Row]) -> list[Beside]:
    return [
        Beside(row["text"], row["locale"], page_of(row, row["page"]), CLASSES[row["label"]], TOLD_WEIGHT)
        for row in rows
    ]


def page_of(row: Row, text: str) -> Page:
    return Page(row["title"], text, row["page_locale"] if "page_locale" in row else row["passage_locale"])


def rows_to_learn() -> Iterator[Beside]:
    chance = random.Random(1)
    own, kinds = rows_of("told"), rows_of("kinds")
    twins = [*rows_of("twins"), *rows_in(cross_encoders.DATA / "altered.jsonl")]
    for one in told(own):
        yield one
        if one.wanted == DEED or chance.random() < 1 / 3:
            yield one._replace(page=None)
    pages = [*(page_of(row, row["page"]) for row in own), *(page_of(row, row["passage"]) for row in twins)]
    alone = [
        Beside(row["text"], row["locale"], None, wanted)
        for row, wanted in zip(kinds, classes_of(kinds).tolist(), strict=True)
    ]
    yield from alone
    some = [row for row in alone if chance.random() < OTHERS_SHARE]
    yield from beside_others(some, list(dict.fromkeys(pages)), chance)
    for row in twins:
        for text in dict.fromkeys((row["honest"], row["turned"])):
            yield Beside(text, row["locale"], page_of(row, row["passage"]), CLAIM)
    for row in rows_of("records"):
        if row["kind"] in DEEDS_OF_RECORDS and chance.random() < RECORDS_SHARE:
            yield Beside(row["text"], row["locale"], None, DEED, UNREAD_WEIGHT)


def beside_others(rows: Sequence[Beside], pages: Sequence[Page], chance: random.Random) -> Iterator[Beside]:
    """Yield each sentence with one of the pages nearest to it in meaning; its kind stays the same."""
    near = vectors_of([row.text for row in rows]) @ vectors_of([page.text for page in pages]).T
    for row, shares in zip(rows, near, strict=True):
        yield row._replace(page=pages[chance.choice(np.argsort(-shares)[:NEAREST].tolist())])


def examples_of(rows: Sequence[Beside]) -> list[Example]:
    """Return the rows as texts to be read: each sentence with the nearest pieces of its page."""
    abroad = [row for row in rows if row.page is not None and row.page.locale != row.locale]
    texts = list(dict.fromkeys([*(row.text for row in abroad), *(one for row in abroad for one in windows(row.page))]))
    vectors = dict(zip(texts, vectors_of(texts), strict=True)) if texts else {}

    def pieces(row: Beside) -> Sequence[str]:
        if row.page is None:
            return ()
        if row.page.locale == row.locale:
            source = f"{row.page.title}\n{row.page.text}"
            return doubtful_sentences.nearest_pieces([source], row.text, row.locale, most=sentence_kinds.PIECES_BESIDE)
        found = sorted(windows(row.page), key=lambda one: -float(vectors[one] @ vectors[row.text]))
        return found[:WINDOWS_BESIDE]

    return [Example(cross_encoders.together(row.text, pieces(row)), row.wanted, row.weight) for row in rows]


def windows(page: Page | None) -> Sequence[str]:
    return () if page is None else tuple(cross_encoders.windows_of_page(page.title, page.text))


if __name__ == "__main__":
    main()
