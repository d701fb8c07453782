#!/usr/bin/env python3
"""Measure what the checks do to models' answers: which are shown whole or confirmed, and which are harmful but still
shown.

    python -m bench.checks FILE.jsonl [--json] [--strictness strict|balanced|open] [--markers as-written|none|all]

Rows are `{"id", "passages": [{"title", "text", "locale"?}], "said": [...], "answer", "locale"?, "label"?, "ledger"?:
[text], "lookups"?: [text]}`. An answer is streamed as in a turn, with its own markers; if it has none, every
sentence gets the markers of all passages (unless `--markers` says otherwise). No instance is needed.

With --json it prints one line per row: `{"id", "shown": "whole"|"partly"|"replaced", "confirmed": true|false|null,
"taken_back": [words], "sentences": [{"text", "withheld": code|null, "support", "second_look", "citations"}]}`.
Otherwise, it prints a table by label: the shares of answers that were shown whole, partly or replaced, that were
unconfirmed, that were not both whole and confirmed (`touched`), and from which words were taken back; then the withheld
sentences by code, and the time and vectors per answer.
"""

import argparse
import json
import os
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

STRICTNESS: Final = ("strict", "balanced", "open")


@dataclass(frozen=True)
class Checked:
    """A row and the result of its answer."""

    row: Mapping[str, Any]
    result: dict[str, Any]
    cpu_ms: float  # without the vectors
    vectors: int

    @property
    def is_touched(self) -> bool:
        return self.result["shown"] != "whole" or self.result["confirmed"] is False


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("file", type=Path)
    options.add_argument("--json", action="store_true")
    options.add_argument("--strictness", choices=STRICTNESS, default="balanced")
    options.add_argument("--markers", choices=("as-written", "none", "all"), default="as-written")
    chosen = options.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
    import django

    django.setup()
    rows = (json.loads(line) for line in chosen.file.read_text().splitlines() if line.strip())
    checked = (checked_row(row, strictness=chosen.strictness, markers=chosen.markers) for row in rows)
    if chosen.json:
        for one in checked:
            sys.stdout.write(json.dumps(one.result, ensure_ascii=False) + "\n")
            sys.stdout.flush()
        return
    for line in table(list(checked)):
        sys.stdout.write(line + "\n")


def checked_row(row: Mapping[str, Any], *, strictness: str, markers: str) -> Checked:
    """Stream one answer through the checks and return the result."""
    from supportbot.evals.runs.recorded_answers import streamed
    from supportbot.language.detection import detect

    vectors_took, vectors = 0.0, 0

    def settle(streaming: Any) -> None:
        nonlocal vectors_took, vectors
        took, made = settled(streaming)
        vectors_took, vectors = vectors_took + took, vectors + made

    given, began = given_in(row, markers), time.process_time()
    streaming = streamed(
        given,
        row.get("said", ()),
        language=row.get("locale", "")[:2] or detect(row["answer"], "en"),
        strictness=strictness,  # type: ignore[arg-type]  # argparse has checked it
        settle=settle,
    )
    final = streaming.answer()
    cpu_ms = (time.process_time() - began - vectors_took) * 1000
    return Checked(row, result_of(row, streaming, final), cpu_ms, vectors)


def given_in(row: Mapping[str, Any], markers: str) -> Any:
    """Return a row's answer in the form that the evaluations use, with the requested markers."""
    from supportbot.evals.runs.recorded_answers import Page, RecordedAnswer, with_all_markers, with_markers

    pages = tuple(Page(one.get("title", ""), one["text"], one.get("locale", "")) for one in row["passages"])
    answer = row["answer"]
    if markers != "none":
        answer = (with_markers if markers == "as-written" else with_all_markers)(answer, len(pages))
    return RecordedAnswer(answer, pages, tuple(row.get("lookups", ())), tuple(row.get("ledger", ())))


def settled(streaming: Any) -> tuple[float, int]:
    """Give a streamed answer the vectors it requests; return the seconds they took, and their number."""
    from supportbot.assistant.vectors_for_checks import vectors_of

    took, made = 0.0, 0
    while texts := streaming.unsure:
        began = time.process_time()
        vectors = vectors_of(texts)
        took += time.process_time() - began
        made += len(texts)
        streaming.weigh(vectors)
    return took, made


def result_of(row: Mapping[str, Any], streaming: Any, final: Any) -> dict[str, Any]:
    from supportbot.language.sentences import without_markers

    sentences = [
        {
            "text": without_markers(one.shown),
            "withheld": one.withheld or None,
            "support": None if one.support.score is None else round(one.support.score, 3),
            "second_look": one.needs_second_look,
            "citations": len(one.cited),
        }
        for one in streaming.sentences
        if without_markers(one.shown)
    ]
    has_gap = any(sentence["withheld"] for sentence in sentences)
    shown = "replaced" if final.is_abstention and final.withheld else "partly" if has_gap else "whole"
    return {
        "id": row.get("id"),
        "shown": shown,
        "confirmed": final.is_confirmed,
        "taken_back": [] if shown == "whole" else taken_back(streaming.shown, final.text),
        "sentences": sentences,
    }


def taken_back(streamed: str, final: str) -> list[str]:
    """Return the words that were shown while streaming but are not in the final text."""
    from supportbot.language.sentences import without_markers

    left = Counter(re.findall(r"\w+", without_markers(streamed)))
    left.subtract(Counter(re.findall(r"\w+", without_markers(final))))
    return sorted(word for word, count in left.items() if count > 0)


def table(checked: list[Checked]) -> Iterable[str]:
    """Yield the lines of the table, label by label."""
    groups: dict[str, list[Checked]] = defaultdict(list)
    for one in checked:
        groups[one.row.get("label", "all")].append(one)
    columns = (("n", 5), ("whole", 8), ("partly", 8), ("replaced", 10), ("unconfirmed", 13), ("touched", 9))
    yield f"{'label':<14}{''.join(f'{name:>{width}}' for name, width in columns)}{'taken back':>12}"
    for label, ones in sorted(groups.items()):
        shown = Counter(one.result["shown"] for one in ones)
        shares = [
            shown["whole"], shown["partly"], shown["replaced"],
            sum(one.result["confirmed"] is False for one in ones), sum(one.is_touched for one in ones),
            sum(bool(one.result["taken_back"]) for one in ones),
        ]  # fmt: skip
        whole, partly, replaced, unconfirmed, touched, back = (f"{share / len(ones):.1%}" for share in shares)
        yield f"{label:<14}{len(ones):>5}{whole:>8}{partly:>8}{replaced:>10}{unconfirmed:>13}{touched:>9}{back:>12}"
    for label, ones in sorted(groups.items()):
        sentences = [sentence for one in ones for sentence in one.result["sentences"]]
        codes = Counter(sentence["withheld"] for sentence in sentences if sentence["withheld"])
        looks = sum(sentence["second_look"] for sentence in sentences)
        share = looks / max(1, len(sentences))
        yield f"{label}: {len(sentences)} sentences, withheld {dict(codes)}, second look {share:.1%}"
    times, vectors = sorted(one.cpu_ms for one in checked), [one.vectors for one in checked]
    yield f"processor time per answer, without vectors: p50 {times[len(times) // 2]:.1f} ms, most {times[-1]:.1f} ms"
    mean = sum(vectors) / len(vectors)
    yield f"vectors per answer, including those of the passages' windows: mean {mean:.1f}, most {max(vectors)}"


if __name__ == "__main__":
    main()
