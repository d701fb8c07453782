#!/usr/bin/env python3
"""Train the model that recognises questions about whether something was done (`supportbot/builtin/intents.py`) on
labelled rows, or measure it on languages that it has not seen.

    python scripts/train_done_questions.py             fits on all rows and writes done_questions.npz
    python scripts/train_done_questions.py --measure   leaves out each language in turn and prints the shares recognised

It is trained on the rows in `data/done_questions.jsonl`, `{"text", "locale", "done"}`, and on all rows of the intents
and complaints, which count less, since hardly any is close to such a question.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts.nets import Training, chance_of, message_vectors, rows_of_intents, save, two_sided
from supportbot.builtin import intents
from supportbot.language.classifiers import ensemble_in

TRAINING: Final = Training(nets=3, hidden=24, rounds=30, dropout=0.5)
FEATURES_ROUNDS: Final = 150
OTHERS: Final = 0.3

Row = dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--measure", action="store_true")
    is_measured = options.parse_args().measure
    rows = messages()
    vectors = message_vectors([row["text"] for row in rows])
    if is_measured:
        report(rows, vectors)
    else:
        save(fitted(rows, vectors), intents.DONE_QUESTIONS_FILE)


def messages() -> list[Row]:
    """Return all rows, each with its weight."""
    own, complaints = (
        [json.loads(line) for line in (intents.DATA / f"{name}.jsonl").open()]
        for name in ("done_questions", "complaints")
    )
    others = [*rows_of_intents(), *complaints]
    return [*(row | {"share": 1.0} for row in own), *(row | {"done": False, "share": OTHERS} for row in others)]


def fitted(rows: Sequence[Row], vectors: np.ndarray) -> dict[str, np.ndarray]:
    texts, wanted = [row["text"] for row in rows], np.array([int(row["done"]) for row in rows])
    shares = np.array([row["share"] for row in rows])
    return two_sided(texts, vectors, wanted, shares, training=TRAINING, rounds=FEATURES_ROUNDS)


def report(rows: Sequence[Row], vectors: np.ndarray) -> None:
    """Print each language's shares that reach the threshold, in a model fitted without that language's rows."""
    locales = np.array([row["locale"] for row in rows])
    for language in sorted({row["locale"] for row in rows if row["done"]}):
        inside, outside = np.flatnonzero(locales != language), np.flatnonzero(locales == language)
        weights = ensemble_in(fitted([rows[at] for at in inside], vectors[inside]))
        reached: dict[bool, list[bool]] = {True: [], False: []}
        for at in outside:
            chance = chance_of(weights, rows[at]["text"], vectors[at])
            reached[rows[at]["done"]].append(chance >= intents.DONE_QUESTION_FROM)
        sides = (("recognised", reached[True]), ("mistaken", reached[False]))
        shares = {side: round(float(np.mean(found)), 3) for side, found in sides if found}
        sys.stdout.write(json.dumps({"left_out": language, "rows": len(outside), **shares}) + "\n")


if __name__ == "__main__":
    main()
