#!/usr/bin/env python3
"""Measure whether questions find their page in a manual of 300 pages.

    python -m bench.long_manual [--vectors FILE] [--show N] [--json]

This program makes the manual of a bottling line as one PDF: thirty machines with ten pages each, so that every
page has twenty-nine others that say nearly the same about another machine. Twenty questions in a reader's words ask for
one sentence each. Prints for how many questions one of the first eight passages contains the sentence and begins on its
page (`right_page`); the same for the six passages that a model is given; and the same for the first passage. Goal: 19
of 20.
"""

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from bench.documents import OF_SENTENCES, measure
from bench.scratch import installation
from tests.kb.made_files import Text, paragraph, pdf

FILE: Final = "bottling-line.pdf"
WIDTH: Final = 88  # characters of a line
TEXTS: Final = Path(__file__).with_name("bottling_line.json")  # the machines, what their pages say, and the questions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, help="keep vectors in a file, for the next time")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N misses")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with TemporaryDirectory() as folder, installation():
        found = measure(Path(folder), [make_manual(Path(folder))], None, options.vectors, options.show)
    words = "".join(f"{name:<12} {found[name]} of {found['sentences']}\n" for name in OF_SENTENCES)
    sys.stdout.write(json.dumps(found) if options.json else words)


def make_manual(folder: Path) -> dict[str, Any]:
    """Write the manual into `folder`, and return its questions in the form that `bench.documents` reads."""
    texts = json.loads(TEXTS.read_text())
    questions = {(row["machine"], row["page"]): row["question"] for row in texts["questions"]}
    pages: list[list[Text | str]] = []
    facts = []
    for chapter, machine in enumerate(texts["machines"], start=1):
        for place, page in enumerate(texts["pages"]):
            title, *sentences = _filled(page, machine, chapter)
            pages.append(_page(len(pages) + 1, f"{chapter}.{place + 1} {title}", sentences))
            if question := questions.get((machine["name"], place)):
                facts.append({"sentence": sentences[1], "question": question, "pages": [len(pages)]})
    (folder / FILE).write_bytes(pdf(*pages, title="Bottling line: operating manual"))
    return {"file": FILE, "facts": facts, "cells": []}


def _filled(page: dict[str, Any], machine: dict[str, str], chapter: int) -> Iterator[str]:
    """Yield the title and the sentences of a page about a machine; the second sentence is the one asked for."""
    number = page["number"]
    value = number["least"] + number["step"] * (number["factor"] * chapter % 31)
    for text in (page["title"], *page["sentences"]):
        yield text.format(**machine, chapter=chapter, number=value)


def _page(number: int, heading: str, sentences: list[str]) -> list[Text | str]:
    body = textwrap.wrap(" ".join(sentences), WIDTH)
    head = [Text(70, 800, "Bottling line: operating manual", 8), Text(290, 40, str(number), 8)]
    return [*head, Text(70, 740, heading, 14, is_bold=True), *paragraph(70, 710, body)]


if __name__ == "__main__":
    main()
