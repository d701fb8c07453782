#!/usr/bin/env python3
"""Measure how well each kind of search finds the right article, on corpora with known answers.

    python -m bench.retrieval --corpus NAME=DOCUMENTS,QUESTIONS.jsonl ... [--cache DIR]

DOCUMENTS is anything `kb_import` accepts. Every corpus becomes a workspace of a temporary installation. Embedding a
passage takes about 0.3 s; vectors are cached by content hash in the cache folder, so an interrupted run can continue.
Prints the same as `kb_eval --compare`.
"""

import argparse
import sys
from pathlib import Path

from bench.scratch import installation

CACHE = Path(__file__).parent / ".cache"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", action="append", required=True, metavar="NAME=DOCUMENTS,QUESTIONS.jsonl")
    parser.add_argument("--cache", type=Path, default=CACHE)
    options = parser.parse_args()
    with installation():
        for corpus in options.corpus:
            name, _, paths = corpus.partition("=")
            documents, _, questions = paths.rpartition(",")
            if not documents or not questions:
                parser.error(f"--corpus {corpus}: write NAME=DOCUMENTS,QUESTIONS.jsonl")
            measure(name, documents, questions, options.cache / f"{name}.vectors")


def measure(name: str, documents: str, questions: str, vectors: Path) -> None:
    from django.core.management import call_command

    from supportbot.accounts.workspaces import create_workspace

    create_workspace(name, slug=name)
    call_command("kb_import", documents, "--workspace", name, "--vectors", str(vectors))
    sys.stdout.write(f"\n{name}\n")
    call_command("kb_eval", questions, "--workspace", name, "--audience", "internal", "--compare")


if __name__ == "__main__":
    main()
