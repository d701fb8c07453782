#!/usr/bin/env python3
"""Measure the cost of checking the longest possible answer while it is streamed: processor time and vectors.

    python -m bench.checked_stream [--json]

Answers of 8,000 characters in several forms arrive in pieces of four characters. They are checked against six pages of
the demo and one record, with the instructions and a team's note as confidential texts. The vectors are stand-ins: they
are counted, but the time that real ones take (20 to 40 ms each) is not included. The best of three runs is shown; no
instance is needed. The goal is 100 ms, with at most 10 vectors for sentences and records, and at most 12 for windows of
the pages.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any, Final

PIECE_CHARACTERS: Final = 4
CHARACTERS: Final = 8_000
ROUNDS: Final = 3
DIMENSIONS: Final = 384
PAGES: Final = 6
PAGE_CHARACTERS: Final = 1_500
KNOWLEDGE: Final = Path(__file__).parent.parent / "examples" / "knowledge"
RECORD: Final = "Done: Refund €79.00 for order WF-20410. Your reference is RF-B2IP-0410."
THINGS: Final = ("parcel", "invoice", "tent", "return label", "delivery date", "gift card", "voucher", "address")
DOINGS: Final = ("can be changed", "is printed", "arrives by post", "is packed", "may be sent back", "stays valid")
JAPANESE: Final = "{0}番目の商品は、お届けから三十日以内であれば返品できます。"
ARABIC: Final = "يمكن إرجاع المنتج رقم {0} خلال المدة المذكورة في صفحة المساعدة بعد التسليم. "


def forms() -> dict[str, tuple[str, str]]:
    """Return the answers by name, each with its language."""
    prose = (
        f"The {thing} number {at} {doing} once the {other} was received within {at % 60} days of delivery. [1] "
        for at, (thing, doing, other) in enumerate(zip(cycle(THINGS), cycle(DOINGS), cycle(THINGS[3:]), strict=False))
    )
    steps = (
        f"{at}. Open the page of the {thing} and choose how it {doing}.\n"
        for at, (thing, doing) in enumerate(zip(cycle(THINGS), cycle(DOINGS), strict=False), start=1)
    )
    deeds = (
        f"We have refunded the {thing} of your order {at} and it {doing} today, as you asked. "
        for at, (thing, doing) in enumerate(zip(cycle(THINGS), cycle(DOINGS), strict=False))
    )
    code = (f"shop --order {at} --print label_{at}.pdf\n" for at in range(CHARACTERS))
    rules = (
        f"The {thing} of an order {doing} as soon as the {other} is in our warehouse and nobody has opened it. "
        for thing, doing, other in zip(cycle(THINGS), cycle(DOINGS), cycle(THINGS[3:]), strict=False)
    )
    return {
        "prose with figures": (cut(prose), "en"),
        "prose without": (cut(rules), "en"),
        "lists": (cut(steps), "en"),
        "claims of deeds": (cut(deeds), "en"),
        "code": ("Run this:\n\n```sh\n" + cut(code)[:-40] + "\n```\n", "en"),
        "Japanese": (cut(JAPANESE.format(at) for at in range(CHARACTERS)), "ja"),
        "Arabic": (cut(ARABIC.format(at) for at in range(CHARACTERS)), "ar"),
        "one sentence": (cut(f"{thing} and the " for thing in cycle(THINGS)), "en"),
        "one sentence repeated": (cut(cycle(["You can return unused items within 30 days of delivery. [1] "])), "en"),
        "one word": ("a" * CHARACTERS, "en"),
    }


def cut(pieces: Iterator[str]) -> str:
    return "".join(islice(pieces, CHARACTERS))[:CHARACTERS]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
    import django

    django.setup()
    rows = [row(name, *form) for name, form in forms().items()]
    if not chosen.json:
        sys.stdout.write(f"{'answer':<24}{'ms':>8}{'longest step':>14}{'sentences':>11}{'vectors':>9}{'windows':>9}\n")
    for one in rows:
        line = "{answer:<24}{ms:>8}{longest_ms:>14}{sentences:>11}{vectors:>9}{windows:>9}".format(**one)
        sys.stdout.write((json.dumps(one) if chosen.json else line) + "\n")


def row(name: str, text: str, language: str) -> dict[str, Any]:
    """Return the cost of checking an answer, from the best of several runs."""
    return min((checked(name, text, language) for _ in range(ROUNDS)), key=lambda one: float(one["ms"]))


def checked(name: str, text: str, language: str) -> dict[str, Any]:
    from supportbot.assistant.checks.evidence import Evidence
    from supportbot.evals.runs.recorded_answers import Page, passage_of

    pages = [
        passage_of(place, Page(file.stem, file.read_text()[:PAGE_CHARACTERS], "en"))
        for place, file in enumerate(sorted(KNOWLEDGE.glob("*/*.md"))[:PAGES], 1)
    ]
    streamed = answer_from(pages, language)
    wanted: list[Any] = []
    steps = []
    for at in range(0, len(text), PIECE_CHARACTERS):
        steps.append(time.process_time())
        streamed.write(text[at : at + PIECE_CHARACTERS])
        wanted += settled(streamed)
    steps.append(time.process_time())
    streamed.finish()
    wanted += settled(streamed)
    steps.append(time.process_time())
    streamed.answer()
    steps.append(time.process_time())
    windows = set(Evidence(pages, language=language).windows)
    return {
        "answer": name,
        "ms": round(1000 * (steps[-1] - steps[0]), 1),
        "longest_ms": round(1000 * max(later - sooner for sooner, later in pairwise(steps)), 1),
        "sentences": len(streamed.sentences),
        "vectors": len(set(wanted) - windows),
        "windows": len(set(wanted) & windows),
    }


def answer_from(pages: list[Any], language: str) -> Any:
    from supportbot.assistant.checked_stream import CheckedStream
    from supportbot.assistant.prompts import answer_instructions, confidential_text

    rules = answer_instructions(
        company="Tarn", passages=(), note="The code word is Osprey-5521-delta.", sees_orders=True
    )
    return CheckedStream(
        pages,
        language,
        ("I want 500 EUR for order 20418",),
        done=[RECORD],
        confidential=confidential_text(rules),
        looks_twice=True,
    )


def settled(streamed: Any) -> list[Any]:
    wanted: list[Any] = []
    while texts := streamed.unsure:
        wanted += texts
        streamed.weigh({text: stand_in(text) for text in texts})
    return wanted


def stand_in(text: Any) -> Sequence[float]:
    """Return a random vector, always the same one for the same text."""
    import numpy as np

    from supportbot.assistant.checks.cross_encoders import ModelInput

    said = text.text if isinstance(text, ModelInput) else text
    vector = np.random.default_rng(sum(said.encode())).normal(size=DIMENSIONS)
    return tuple((vector / np.linalg.norm(vector)).tolist())


if __name__ == "__main__":
    main()
