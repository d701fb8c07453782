#!/usr/bin/env python3
"""Measure how well the built-in answerer detects customers' requests, and what it mistakes for a request.

    python -m bench.intents [FILE.jsonl] [--half seen|unseen] [--show]

A row of the file is a conversation and the calls it should lead to. For each half of the file and each action, it
prints precision, recall and how often all arguments were right; then how often it proposed something that nobody
wanted. Only the rows whose id hashes to the seen half were read during development; `--show` prints the failures of
that half.

Alternatively, a row is a single message, `{"locale", "text", "want": action, "undo" or null}`, with `"after_deed":
true` if something was done earlier in the conversation. It then prints, for each language, how many requests were
detected, how many led to a question that offers the wanted action ("asked_back"), and how many rows without a request
would have led to a card, a look-up or a question.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.figures import percentile

FILE: Final = Path(__file__).parent.parent / "examples" / "evaluation" / "wishes.jsonl"


@dataclass(frozen=True)
class CaseTry:
    """A row and its result: the calls as (action, arguments), the last answer, and the slowest turn."""

    row: dict[str, Any]
    calls: tuple[tuple[str, dict[str, Any]], ...]
    answer: str
    slowest_ms: float

    @property
    def requests(self) -> Any:
        from supportbot.evals.grading.requested_calls import requests_of

        asks = self.row.get("asks")
        return requests_of({"asks": asks} if asks else self.row["expect"])


def main() -> None:
    options = _options()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
    import django

    django.setup()
    rows = [json.loads(line) for line in options.file.read_text().splitlines() if line.strip()]
    if rows and "text" in rows[0]:
        for facts in detected_by_language(rows, show=options.show):
            sys.stdout.write(json.dumps(facts) + "\n")
        return
    for half in (options.half,) if options.half else ("seen", "unseen"):
        entries = [played(row) for row in rows if half_of(row["id"]) == half]
        for facts in figures(half, entries):
            sys.stdout.write(json.dumps(facts) + "\n")
        if options.show and half == "seen":
            for entry in entries:
                if not is_right(entry):
                    sys.stdout.write(f"{entry.row['id']} {entry.row['say']}\n  {entry.calls} {entry.answer[:160]!r}\n")


def detected_by_language(rows: list[dict[str, Any]], *, show: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the results of single messages, by language and in total."""
    from supportbot.evals.simulation.builtin_answerer_chat import intent_in, tools_in

    came: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        tools, want = tools_in(row["locale"][:2]), row["want"]
        detected = intent_in(row["text"], tools, is_after_deed=row.get("after_deed", False))
        is_read = any(tool.is_read for tool in tools if tool.name == detected.action)
        for group in (row["locale"], "all"):
            if want is None:
                came[group]["null_card"].append(bool(detected.action) and not is_read)
                came[group]["null_look_up"].append(is_read)
                came[group]["null_asked_back"].append(bool(detected.candidates))
            else:
                came[group]["detected"].append(detected.action == want)
                came[group]["asked_back"].append(want in detected.candidates)
                came[group]["wrong_action"].append(bool(detected.action) and detected.action != want)
        if show and detected.action != (want or ""):
            sys.stdout.write(f"{want} {detected.action or detected.candidates} {row['text']!r}\n")
    for group, found in sorted(came.items()):
        counts = {"requests": len(found["detected"]), "others": len(found["null_card"])}
        shares = {name: _share(sum(values), len(values)) for name, values in found.items()}
        either = [one or other for one, other in zip(found["detected"], found["asked_back"], strict=True)]
        yield {"locale": group, **counts, "detected_or_asked_back": _share(sum(either), len(either)), **shares}


def half_of(row_id: str) -> str:
    """Return the half a row belongs to: "seen" or "unseen"."""
    return "unseen" if hashlib.sha256(row_id.encode()).digest()[0] % 2 else "seen"


def played(row: dict[str, Any]) -> CaseTry:
    """Play a row's conversation with the built-in answerer."""
    from supportbot.evals.simulation.builtin_answerer_chat import Chat

    chat, times = Chat(row["locale"]), []
    for text in row["say"]:
        began = time.perf_counter()
        chat.send(text)
        times.append((time.perf_counter() - began) * 1000)
    return CaseTry(row, tuple(chat.calls), chat.answer, max(times))


def figures(half: str, played: list[CaseTry]) -> Iterator[dict[str, Any]]:
    """Yield the figures of each action, then of the whole half."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry in played:
        for action, is_hit, is_exact in entry.requests.compared(entry.calls):
            counts[action]["requested" if is_hit is not None else "false"] += 1
            counts[action]["found"] += bool(is_hit)
            counts[action]["exact"] += is_exact
    for action, count in sorted(counts.items()):
        yield {
            "half": half,
            "action": action,
            "requested": count["requested"],
            "recall": _share(count["found"], count["requested"]),
            "precision": _share(count["found"], count["found"] + count["false"]),
            "arguments_right": _share(count["exact"], count["found"]),
        }
    without_request = [entry for entry in played if not entry.row["expect"] and not entry.row.get("asks")]
    asked = [entry for entry in played if entry.row.get("asks")]
    yield {
        "half": half,
        "rows": len(played),
        "right": _share(sum(map(is_right, played)), len(played)),
        "asked_for_what_was_missing": _share(sum(map(is_right, asked)), len(asked)),
        "rows_without_a_request": len(without_request),
        "false_proposals": sum(bool(_proposals(entry)) for entry in without_request),
        "rows_with_a_proposal_too_many": sum(_has_too_many(entry) for entry in played),
        "turn_p50_ms": percentile([entry.slowest_ms for entry in played], 50),
        "turn_p95_ms": percentile([entry.slowest_ms for entry in played], 95),
    }


def is_right(entry: CaseTry) -> bool:
    """Return whether exactly the wanted calls were made, with all arguments, or the right question was asked."""
    return entry.requests.are_met(entry.calls, entry.answer)


def _proposals(entry: CaseTry) -> list[str]:
    from supportbot.evals.grading.requested_calls import proposals

    return proposals(entry.calls)


def _has_too_many(entry: CaseTry) -> bool:
    from supportbot.evals.grading.requested_calls import proposals

    return any(
        is_hit is None and proposals([(action, {})]) for action, is_hit, _ in entry.requests.compared(entry.calls)
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 3) if whole else None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=FILE)
    parser.add_argument("--half", choices=("seen", "unseen"))
    parser.add_argument("--show", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
