#!/usr/bin/env python3
"""Measure how well passages with the answer are distinguished from others on the same subject, and fit the weights.

    python -m bench.grounds --corpus NAME=DOCUMENTS,QUESTIONS.jsonl[,MORE.jsonl] ... [--cache DIR] [--out FILE]

DOCUMENTS is anything `kb_import` accepts, or "demo" for the demo's articles. A row of QUESTIONS is either a question,
with `gold` if there are articles that answer it, or a conversation in the format of `kb_eval --as-asked`, with the
`label` ANSWERABLE or UNANSWERABLE (others are skipped). For each row, the program searches as in a turn, and compares
the sentences that it finds with the question.

For each corpus, it prints the results of a fit on the other corpora: AUC, and the share of answerable questions and of
each other kind that are answered, by the grounds alone and together with the search's own confidence. The lines `folds`
give the same results for fifths of all conversations, and the lines `all` for one fit on everything. The numbers of
this last fit come at the end. `--out` writes them in the format of `kb/search/calibrations/answers.json`.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.quotes import EXAMPLES, fill_from
from bench.retrieval import CACHE
from bench.scratch import installation

if TYPE_CHECKING:
    from kb.evaluation.confidence_fitting import Example
    from kb.search.confidence import Calibration

_LABELS: Final = {"ANSWERABLE": "", "UNANSWERABLE": "near_miss"}
_FOLDS: Final = 5


@dataclass(frozen=True)
class SearchedQuestion:
    """A question with its grounds and kind (empty if answerable), and whether search alone would answer it."""

    example: "Example"
    is_on_topic: bool
    conversation: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", action="append", required=True, metavar="NAME=DOCUMENTS,QUESTIONS.jsonl[,...]")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with installation():
        asked = [row for corpus in options.corpus for row in put(corpus, options.cache)]
        report(asked)
        numbers = fitted(asked)
    sys.stdout.write(json.dumps(numbers, indent=1) + "\n")
    if options.out:
        options.out.write_text(json.dumps(numbers, indent=1) + "\n")


def put(corpus: str, cache: Path) -> list[SearchedQuestion]:
    """Import a corpus into a workspace and ask its questions."""
    from django.core.management import call_command

    from kb.evaluation.question_files import rows_of
    from supportbot.accounts.scope import workspace_scope
    from supportbot.accounts.workspaces import create_workspace

    name, _, paths = corpus.partition("=")
    documents, *files = paths.split(",")
    workspace = create_workspace(name, slug=name)
    if documents == "demo":
        fill_from(EXAMPLES / "knowledge", name, EXAMPLES / "knowledge" / "vectors.e5")
    else:
        call_command("kb_import", documents, workspace=name, vectors=cache / f"{name}.vectors", stdout=sys.stderr)
    rows = [(where, row) for file in files for where, row in rows_of(Path(file))]
    with workspace_scope(workspace.pk):
        return [one for where, row in rows if (one := ask(name, row, where)) is not None]


def ask(corpus: str, row: dict[str, Any], where: str) -> SearchedQuestion | None:
    """Search as in a turn, and compare the sentences found. Return None for a row with a different label."""
    from kb.access import Viewer
    from kb.evaluation.confidence_fitting import Example
    from kb.evaluation.question_files import conversation_of, locale_of
    from kb.models import Audience
    from supportbot.assistant.answerability import grounds, similarities_of
    from supportbot.assistant.turn_search import seek
    from supportbot.language.detection import detect
    from supportbot.llm.passage_sources import numbered
    from supportbot.llm.types import ModelRequest

    kind = _LABELS.get(row["label"]) if "label" in row else ("" if row.get("gold") else str(row.get("kind", "none")))
    if kind is None:
        return None
    *earlier_messages, question = conversation_of(row, where)
    locale = locale_of(row) or detect(question.text, "en")
    found = seek(question.text, Viewer(Audience.PUBLIC, locale), earlier_messages=earlier_messages)
    parts = []
    for part in found.parts or (found,):
        request = ModelRequest(
            "answer",
            (),
            sources=numbered(part.retrieval.passages),
            question=question.text if part is found else part.text,
            looked_up=part.text,
            locale=locale,
        )
        parts.append(grounds(similarities_of(request), part))
    name = str(row.get("id", where))
    example = Example(corpus, name, kind, not kind, parts, locale)
    return SearchedQuestion(example, found.retrieval.is_answerable, f"{corpus} {name.split('<')[0]}")


def fitted(asked: Sequence[SearchedQuestion]) -> dict[str, Any]:
    from kb.ports import embedder

    found = calibrated(asked)
    weights = {name: round(weight, 4) for name, weight in found.weights.items()}
    return {embedder().recipe.name: {"weights": weights, "bias": round(found.bias, 4), "threshold": found.threshold}}


def calibrated(asked: Sequence[SearchedQuestion]) -> "Calibration":
    """Return the fit, with the threshold at which grounds and search together come closest to both goals: enough
    answerable questions answered, and enough near misses refused.
    """
    from kb.evaluation.confidence_fitting import (
        ON_GROUNDS,
        WANTED_OF_NEAR_MISSES,
        confidence,
        fit,
        is_across,
        with_language_offset,
    )

    examples = to_fit_on(asked)
    found = fit(examples, ON_GROUNDS, WANTED_OF_NEAR_MISSES)
    corpora = {example.corpus for example in examples}
    judged = [
        (one.example.corpus, one.example.is_answerable, confidence(found, one.example) if one.is_on_topic else 0.0)
        for one in asked
        if one.example in examples and not is_across(one.example)
    ]

    def room(level: float) -> float:
        return min(
            _share((value >= level) == yes for name, yes, value in judged if name == corpus and yes == side) - wanted
            for corpus in corpora
            for side, wanted in zip((True, False), WANTED_OF_NEAR_MISSES, strict=True)
        )

    level = max((step / 100 for step in range(1, 100)), key=room)
    return with_language_offset(replace(found, threshold=level), examples)


def to_fit_on(asked: Iterable[SearchedQuestion]) -> "list[Example]":
    """Return the answerable questions and near misses of the corpora that have near misses.

    Questions on other subjects are left out: search refuses them by itself, and they would make near misses look easy.
    """
    seen = [one.example for one in asked if one.example.is_answerable or one.example.kind == "near_miss"]
    fitted_on = {example.corpus for example in seen if not example.is_answerable}
    return [example for example in seen if example.corpus in fitted_on]


def report(asked: Sequence[SearchedQuestion]) -> None:
    corpora = sorted({one.example.corpus for one in asked})
    for corpus in corpora:
        own = [one for one in asked if one.example.corpus == corpus]
        others = to_fit_on(one for one in asked if one.example.corpus != corpus)
        if any(not example.is_answerable for example in others):
            calibration = calibrated([one for one in asked if one.example.corpus != corpus])
            print_row(f"left out, {corpus}", [(calibration, one) for one in own])
    judged = []
    for fold in range(_FOLDS):
        calibration = calibrated([one for one in asked if _fold(one) != fold])
        judged += [(calibration, one) for one in asked if _fold(one) == fold]
    for corpus in corpora:
        print_row(f"folds, {corpus}", [pair for pair in judged if pair[1].example.corpus == corpus])
    calibration = calibrated(asked)
    for corpus in corpora:
        print_row(f"all, {corpus}", [(calibration, one) for one in asked if one.example.corpus == corpus])


def print_row(name: str, judged: Sequence[tuple[Any, SearchedQuestion]]) -> None:
    from kb.evaluation.confidence_fitting import confidence, is_across

    kinds: dict[str, list[tuple[float, bool, bool]]] = {}
    for calibration, one in judged:
        value = confidence(calibration, one.example)
        kind = f"{one.example.kind or 'answerable'}{' across' if is_across(one.example) else ''}"
        kinds.setdefault(kind, []).append((value, value >= calibration.threshold, one.is_on_topic))
    facts: dict[str, Any] = {"": name}
    yes = [value for value, _, _ in kinds.get("answerable", [])]
    for kind, values in sorted(kinds.items()):
        facts[kind] = {
            "n": len(values),
            "answered_by_search": _share(topic for _, _, topic in values),
            "by_grounds": _share(held for _, held, _ in values),
            "by_both": _share(held and topic for _, held, topic in values),
        }
        if yes and not kind.startswith("answerable"):
            wins = [(a > b) + (a == b) / 2 for a in yes for b, _, _ in values]
            facts[kind]["auc"] = round(sum(wins) / len(wins), 3)
    sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")


def _share(values: Iterable[bool]) -> float:
    found = list(values)
    return round(sum(found) / len(found), 3)


def _fold(one: SearchedQuestion) -> int:
    return hashlib.sha256(one.conversation.encode()).digest()[0] % _FOLDS


if __name__ == "__main__":
    main()
