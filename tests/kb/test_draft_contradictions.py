"""Contradictions between two texts: only statements about the same thing contradict each other."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kb.draft_contradictions import Rarity, contradict, likeness
from kb.figure_statements import Statement, statements_of

FOLDER = Path(__file__).parent
CASES = [json.loads(line) for line in (FOLDER / "contradictions.jsonl").read_text().splitlines()]
KNOWLEDGE = FOLDER.parent.parent / "examples" / "knowledge"


@cache
def background() -> list[Statement]:
    """The demo's articles, which show how rare a word is."""
    return [one for path in sorted(KNOWLEDGE.rglob("*.md")) for one in statements_of(path.read_text(), "en")]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_only_statements_about_the_same_thing_contradict(case: dict[str, Any]) -> None:
    ours, theirs = (list(statements_of(case[name], case.get("locale", "en"))) for name in ("one", "other"))
    assert ours and theirs
    rarity = Rarity([*ours, *theirs, *background()])
    found = [
        (one.text, other.text)
        for one in ours
        for other in theirs
        if contradict(one, other) and likeness(one, other, rarity)
    ]
    assert bool(found) is case["contradicts"], found


def test_a_cell_is_named_by_its_row_and_column() -> None:
    table = "Prices:\n\n| To | Working days | Costs |\n|---|---|---|\n| Austria | 3 to 4 | €6.90 |\n| 42 | 2 | €1 |\n"
    told = {one.text: one.values for one in statements_of(f"{table}\nAll within 2 days.", "en")}
    assert list(told) == [
        "Austria, Working days: 3 to 4",
        "Austria, Costs: €6.90",
        "To 42, Working days: 2",
        "To 42, Costs: €1",
        "All within 2 days.",
    ]
    assert told["Austria, Costs: €6.90"] == {"EUR": frozenset({"6.9"})}
    assert [one.text for one in statements_of("| Austria | €6.90 |\n| | €1 |", "en")] == ["Austria: €6.90"]
