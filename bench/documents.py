#!/usr/bin/env python3
"""Measure whether the contents of real files are found: sentences by search, and table cells by answers.

    python -m bench.documents [FOLDER TRUTH.json] [--among PATH] [--vectors FILE] [--show N] [--json]

Without arguments, the files are made from the texts in `bench/files` (`bench.document_files`), with every planted
sentence asked for in three ways: verbatim, in nearly the same words, and in other words. FOLDER contains PDF, Word,
HTML and Markdown files. TRUTH is a list of {"file", "locale"?, "facts": [{"sentence", "pages"?, and "question" or
"questions": {way: question}}], "cells": [{"question", "value"}]}. All files go into one workspace; `--among` imports
other documents into it, which makes the search harder. A sentence is found if one of the first eight passages for its
question contains the whole sentence. It is right if that passage is from its file and begins on its page. `in_six`
counts the sentences that are right in one of the six passages a model is given, `first` those that are right in the
first passage. A cell is answered if the built-in answerer's answer contains its value. `--show` prints up to N misses
of each file.
"""

import argparse
import asyncio
import io
import json
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from bench.document_files import make_files
from bench.scratch import installation

PASSAGES: Final = 8
GIVEN: Final = 6  # passages that a model is given
WORKSPACE: Final = "documents"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("truth", type=Path, nargs="?")
    parser.add_argument("--among", help="other documents to import: anything kb_import accepts")
    parser.add_argument("--vectors", type=Path, help="keep vectors in a file for the next run")
    parser.add_argument("--show", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.folder and not options.truth:
        parser.error("name TRUTH.json as well")
    with TemporaryDirectory() as made, installation():
        folder = options.folder or Path(made)
        rows = json.loads(options.truth.read_text()) if options.truth else make_files(folder)
        found = measure(folder, rows, options.among, options.vectors, options.show)
    ways = sorted({name.rpartition(" ")[0] for name in found if name.endswith("sentences")})
    of_counts = [(f"{way} {name}".strip(), f"{way} sentences".strip()) for way in ways for name in OF_SENTENCES]
    of_counts += [(name, "cells") for name in OF_CELLS]
    words = "".join(f"{name:<20} {found[name]} of {found[of]}\n" for name, of in of_counts)
    sys.stdout.write(json.dumps(found) if options.json else words)


OF_SENTENCES: Final = ("found", "right_page", "in_six", "first")
OF_CELLS: Final = ("cell_found", "answered")


def measure(
    folder: Path, rows: list[dict[str, Any]], among: str | None, vectors: Path | None, shown: int
) -> Counter[str]:
    from django.core.management import call_command

    from supportbot.accounts.models import Workspace
    from supportbot.accounts.scope import workspace_scope
    from supportbot.accounts.workspaces import create_workspace

    create_workspace("Documents", slug=WORKSPACE)
    paths = [str(folder / row["file"]) for row in rows] + ([among] if among else [])
    call_command("kb_import", *paths, workspace=WORKSPACE, vectors=vectors, stdout=io.StringIO(), stderr=sys.stderr)
    total: Counter[str] = Counter()
    with workspace_scope(Workspace.objects.get(slug=WORKSPACE).pk):
        for row in rows:
            missed: list[str] = []
            for counted, miss in (*_of_sentences(row), *_of_cells(row)):
                total += counted
                missed += [miss] if miss else []
            sys.stderr.write("".join(f"{row['file']}: {miss}\n" for miss in missed[:shown]))
    return total


def _of_sentences(row: dict[str, Any]) -> Iterator[tuple[Counter[str], str]]:
    from kb.access import Viewer
    from kb.search import search
    from supportbot.language.plain_text import plain

    for fact in row["facts"]:
        for way, question in fact.get("questions", {"": fact.get("question")}).items():
            passages = search(question, viewer=Viewer(), limit=PASSAGES).passages
            said = [
                bare(fact["sentence"]) in bare(plain(one.text)) and one.external_id == row["file"] for one in passages
            ]
            pages = fact.get("pages")
            right = [hit and (not pages or one.page in pages) for hit, one in zip(said, passages, strict=True)]
            counts = {"sentences": 1, "found": any(said), "right_page": any(right)}
            counts |= {"in_six": any(right[:GIVEN]), "first": any(right[:1])}
            miss = "" if any(right) else f"{way}: {question}"
            yield Counter({f"{way} {name}".strip(): int(value) for name, value in counts.items()}), miss


def _of_cells(row: dict[str, Any]) -> Iterator[tuple[Counter[str], str]]:
    from kb.access import Viewer
    from kb.search import search
    from supportbot.accounts.models import Customer
    from supportbot.assistant.ask_and_wait import ask
    from supportbot.chat.services import start_conversation

    customer, _ = Customer.objects.get_or_create(external_id="bench")
    for cell in row["cells"]:
        passages = search(cell["question"], viewer=Viewer(), limit=PASSAGES).passages
        conversation = start_conversation(customer.pk, locale=row.get("locale", "en"))
        text = asyncio.run(ask(conversation, cell["question"])).payload["text"]
        is_found = any(one.external_id == row["file"] and bare(cell["value"]) in bare(one.text) for one in passages)
        is_answered = bare(cell["value"]) in bare(text)
        miss = "" if is_answered else f"{cell['question']} -> {cell['value']}, not {' '.join(text.split())[:200]}"
        yield Counter(cells=1, cell_found=int(is_found), answered=int(is_answered)), miss


def bare(text: str) -> str:
    """Return only letters and digits, since hyphens at line ends, ligatures and spaces differ between readers."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text.replace("\u00ad", ""))).lower()


if __name__ == "__main__":
    main()
