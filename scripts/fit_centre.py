#!/usr/bin/env python3
"""Fit the search of questions in a language without pages: the mean question of the packaged embedder, which is
subtracted from their vectors (`kb/search/query_preparation.py`), and the calibration
(`kb.search.confidence.abroad_calibration`).

    python scripts/fit_centre.py [--measure]

It uses the questions of `examples/evaluation/other_languages.jsonl` and needs a running instance with the demo
workspace. `--measure` prints how often the right article comes first, and how often it is among the first three, by
vectors alone and with different shares of the mean subtracted. It also fits the calibration without each language in
turn, and prints the shares of that language's questions that are answered and refused.
"""

import argparse
import json
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
django.setup()

from kb.embedders.packaged import RECIPE, PackagedEmbedder  # noqa: E402
from kb.evaluation.confidence_fitting import Example, confidence, fit  # noqa: E402
from kb.indexing.models import Chunk  # noqa: E402
from kb.search import query_preparation  # noqa: E402
from kb.search.confidence import Evidence  # noqa: E402
from kb.search.fusion import FAR_NEIGHBOUR  # noqa: E402
from supportbot.accounts.scope import across_workspaces  # noqa: E402
from supportbot.builtin.intents import DATA  # noqa: E402

PER_LANGUAGE: Final = 120  # messages of each language, so that all count the same
SHARES: Final = (0.0, 0.25, 0.5, 0.75, 0.9)
EVIDENCE: Final = ("centred", "centred_lead")
WANTED: Final = (0.9, 0.85)  # goals: the share of answerable questions answered, and the share of others refused
ABROAD: Final = query_preparation._CENTRES.parent / "calibrations" / "abroad.json"
QUESTIONS: Final = Path(__file__).parent.parent / "examples/evaluation/other_languages.jsonl"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--measure", action="store_true")
    is_measured = options.parse_args().measure
    centre = mean_question()
    if is_measured:
        for share in SHARES:
            first, among = figures(share * centre)
            sys.stdout.write(f"share {share:.2f}  first {first:.3f}  among the first three {among:.3f}\n")
        report_left_out(examples_abroad())
        return
    path = query_preparation._CENTRES / f"{RECIPE.name}.json"
    path.write_text(json.dumps([round(float(value), 5) for value in centre]) + "\n")
    found = fit(examples_abroad(), EVIDENCE, WANTED)
    weights = {name: round(weight, 4) for name, weight in found.weights.items()}
    numbers = {RECIPE.name: {"weights": weights, "bias": round(found.bias, 4), "threshold": found.threshold}}
    ABROAD.write_text(json.dumps(numbers, indent=1) + "\n")


def mean_question() -> "np.ndarray[Any, Any]":
    """Return the mean of the vectors of messages in all languages of the intents."""
    chance, embedder = random.Random(3), PackagedEmbedder()
    means = []
    for file in sorted(DATA.glob("intents.??.jsonl")):  # not `any`, which is in no language
        texts = [json.loads(line)["text"] for line in file.open()]
        vectors = [embedder.query(text) for text in chance.sample(texts, PER_LANGUAGE)]
        means.append(np.mean(vectors, axis=0))
    return np.asarray(np.mean(means, axis=0))


def figures(taken_out: "np.ndarray[Any, Any]") -> tuple[float, float]:
    """Return the shares of questions whose right article, or its translation, is first and among the first three."""
    asked = [json.loads(line) for line in QUESTIONS.open()]
    asked = [row for row in asked if row.get("gold")]
    with across_workspaces("to measure questions in other languages"):
        chunks = list(Chunk.objects.values_list("article__external_id", "embedding"))
    articles, passages = [name.removesuffix("-de") for name, _ in chunks], np.array([list(v) for _, v in chunks])
    ranks = [_rank(row, articles, passages, taken_out) for row in asked]
    return sum(rank == 0 for rank in ranks) / len(ranks), sum(rank < 3 for rank in ranks) / len(ranks)


def examples_abroad() -> list[Example]:
    """Return each question with the evidence that a search in a language without pages gathers."""
    with across_workspaces("to measure questions in other languages"):
        passages = np.array([list(vector) for vector in Chunk.objects.values_list("embedding", flat=True)])
    passages /= np.linalg.norm(passages, axis=1, keepdims=True)
    found = []
    for row in map(json.loads, QUESTIONS.open()):
        asked = np.array(query_preparation.without_common_part(PackagedEmbedder().query(row["question"]), RECIPE.name))
        cosines = np.sort(passages @ (asked / np.linalg.norm(asked)))[::-1]
        lead = float(cosines[0] - cosines[min(FAR_NEIGHBOUR, len(cosines)) - 1])
        evidence = Evidence(centred=float(cosines[0]), centred_lead=lead)
        gold = bool(row.get("gold"))
        found.append(Example("demo", row["id"], "" if gold else "other", gold, [evidence], row["locale"]))
    return found


def report_left_out(examples: Sequence[Example]) -> None:
    sides: dict[bool, list[bool]] = {True: [], False: []}
    for language in sorted({example.locale for example in examples}):
        fitted = fit([example for example in examples if example.locale != language], EVIDENCE, WANTED)
        for example in examples:
            if example.locale == language:
                sides[example.is_answerable].append(confidence(fitted, example) >= fitted.threshold)
    answered, wrongly = (sum(found) / len(found) for found in (sides[True], sides[False]))
    sys.stdout.write(f"a language left out: answered {answered:.3f}, refused {1 - wrongly:.3f}\n")


def _rank(row: dict[str, Any], articles: Sequence[str], passages: Any, taken_out: Any) -> int:
    cosines = passages @ (np.array(PackagedEmbedder().query(row["question"])) - taken_out)
    order = list(dict.fromkeys(articles[place] for place in np.argsort(-cosines)))
    return min(order.index(gold.removesuffix("-de")) for gold in row["gold"])


if __name__ == "__main__":
    main()
