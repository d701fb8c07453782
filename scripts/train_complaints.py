#!/usr/bin/env python3
"""Train `supportbot/builtin/complaints.py` on labelled rows, or measure it on languages that it has not seen.

    python scripts/train_complaints.py             fits on all rows and writes complaints.npz
    python scripts/train_complaints.py --measure   leaves out each language in turn and prints hits and false alarms

Rows are `{"text", "locale", "complaint"}` in `data/complaints.jsonl`. The intents' rows are used too: their complaints
as such, their courtesies, questions and requests as other messages. They count less, since nobody labelled them for
this purpose; requests count least, because some of them also report a problem.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts.nets import Training, message_vectors, rows_of_intents, save, two_sided
from supportbot.builtin import complaints, intents
from supportbot.language.classifiers import ensemble_in

TRAINING: Final = Training(nets=3, hidden=24, rounds=30, dropout=0.5)
FEATURES_ROUNDS: Final = 150
PLAIN: Final = frozenset({"asks", "hypothetical", "question", "greeting", "thanks", "farewell", "acknowledgement",
                          "person", "contact", "who", "can_do", "how_are_you", "affirm", "negate"})  # fmt: skip
BORROWED: Final = 0.5
REQUESTS: Final = 0.2
LEVELS: Final = (0.5, 0.6, 0.7, 0.9)

Row = dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--measure", action="store_true")
    is_measured = options.parse_args().measure
    rows = [*labelled(), *borrowed()]
    vectors = message_vectors([row["text"] for row in rows])
    if is_measured:
        report(rows, vectors)
        return
    save(fitted(rows, vectors), intents.DATA / "complaints.npz")


def labelled() -> list[Row]:
    return [json.loads(line) | {"share": 1.0} for line in (intents.DATA / "complaints.jsonl").open()]


def borrowed() -> list[Row]:
    """Return the complaints, courtesies, questions and requests among the rows of the intents."""
    found = []
    for row in rows_of_intents():
        kind = row.get("stance", row["intent"])
        if kind == "complaint" or kind in PLAIN:
            found.append(row | {"complaint": kind == "complaint", "share": BORROWED})
        elif kind == "wish":
            found.append(row | {"complaint": False, "share": REQUESTS})
    return found


def fitted(rows: Sequence[Row], vectors: np.ndarray) -> dict[str, np.ndarray]:
    texts, wanted = [row["text"] for row in rows], np.array([int(row["complaint"]) for row in rows])
    return two_sided(
        texts, vectors, wanted, np.array([row["share"] for row in rows]), training=TRAINING, rounds=FEATURES_ROUNDS
    )


def report(rows: Sequence[Row], vectors: np.ndarray) -> None:
    """Print the shares of complaints and of other messages that reach each level, by kind of row."""
    chances = np.zeros(len(rows))
    locales = np.array([row["locale"] for row in rows])
    for language in sorted(set(locales)):
        inside, outside = np.flatnonzero(locales != language), np.flatnonzero(locales == language)
        weights = ensemble_in(fitted([rows[at] for at in inside], vectors[inside]))
        chances[outside] = [complaints.complaint_chance(rows[at]["text"], vectors[at], weights) for at in outside]
    for name, share in (("own rows", 1.0), ("intents", BORROWED), ("requests", REQUESTS)):
        for is_complaint in (True, False):
            seen = [row["share"] == share and row["complaint"] == is_complaint for row in rows]
            if not any(seen):
                continue
            reached = {str(level): round(float((chances[seen] >= level).mean()), 3) for level in LEVELS}
            sys.stdout.write(json.dumps({"on": name, "complaint": is_complaint, "rows": sum(seen), **reached}) + "\n")


if __name__ == "__main__":
    main()
