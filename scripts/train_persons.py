#!/usr/bin/env python3
"""Train both models that detect requests for a person (`supportbot/builtin/intents.py`) on labelled rows, or measure
them on languages that they have not seen.

    python scripts/train_persons.py             fits on all rows and writes persons.npz and person_requests.npz
    python scripts/train_persons.py --measure   leaves out each language in turn and prints the shares that are right

Rows are `{"text", "locale", "person"}`. The first model is trained on `data/persons.jsonl` and on the intents' requests
for a person and questions about who is answering. The second one is trained on these, on `data/person_requests.jsonl`,
and on all other rows of the intents and of the complaints, which count less, since hardly any is close to a request.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts.nets import Training, chance_of, message_vectors, rows_of_intents, save, two_sided
from supportbot.builtin import intents
from supportbot.language.classifiers import ensemble_in

TRAINING: Final = Training(nets=3, hidden=24, rounds=60, dropout=0.5)
REQUESTS_TRAINING: Final = Training(nets=3, hidden=24, rounds=30, dropout=0.5)
FEATURES_ROUNDS: Final = 150
KINDS: Final = ("person", "who")
OTHERS: Final = 0.3

Row = dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--measure", action="store_true")
    is_measured = options.parse_args().measure
    for rows, training, file in (
        (divided(), TRAINING, intents.PERSONS_FILE),
        (all_kinds(), REQUESTS_TRAINING, intents.PERSON_REQUESTS_FILE),
    ):
        vectors = message_vectors([row["text"] for row in rows])
        if is_measured:
            report(file.stem, rows, vectors, training)
        else:
            save(fitted(rows, vectors, training), file)


def divided() -> list[Row]:
    """Return the rows of the two kinds that the first model distinguishes."""
    return [*labelled("persons"), *(row for row in of_intents() if row["intent"] in KINDS)]


def all_kinds() -> list[Row]:
    """Return the rows of all kinds."""
    complaints = [row | {"person": False, "share": OTHERS} for row in labelled("complaints")]
    return [*labelled("persons"), *of_intents(), *complaints, *labelled("person_requests")]


def labelled(file: str) -> list[Row]:
    return [json.loads(line) | {"share": 1.0} for line in (intents.DATA / f"{file}.jsonl").open()]


def of_intents() -> Iterator[Row]:
    for row in rows_of_intents():
        yield row | {"person": row["intent"] == "person", "share": 1.0 if row["intent"] in KINDS else OTHERS}


def fitted(rows: Sequence[Row], vectors: np.ndarray, training: Training) -> dict[str, np.ndarray]:
    texts, wanted = [row["text"] for row in rows], np.array([int(row["person"]) for row in rows])
    shares = np.array([row["share"] for row in rows])
    return two_sided(texts, vectors, wanted, shares, training=training, rounds=FEATURES_ROUNDS)


def report(name: str, rows: Sequence[Row], vectors: np.ndarray, training: Training) -> None:
    """Print each language's share of correct decisions, made by a model fitted without that language's rows."""
    locales = np.array([row["locale"] for row in rows])
    for language in sorted(set(locales)):
        inside, outside = np.flatnonzero(locales != language), np.flatnonzero(locales == language)
        weights = ensemble_in(fitted([rows[at] for at in inside], vectors[inside], training))
        right: dict[bool, list[bool]] = {True: [], False: []}
        for at in outside:
            share = chance_of(weights, rows[at]["text"], vectors[at])
            right[rows[at]["person"]].append((share >= 0.5) == rows[at]["person"])
        sides = (("person", right[True]), ("others", right[False]))
        shares = {side: round(sum(found) / len(found), 3) for side, found in sides if found}
        sys.stdout.write(json.dumps({"model": name, "left_out": language, "rows": len(outside), **shares}) + "\n")


if __name__ == "__main__":
    main()
