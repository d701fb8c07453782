#!/usr/bin/env python3
"""Measure the built-in answerer on a knowledge base in two languages without translations.

    python -m bench.two_languages [FILE.jsonl ...] [--share-of-words P ...] [--english-share P ...]

Each of the demo's articles with a German translation is put into two workspaces: into the first in one language, and
into the second in the other. Every question goes through a complete turn in both. It prints how often the answer cites
the right article, only wrong ones, or nothing:

    own           the article is in the question's language
    foreign       the article is in another language, but some articles are in the question's
    abroad        no article is in the question's language
    unanswerable  no article answers; "abroad, unanswerable": no article is in the question's language either

`--share-of-words` sets the share of a question's words that a passage in its language must contain to count as the one
that is meant. `--english-share` sets the share of the best passage's weight that an English passage needs to win, if no
article is in the question's language. With several values, every question is asked with each.
"""

import argparse
import hashlib
import json
import os
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest.mock import patch

from bench.quotes import EXAMPLES, WORKSPACE, Answered, answered, fill_from
from bench.scratch import installation

KNOWLEDGE: Final = EXAMPLES / "knowledge"
EVALUATION: Final = EXAMPLES / "evaluation"
FILES: Final = [EVALUATION / f"{name}.jsonl" for name in ("answers", "near_misses", "abroad", "other_languages")]
GERMAN: Final = "-de"  # the suffix of a translation's id


class Shares(NamedTuple):
    """Two settings of search and answers to try; None keeps the product's own value."""

    share_of_words: float | None = None
    english_share: float | None = None

    def set(self) -> dict[str, float]:
        return {name: share for name, share in self._asdict().items() if share is not None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, default=FILES)
    parser.add_argument("--share-of-words", nargs="+", type=float, default=[], metavar="P")
    parser.add_argument("--english-share", nargs="+", type=float, default=[], metavar="P")
    options = parser.parse_args()
    rows = [json.loads(line) for path in options.files for line in path.open() if line.strip()]
    tried = [Shares(share_of_words=share) for share in options.share_of_words]
    tried += [Shares(english_share=share) for share in options.english_share]
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        del os.environ[name]  # the caller's own model would answer instead of the built-in answerer
    groups: dict[tuple[str, Shares], list[Answered]] = defaultdict(list)
    with installation():
        for half in (0, 1):
            for name, shares, answer in asked_in(half, rows, tried or [Shares()]):
                groups[name, shares].append(answer)
    for (name, shares), members in sorted(groups.items(), key=lambda item: item[0][0]):
        sys.stdout.write(json.dumps({"of": name, **shares.set(), **figures(members)}) + "\n")


def asked_in(
    half: int, rows: Iterable[dict[str, Any]], tried: Sequence[Shares]
) -> Iterator[tuple[str, Shares, Answered]]:
    """Ask in a new workspace that has one language of each article; yield the group, the shares and the answer."""
    from supportbot.accounts.models import Workspace
    from supportbot.accounts.workspaces import create_workspace

    Workspace.objects.filter(slug=WORKSPACE).update(slug=f"{WORKSPACE}-before")
    create_workspace(WORKSPACE, slug=WORKSPACE)
    with tempfile.TemporaryDirectory() as folder:
        kept = kept_in(half, Path(folder))
        fill_from(Path(folder), WORKSPACE, KNOWLEDGE / "vectors.e5")
    known = [row | {"gold": versions(row, kept)} for row in rows]
    pairs = [(row, shares) for row in known for shares in tried]
    for (row, shares), answer in zip(pairs, answered(with_each(pairs)), strict=True):
        yield group_of(row, kept), shares, answer


def with_each(pairs: Iterable[tuple[dict[str, Any], Shares]]) -> Iterator[dict[str, Any]]:
    """Yield each row, with its shares in force until the next one."""
    from kb.search import retrieval
    from supportbot.builtin import ranking

    for row, shares in pairs:
        with ExitStack() as changed:
            if shares.share_of_words is not None:
                changed.enter_context(patch.object(retrieval, "SHARE_OF_WORDS", shares.share_of_words))
            if shares.english_share is not None:
                changed.enter_context(patch.object(ranking, "ENGLISH_SHARE", shares.english_share))
            ranking.scored_by_words.cache_clear()  # it contains scores of the same question with different shares
            yield row


def kept_in(half: int, folder: Path) -> dict[str, str]:
    """Copy one language of each article, without links to translations; return their ids with their languages."""
    articles = {path.stem: path.read_text() for path in KNOWLEDGE.glob("*/*.md")}
    kept = {}
    for name in articles:
        is_german = name.endswith(GERMAN)
        bare = name.removesuffix(GERMAN)
        wanted = hashlib.sha256(bare.encode()).digest()[0] % 2 == half
        if bare + GERMAN not in articles or is_german == wanted:
            kept[name] = "de" if is_german else "en"
            text = re.sub(r"^translation_of:.*\n", "", articles[name], flags=re.MULTILINE)
            (folder / f"{name}.md").write_text(text)
    return kept


def versions(row: dict[str, Any], kept: dict[str, str]) -> list[str]:
    """Return the kept versions of the articles that answer a question."""
    bare = {name.removesuffix(GERMAN) for name in row.get("gold", ())}
    return sorted(name for name in kept if name.removesuffix(GERMAN) in bare)


def group_of(row: dict[str, Any], kept: dict[str, str]) -> str:
    is_abroad = row["locale"] not in kept.values()
    if not row["gold"]:
        return "abroad, unanswerable" if is_abroad else "unanswerable"
    return "abroad" if is_abroad else "own" if row["locale"] in map(kept.get, row["gold"]) else "foreign"


def figures(answers: list[Answered]) -> dict[str, Any]:
    def share(values: Iterable[bool]) -> float:
        return round(sum(values) / len(answers), 3)

    right = [answer.is_of_right_article for answer in answers]
    cited = [bool(answer.cited) for answer in answers]
    wrong = [is_cited and not is_right for is_cited, is_right in zip(cited, right, strict=True)]
    return {
        "n": len(answers),
        "right": share(right),
        "wrong": share(wrong),
        "nothing": share(not is_cited for is_cited in cited),
    }


if __name__ == "__main__":
    main()
