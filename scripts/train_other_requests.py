#!/usr/bin/env python3
"""Train the model that recognises requests for something that no catalogue action does
(`supportbot/builtin/intents.py`) on labelled rows, or measure it on authors that it has not seen.

    python scripts/train_other_requests.py             fits on all rows and writes other_requests.npz
    python scripts/train_other_requests.py --measure   leaves out each author in turn and prints the shares recognised

It is trained on the requests among the intents' rows, on the examples of the catalogue's actions, and on the rows in
`data/other_requests.jsonl`: `{"text", "locale", "action", "author"}`. Rows whose action is not in the catalogue
request something else.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
django.setup()  # the registry reads models

from actions.registry import code_actions  # noqa: E402
from scripts.nets import Training, chance_of, message_vectors, rows_of_intents, save, two_sided  # noqa: E402
from supportbot.builtin import intents  # noqa: E402
from supportbot.language.classifiers import ensemble_in  # noqa: E402

TRAINING: Final = Training(nets=6, hidden=40, rounds=50, dropout=0.6)
FEATURES_ROUNDS: Final = 150
LEAST_ROWS: Final = 100  # of an author who is left out
THRESHOLDS: Final = (intents.SOMETHING_ELSE_FROM, intents.SURELY_SOMETHING_ELSE_FROM)

Row = dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--measure", action="store_true")
    is_measured = options.parse_args().measure
    rows = requests()
    vectors = message_vectors([row["text"] for row in rows])
    if is_measured:
        report(rows, vectors)
    else:
        save(fitted(rows, vectors), intents.OTHER_REQUESTS_FILE)


def requests() -> list[Row]:
    """Return all requests, each with its author and whether it is for something else than the catalogue's actions."""
    own = [json.loads(line) for line in (intents.DATA / "other_requests.jsonl").open()]
    return [
        *(row | {"other": row["action"] not in code_actions()} for row in own),
        *(row | {"other": row["intent"] == intents.OTHER} for row in rows_of_intents() if row.get("stance") == "wish"),
        *(
            {"text": text, "author": "examples", "other": False}
            for action in code_actions().values()
            for texts in action.examples.values()
            for text in texts
        ),
    ]


def fitted(rows: Sequence[Row], vectors: np.ndarray) -> dict[str, np.ndarray]:
    texts, wanted = [row["text"] for row in rows], np.array([int(row["other"]) for row in rows])
    return two_sided(texts, vectors, wanted, np.ones(len(rows)), training=TRAINING, rounds=FEATURES_ROUNDS)


def report(rows: Sequence[Row], vectors: np.ndarray) -> None:
    """Print how many requests of each author reach each threshold in a model fitted without that author's rows."""
    authors = np.array([row["author"] for row in rows])
    for author in sorted(set(authors)):
        inside, outside = np.flatnonzero(authors != author), np.flatnonzero(authors == author)
        if len(outside) < LEAST_ROWS:
            continue
        weights = ensemble_in(fitted([rows[at] for at in inside], vectors[inside]))
        chances: dict[bool, list[float]] = {True: [], False: []}
        for at in outside:
            share = chance_of(weights, rows[at]["text"], vectors[at])
            chances[rows[at]["other"]].append(share)
        for is_other, found in chances.items():
            reached = {f"from {least}": round(float(np.mean(np.array(found) >= least)), 3) for least in THRESHOLDS}
            facts = {"left_out": author, "rows": len(found), "something_else": is_other, **(reached if found else {})}
            sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
