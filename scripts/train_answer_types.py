#!/usr/bin/env python3
"""Train `supportbot/builtin/answer_types.py` on labelled rows, or measure it on questions about other texts.

    python scripts/train_answer_types.py                            fits on all rows and writes answer_types.npz
    python scripts/train_answer_types.py --measure LANGUAGE=FILE    asks the questions of a file in SQuAD's format

Rows are `{"text", "locale", "type"}` in `data/answer_types.jsonl`. The rows of the intents are used as well, as
messages that ask for no figure. Since nobody labelled them for this purpose, they count less, and those of their
questions that a fit on the labelled rows alone takes for questions about a figure are left out.

For each file, it prints how many questions seem to ask for a kind of figure, and how often such a figure is in their
answer, in their own paragraph and in the other paragraphs of the same text.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts.nets import linear, rows_of_intents, save
from supportbot.builtin import intents
from supportbot.builtin.answer_types import OTHER, TYPES, asked_type, types_of_figures, weights_shipped
from supportbot.language.classifiers import Linear, linear_in

ROUNDS: Final = 120
BORROWED: Final = 0.35

Row = dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--measure", action="append", metavar="LANGUAGE=FILE")
    files = options.parse_args().measure
    if files is None:
        save(fitted(), intents.DATA / "answer_types.npz")
        return
    for given in files:
        language, _, file = given.partition("=")
        sys.stdout.write(json.dumps({"language": language, **measured(language, Path(file))}) + "\n")


def fitted() -> dict[str, np.ndarray]:
    """Return the arrays of the model, fitted without the intents' questions about figures."""
    own = [json.loads(line) | {"share": 1.0} for line in (intents.DATA / "answer_types.jsonl").open()]
    first = linear_in(trained(own))
    return trained([*own, *(row for row in borrowed() if not asks_for_figure(row, first))])


def borrowed() -> Iterator[Row]:
    for row in rows_of_intents():
        yield row | {"type": OTHER, "share": BORROWED}


def asks_for_figure(row: Row, weights: Linear) -> bool:
    is_question = row.get("stance", row["intent"]) in intents.QUESTIONS
    return is_question and asked_type(row["text"], weights) != OTHER


def trained(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """Return the arrays of a linear model. The labelled rows of each type have the same total weight."""
    wanted = np.array([TYPES.index(row["type"]) for row in rows])
    shares = np.array([row["share"] for row in rows])
    is_own = shares == 1.0
    shares[is_own] = (is_own.sum() / len(TYPES) / np.bincount(wanted[is_own]))[wanted[is_own]]
    texts = [intents.normalised(row["text"]) for row in rows]
    pieces, bias = linear(texts, wanted, shares, classes=len(TYPES), words=intents.FEATURE_WORDS_MOST, rounds=ROUNDS)
    return {"pieces": pieces, "pieces_bias": bias}


def measured(language: str, file: Path) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    for text in json.loads(file.read_text())["data"]:
        contained = [types_of_figures(paragraph["context"], language) for paragraph in text["paragraphs"]]
        for at, paragraph in enumerate(text["paragraphs"]):
            for row in paragraph["qas"]:
                counts["questions"] += 1
                kind = asked_type(row["question"], weights_shipped())
                if kind == OTHER:
                    continue
                counts["ask_for_figure"] += 1
                answers = (types_of_figures(one["text"], language) for one in row["answers"])
                counts["answer_contains_it"] += any(kind in one for one in answers)
                counts["own_paragraph_contains_it"] += kind in contained[at]
                counts["other_paragraphs"] += len(contained) - 1
                counts["other_paragraphs_contain_it"] += sum(kind in one for one in contained) - (kind in contained[at])
    return dict(counts)


if __name__ == "__main__":
    main()
