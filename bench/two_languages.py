#!/usr/bin/env python3
"""Measure the built-in answerer on a knowledge base in two languages without translations.

    python -m bench.two_languages [FILE.jsonl ...]

Of each of the demo's articles that has a German translation, only one language is kept: in the first of two
workspaces, the other one than in the second. Every question goes through a whole turn in both. It prints how often the
answer cites the right article, only wrong ones, or nothing:

    own           the article is in the question's language
    foreign       the article is in another language, but some articles are in the question's
    abroad        no article is in the question's language
    unanswerable  no article answers; "abroad, unanswerable" as above
"""

import argparse
import hashlib
import json
import os
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from bench.quotes import EXAMPLES, WORKSPACE, Answered, answered, fill_from
from bench.scratch import installation

KNOWLEDGE: Final = EXAMPLES / "knowledge"
EVALUATION: Final = EXAMPLES / "evaluation"
FILES: Final = [EVALUATION / f"{name}.jsonl" for name in ("answers", "near_misses", "abroad", "other_languages")]
GERMAN: Final = "-de"  # the suffix of a translation's id


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, default=FILES)
    rows = [json.loads(line) for path in parser.parse_args().files for line in path.open() if line.strip()]
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        del os.environ[name]  # the caller's own model would answer instead of the built-in answerer
    groups: dict[str, list[Answered]] = defaultdict(list)
    with installation():
        for half in (0, 1):
            for name, answer in asked_in(half, rows):
                groups[name].append(answer)
    for name, members in sorted(groups.items()):
        sys.stdout.write(json.dumps({"of": name, **figures(members)}) + "\n")


def asked_in(half: int, rows: Iterable[dict[str, Any]]) -> Iterator[tuple[str, Answered]]:
    """Ask in a new workspace with one language of each article; yield the group and the answer."""
    from supportbot.accounts.models import Workspace
    from supportbot.accounts.workspaces import create_workspace

    Workspace.objects.filter(slug=WORKSPACE).update(slug=f"{WORKSPACE}-before")
    create_workspace(WORKSPACE, slug=WORKSPACE)
    with tempfile.TemporaryDirectory() as folder:
        kept = kept_in(half, Path(folder))
        fill_from(Path(folder), WORKSPACE, KNOWLEDGE / "vectors.e5")
    known = [row | {"gold": versions(row, kept)} for row in rows]
    for row, answer in zip(known, answered(known), strict=True):
        yield group_of(row, kept), answer


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
