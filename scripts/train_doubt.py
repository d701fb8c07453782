#!/usr/bin/env python3
"""Fit `supportbot/assistant/checks/doubtful_sentences.py` to pairs of true and altered sentences, or measure it.

    python scripts/train_doubt.py             fits on all pairs and writes doubt.json
    python scripts/train_doubt.py --measure   fits without each locale in turn, and without the demo's pairs
    python scripts/train_doubt.py --measure --answers FILE.jsonl   measures models' answers too (never trained on)

Rows are `{"locale", "passage_locale", "title", "passage", "honest", "turned", "kind"}` in
`checks/data/twins.<language>.jsonl`, whose passage is used alone or among others, and the pairs of
`examples/evaluation` with the demo's article as their source. Answers are `{"passages": [{"title", "text"}], "answer",
"label"}`.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HOME = Path(__file__).parent.parent
sys.path.insert(0, str(HOME))

from supportbot.assistant.checks import doubtful_sentences  # noqa: E402
from supportbot.language.sentences import sentences_of  # noqa: E402

EXAMPLES = HOME / "examples"
BESIDE = (0, 2, 5)  # numbers of passages in addition to a pair's own; a turn has up to six
PENALTY, ROUNDS = 3.0, 12
LEAST_ROWS = 6  # features in fewer rows are left out
HONEST_LOOKS = 0.16  # the share of true sentences in unseen rows that get a second look

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Row:
    sentence: str
    sources: tuple[str, ...]
    locale: str
    kind: str
    is_turned: bool
    is_foreign: bool = False


def rows_of_pairs() -> list[Row]:
    chance = random.Random(7)
    pairs = [json.loads(line) for file in sorted(doubtful_sentences.DATA.glob("twins.*.jsonl")) for line in file.open()]
    rows = []
    for pair in pairs:
        locale = pair["passage_locale"]
        others = [one["passage"] for one in pairs if one["passage_locale"] == locale and one["title"] != pair["title"]]
        sources = (pair["passage"], *chance.sample(others, chance.choice(BESIDE)))
        for name in ("honest", "turned"):
            is_foreign = locale != pair["locale"]
            rows.append(Row(pair[name], sources, pair["locale"], pair["kind"], name == "turned", is_foreign))
    return rows


def rows_of_demo() -> list[Row]:
    articles = {file.stem: file.read_text() for file in EXAMPLES.glob("knowledge/*/*.md")}
    rows = []
    for file in ("paraphrases", "twins"):
        for pair in map(json.loads, (EXAMPLES / "evaluation" / f"{file}.jsonl").open()):
            for name in ("honest", "false"):
                if pair.get(name):
                    sources = (articles[pair["article"]],)
                    rows.append(Row(pair[name], sources, pair["locale"], file, name == "false"))
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--measure", action="store_true")
    options.add_argument("--answers", type=Path)
    chosen = options.parse_args()
    pairs, demo = rows_of_pairs(), rows_of_demo()
    rows = [*pairs, *demo]
    seen = [doubtful_sentences.Doubts(row.sources, language=row.locale).features(row.sentence) or {} for row in rows]
    scores, is_turned = unfitted(rows, seen, len(pairs)), np.array([row.is_turned for row in rows])
    threshold = float(np.quantile(scores[~is_turned], 1 - HONEST_LOOKS))
    if chosen.measure:
        measure(rows, scores >= threshold, len(pairs))
        for name, part in (("pairs", slice(len(pairs))), ("demo", slice(len(pairs), None))):
            print(json.dumps({"rows": name, "auc": auc(scores[part], is_turned[part])}))  # noqa: T201
        if chosen.answers:
            measure_answers(chosen.answers, fitted(rows, seen), threshold)
    else:
        weights = fitted(rows, seen)
        weights["bias"] -= threshold  # so that LOOK_FROM is the threshold
        shipped = {name: round(value, 3) for name, value in sorted(weights.items())}
        (doubtful_sentences.DATA / "doubt.json").write_text(json.dumps(shipped, indent=2) + "\n")


def unfitted(rows: Sequence[Row], seen: Sequence[doubtful_sentences.Features], pairs: int) -> Array:
    """Return the log odds of each row, by weights fitted without the rows of its locale, or without the demo's."""
    scores = np.zeros(len(rows))
    groups = [row.locale if at < pairs else "demo" for at, row in enumerate(rows)]
    for group in sorted(set(groups)):
        others = [at for at, row in enumerate(rows) if group not in (groups[at], row.locale)]
        weights = fitted([rows[at] for at in others], [seen[at] for at in others])
        for at, found in enumerate(seen):
            if groups[at] == group:
                scores[at] = odds_of(found, weights)
    return scores


def odds_of(found: doubtful_sentences.Features, weights: dict[str, float]) -> float:
    return weights["bias"] + sum(value * weights.get(name, 0.0) for name, value in found.items())


def fitted(rows: Sequence[Row], seen: Sequence[doubtful_sentences.Features]) -> dict[str, float]:
    """Return the weights of a logistic model over the features whose weight is not negative.

    No difference makes a sentence less doubtful, so a negative weight would only reflect an author's habit.
    """
    counts = Counter(name for found in seen for name in found)
    names = sorted(name for name, count in counts.items() if count >= LEAST_ROWS)
    wanted = np.array([row.is_turned for row in rows], dtype=float)
    while True:
        table = np.array([[found.get(name, 0.0) for name in names] for found in seen])
        values = logistic(table, wanted)
        kept = [name for name, value in zip(names, values, strict=False) if value >= 0]
        if kept == names:
            return dict(zip([*names, "bias"], values.tolist(), strict=True))
        names = kept


def logistic(table: Array, wanted: Array) -> Array:
    inputs = np.hstack([table, np.ones((len(table), 1))])
    values, penalty = np.zeros(inputs.shape[1]), np.eye(inputs.shape[1]) * PENALTY
    penalty[-1, -1] = 1e-6
    for _ in range(ROUNDS):
        likely = 1 / (1 + np.exp(-inputs @ values))
        slope = inputs.T @ (likely - wanted) + penalty @ values
        values = values - np.linalg.solve(inputs.T @ (inputs * (likely * (1 - likely))[:, None]) + penalty, slope)
    return values


def measure(rows: Sequence[Row], looks: Array, pairs: int) -> None:
    """Print the shares of altered and of honest unseen sentences that get a second look."""
    groups: dict[str, dict[bool, list[bool]]] = defaultdict(lambda: {True: [], False: []})
    for at, (row, look) in enumerate(zip(rows, looks, strict=True)):
        of = "pairs" if at < pairs else "demo"
        languages = "two languages" if row.is_foreign else "one language"
        for name in ("all", of, f"{of} {row.locale}", f"{of} {row.kind}", f"{of} in {languages}"):
            groups[name][row.is_turned].append(bool(look))
    for name, found in sorted(groups.items()):
        shares = {("turned" if key else "honest"): round(float(np.mean(one)), 2) for key, one in found.items()}
        print(json.dumps({"rows": name, "n": len(found[True]) + len(found[False]), **shares}))  # noqa: T201


def measure_answers(file: Path, weights: dict[str, float], threshold: float) -> None:
    looks: dict[str, list[bool]] = defaultdict(list)
    spent, count = 0.0, 0
    for answer in map(json.loads, file.open()):
        sources = [f"{one['title']}\n{one['text']}" for one in answer["passages"]]
        doubts = doubtful_sentences.Doubts(sources, language=answer.get("locale", "en"))
        sentences = list(sentences_of(answer["answer"]))
        began = time.process_time()
        seen = [doubts.features(sentence) for sentence in sentences]
        spent, count = spent + time.process_time() - began, count + len(sentences)
        looks[answer["label"]].extend(odds_of(found, weights) >= threshold for found in seen if found is not None)
    for label, found in looks.items():
        print(json.dumps({"answers": label, "sentences": len(found), "looks": round(float(np.mean(found)), 3)}))  # noqa: T201
    print(json.dumps({"ms a sentence": round(1000 * spent / count, 3)}))  # noqa: T201


def auc(scores: Array, is_turned: Array) -> float:
    ranks = np.argsort(np.argsort(scores)) + 1
    turned = is_turned.sum()
    return round(float((ranks[is_turned].sum() - turned * (turned + 1) / 2) / (turned * (len(scores) - turned))), 3)


if __name__ == "__main__":
    main()
