#!/usr/bin/env python3
"""Measure how well the built-in answerer answers, on the demo's knowledge or on any corpus with known answers.

    python -m bench.quotes [FILE.jsonl] [--knowledge DOCUMENTS] [--unanswerable FILE.jsonl] [--vectors FILE]
                           [--threshold P] [--alone] [--show N]

Every question goes through a complete turn in a temporary installation: search, choice of pieces, checks, citations.
For answerable questions, it prints how often the first cited article, and how often any cited article, is a right one
(`gold`). If the rows list the sentences that answer (`answers`), it also prints how often the first quote, and how
often any quote, is one of them (`right`). An answer is `wrong` if it quotes neither such a sentence nor a right
article, and `beside` if it quotes a right article but no such sentence. It also prints how often the answer was "not
found", and its number of lines. For unanswerable questions, it prints how often the answer was "not found", how often
anything was searched for, and how often help pages were offered instead. `found` is the share of the unanswered
answerable questions with a right article among the pages offered. Rows with a `group` count in that group as well as in
their language. The messages in `before` are sent first in the same conversation; with `--alone`, the question is asked
without them. `--threshold` sets a different probability that passages must reach to count as containing the answer.
`--show` prints N answers per language.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bench.scratch import installation

EXAMPLES: Final = Path(__file__).parent.parent / "examples"
WORKSPACE: Final = "bench"


@dataclass(frozen=True)
class Answered:
    """A question and its answer; `kind` is empty for an answerable one."""

    question: str
    locale: str
    kind: str
    gold: frozenset[str]
    text: str
    cited: tuple[str, ...]  # articles, in citation order
    took_ms: float
    quotes: tuple[str, ...] = ()
    answering: frozenset[str] = frozenset()  # sentences that answer the question; one is enough
    group: str = ""
    is_searched: bool = True
    offered: tuple[str, ...] = ()  # the articles of the pages offered instead of an answer

    @property
    def answers_by(self) -> list[bool]:
        """Whether each quote answers, in order; a quote that introduces a list also answers if its first item does."""
        from supportbot.evals.grading.graders import quotes_one_of

        hits = [quotes_one_of(quote, self.answering) for quote in self.quotes]
        is_lead = len(hits) > 1 and self.quotes[0].rstrip().endswith(":")
        return [hits[0] or hits[1], *hits[1:]] if is_lead else hits

    @property
    def is_right(self) -> bool:
        return any(self.answers_by)

    @property
    def is_of_right_article(self) -> bool:
        return not self.gold.isdisjoint(self.cited)

    @property
    def is_wrong(self) -> bool:
        return bool(self.cited) and not self.is_of_right_article and not self.is_right

    @property
    def is_first_right(self) -> bool:
        return bool(self.cited) and self.cited[0] in self.gold


def main() -> None:
    options = _options()
    rows = [row for path in (options.questions, options.unanswerable) if path for row in _rows(path)]
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        del os.environ[name]  # the caller's own model would answer instead of the built-in answerer
    with installation():
        fill(options.knowledge, options.vectors)
        with threshold_of(options.threshold):
            answers = list(answered([{**row, "before": []} for row in rows] if options.alone else rows))
    for facts in figures(answers):
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
    for answer in chosen_to_read(answers, options.show):
        mark = "right article" if answer.is_first_right else "-"
        sys.stdout.write(f"\n[{answer.locale}, {mark}] {answer.question}\n{answer.text}\n")


def fill(knowledge: Path, vectors: Path | None) -> None:
    from supportbot.accounts.workspaces import create_workspace

    create_workspace(WORKSPACE, slug=WORKSPACE)
    fill_from(knowledge, WORKSPACE, vectors)


def fill_from(knowledge: Path, workspace: str, vectors: Path | None) -> None:
    """Import a folder or file into a workspace."""
    from django.core.management import call_command

    is_folder = knowledge.is_dir()
    folders = [path for path in sorted(knowledge.iterdir()) if path.is_dir()] if is_folder else []
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "vectors"  # importing adds to the file, so a file that comes with the product is copied
        if vectors is not None and vectors.exists():
            shutil.copy(vectors, own)
        call_command(
            "kb_import", *map(str, folders or [knowledge]), workspace=workspace, vectors=own, stdout=sys.stderr
        )


@contextmanager
def threshold_of(probability: float | None) -> Iterator[None]:
    from supportbot.assistant import answerability

    shipped = answerability.answer_calibration

    def changed(recipe_name: str) -> Any:
        found = shipped(recipe_name)
        return found and replace(found, threshold=probability)

    if probability is not None:
        answerability.answer_calibration = changed
    try:
        yield
    finally:
        answerability.answer_calibration = shipped


def answered(rows: Iterable[dict[str, Any]]) -> Iterator[Answered]:
    """Ask each question in its own conversation, after the messages in `before`, as a signed-in customer."""
    from supportbot.accounts.models import Customer, Workspace
    from supportbot.accounts.scope import workspace_scope
    from supportbot.assistant.ask_and_wait import ask
    from supportbot.chat.retrieval_trace import traces_of
    from supportbot.chat.services import start_conversation
    from supportbot.evals.grading.graders import bare

    with workspace_scope(Workspace.objects.get(slug=WORKSPACE).pk):
        customer = Customer.objects.create(external_id="bench")
        for row in rows:
            conversation = start_conversation(customer.pk, locale=row.get("locale", "en"))
            for earlier in row.get("before", ()):
                asyncio.run(ask(conversation, earlier))
            known = set(traces_of(conversation))
            asked = asyncio.run(ask(conversation, row["question"]))
            yield Answered(
                question=row["question"],
                locale=row.get("locale", "en"),
                kind=row.get("kind", "") if not _gold(row) else "",
                gold=_gold(row),
                text=asked.payload["text"],
                cited=tuple(citation["external_id"] for citation in asked.payload["citations"]),
                took_ms=asked.took_ms,
                quotes=tuple(citation["quote"] for citation in asked.payload["citations"]),
                answering=frozenset(map(bare, row.get("answers", ()))),
                group=row.get("group", ""),
                is_searched=bool(set(traces_of(conversation)) - known),
                offered=tuple(page["external_id"] for page in asked.payload.get("pages", ())),
            )


def figures(answers: Iterable[Answered]) -> Iterator[dict[str, Any]]:
    """Yield a row of figures for each language of answerable questions, and for each kind of the other questions."""
    groups: dict[tuple[str, str], list[Answered]] = defaultdict(list)
    for answer in answers:
        groups["unanswerable" if answer.kind else "answerable", answer.kind or answer.locale].append(answer)
        if answer.group:
            groups["answerable", answer.group].append(answer)
    for (group, name), members in groups.items():
        refused = _share(not answer.cited for answer in members)
        if group == "unanswerable":
            searched = _share(answer.is_searched for answer in members)
            offered = _share(bool(answer.offered) for answer in members)
            yield {group: name, "n": len(members), "refused": refused, "searched": searched, "offered": offered}
            continue
        lines = [answer.text.count("[") for answer in members if answer.cited]
        times = sorted(answer.took_ms for answer in members)
        yield {
            group: name,
            "n": len(members),
            "first_right": _share(answer.is_first_right for answer in members),
            "any_right": _share(answer.is_of_right_article for answer in members),
            **_answering([answer for answer in members if answer.answering]),
            "abstained": refused,
            "offered": _share(bool(answer.offered) for answer in members),
            **_found([answer for answer in members if not answer.cited]),
            "lines": round(sum(lines) / len(lines), 2) if lines else 0.0,
            "p50_ms": times[len(times) // 2],
        }


def _found(refused: list[Answered]) -> dict[str, float]:
    return {"found": _share(not answer.gold.isdisjoint(answer.offered) for answer in refused)} if refused else {}


def _answering(members: list[Answered]) -> dict[str, float]:
    if not members:
        return {}
    return {
        "first_answers": _share(answer.answers_by[:1] == [True] for answer in members),
        "right": _share(answer.is_right for answer in members),
        "beside": _share(answer.is_of_right_article and not answer.is_right for answer in members),
        "wrong": _share(
            bool(answer.cited) and not answer.is_of_right_article and not answer.is_right for answer in members
        ),
    }


def chosen_to_read(answers: Iterable[Answered], count: int) -> Iterator[Answered]:
    """Yield `count` answerable questions per language, the same ones in every run."""
    by_locale: dict[str, list[Answered]] = defaultdict(list)
    for answer in answers:
        if not answer.kind:
            by_locale[answer.locale].append(answer)
    for members in by_locale.values():
        yield from random.Random(1).sample(members, min(count, len(members)))


def _gold(row: dict[str, Any]) -> frozenset[str]:
    return frozenset(map(str, row.get("gold") or row.get("gold_docs") or ()))


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def _share(values: Iterable[bool]) -> float:
    found = list(values)
    return round(sum(found) / len(found), 3)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--knowledge", type=Path, default=EXAMPLES / "knowledge")
    parser.add_argument("questions", nargs="?", type=Path, default=EXAMPLES / "evaluation" / "answers.jsonl")
    parser.add_argument("--unanswerable", type=Path, default=EXAMPLES / "evaluation" / "unanswerable.jsonl")
    parser.add_argument("--vectors", type=Path, default=EXAMPLES / "knowledge" / "vectors.e5")
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--show", type=int, default=0, metavar="N")
    return parser.parse_args()


if __name__ == "__main__":
    main()
