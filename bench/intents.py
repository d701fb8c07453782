#!/usr/bin/env python3
"""Measure how well the built-in answerer detects customers' requests, and what it mistakes for a request.

    python -m bench.intents [FILE.jsonl] [--half seen|unseen] [--show]

A row of the file is a conversation and the calls it should lead to. For each half of the file and each action, it
prints precision, recall and how often all arguments were right; then how often it proposed something that nobody
wanted. Only the rows whose id hashes to the seen half were read during development; `--show` prints the failures of
that half.

Or a row is one message, `{"locale", "text", "want": action, "undo" or null}`, with `"after_deed": true` if something
was done earlier in the conversation. It then prints, for each language, how many requests were detected, how many
led to a question that offers the wanted action ("asked_back"), and how many rows without a request would have led to a
card, a look-up or a question.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.figures import percentile

FILE: Final = Path(__file__).parent.parent / "examples" / "evaluation" / "wishes.jsonl"
ASKED: Final = {
    "order": ("which_of_these", "order_number"),
    "address": ("address",),
    "amount": ("amount",),
}


@dataclass(frozen=True)
class Played:
    """A row and its result: the calls as (action, arguments), the last answer, and the slowest turn."""

    row: dict[str, Any]
    calls: tuple[tuple[str, dict[str, Any]], ...]
    answer: str
    slowest_ms: float

    @property
    def wanted(self) -> list[tuple[str, dict[str, Any]]]:
        return [(call["action"], call["arguments"]) for call in self.row["expect"]]


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
        played = [_play(row) for row in rows if half_of(row["id"]) == half]
        for facts in figures(half, played):
            sys.stdout.write(json.dumps(facts) + "\n")
        if options.show and half == "seen":
            for entry in played:
                if not is_right(entry):
                    sys.stdout.write(f"{entry.row['id']} {entry.row['say']}\n  {entry.calls} {entry.answer[:160]!r}\n")


def detected_by_language(rows: list[dict[str, Any]], *, show: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the results of single messages, by language and in total."""
    from supportbot.evals.heard_requests import intent_in, tools_in

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
                came[group]["heard"].append(detected.action == want)
                came[group]["asked_back"].append(want in detected.candidates)
                came[group]["wrong_action"].append(bool(detected.action) and detected.action != want)
        if show and detected.action != (want or ""):
            sys.stdout.write(f"{want} {detected.action or detected.candidates} {row['text']!r}\n")
    for group, found in sorted(came.items()):
        counts = {"requests": len(found["heard"]), "others": len(found["null_card"])}
        shares = {name: _share(sum(values), len(values)) for name, values in found.items()}
        either = [one or other for one, other in zip(found["heard"], found["asked_back"], strict=True)]
        yield {"locale": group, **counts, "heard_or_asked_back": _share(sum(either), len(either)), **shares}


def half_of(row_id: str) -> str:
    """Return the half a row belongs to: "seen" or "unseen"."""
    return "unseen" if hashlib.sha256(row_id.encode()).digest()[0] % 2 else "seen"


def _play(row: dict[str, Any]) -> Played:
    from supportbot.evals.heard_conversation import Chat

    chat, times = Chat(row["locale"]), []
    for text in row["say"]:
        began = time.perf_counter()
        chat.send(text)
        times.append((time.perf_counter() - began) * 1000)
    calls = tuple((call.name, json.loads(call.arguments)) for call in chat.calls)
    return Played(row, calls, chat.answer, max(times))


def figures(half: str, played: list[Played]) -> Iterator[dict[str, Any]]:
    """Yield the figures of each action, then of the whole half."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry in played:
        for action, is_hit, is_exact in _compared(entry):
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
    without_request = [entry for entry in played if not entry.wanted and not entry.row.get("asks")]
    asked = [entry for entry in played if entry.row.get("asks")]
    yield {
        "half": half,
        "rows": len(played),
        "right": _share(sum(map(is_right, played)), len(played)),
        "asked_for_what_was_missing": _share(sum(map(is_right, asked)), len(asked)),
        "rows_without_a_request": len(without_request),
        "false_proposals": sum(bool(_changes(entry.calls)) for entry in without_request),
        "rows_with_a_proposal_too_many": sum(_has_too_many(entry) for entry in played),
        "turn_p50_ms": percentile([entry.slowest_ms for entry in played], 50),
        "turn_p95_ms": percentile([entry.slowest_ms for entry in played], 95),
    }


def is_right(entry: Played) -> bool:
    """Return whether exactly the wanted calls were made, with all arguments, or the right question was asked."""
    if asks := entry.row.get("asks"):
        from supportbot.builtin.phrases import phrase_in

        return not _changes(entry.calls) and phrase_in(entry.answer) in ASKED[asks]
    return all(is_hit and is_exact for _, is_hit, is_exact in _compared(entry))


def _compared(entry: Played) -> Iterator[tuple[str, bool | None, bool]]:
    """Yield (action, found, has right arguments) for each request, and (action, None, False) for each extra call."""
    left = list(entry.calls)
    for action, arguments in entry.wanted:
        same = [call for call in left if call[0] == action]
        best = next((call for call in same if _fits(arguments, call[1])), same[0] if same else None)
        if best is not None:
            left.remove(best)
        yield action, best is not None, best is not None and _fits(arguments, best[1])
    for action, _ in left:
        yield action, None, False


def _fits(wanted: dict[str, Any], given: dict[str, Any]) -> bool:
    """Return whether all wanted values were given, and no amount or items that were not wanted."""
    if {"amount", "items"} & given.keys() - wanted.keys():
        return False
    return all(_is_same(value, given.get(name)) for name, value in wanted.items())


def _is_same(wanted: Any, given: Any) -> bool:
    if isinstance(wanted, list):
        return isinstance(given, list) and sorted(wanted) == sorted(item["sku"] for item in given)
    if isinstance(wanted, dict):
        return isinstance(given, dict) and all(given.get(name) == value for name, value in wanted.items())
    figures = (wanted, given)
    if all(isinstance(figure, str) and figure.replace(".", "").isdigit() for figure in figures):
        return float(wanted) == float(given)
    return bool(wanted == given)


def _changes(calls: Iterable[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return the calls that would show a card: a look-up or a handoff is not a proposal."""
    return [action for action, _ in calls if action not in ("order_status", "request_human")]


def _has_too_many(entry: Played) -> bool:
    return any(is_hit is None and _changes([(action, {})]) for action, is_hit, _ in _compared(entry))


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
