"""Reads deepeval's goldens and test cases, single and conversational, as its datasets save them. Pure.

`expected_output` becomes a fact that the answer must state, `expected_tools` the action that must be proposed, and
`expected_outcome` of a conversation the judge's rubric.
"""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext

from supportbot.evals.errors import InvalidSuite


def is_deepeval(data: Any) -> bool:
    rows = _rows(data)
    return bool(rows) and all(isinstance(row, Mapping) and ("input" in row or "scenario" in row) for row in rows)


def as_suite(data: Any, *, name: str, file: str) -> dict[str, Any]:
    """Return the document of a suite. Raises InvalidSuite."""
    cases = [_case(row, f"{file}: {place}") for place, row in enumerate(_rows(data), 1)]
    return {"suite": name, "cases": cases}


def _rows(data: Any) -> list[Any]:
    if isinstance(data, Mapping) and "suite" not in data:
        listed = [data[name] for name in ("goldens", "test_cases", "conversational_goldens") if data.get(name)]
        data = [row for rows in listed if isinstance(rows, list) for row in rows]
    return data if isinstance(data, list) else []


def _case(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    case: dict[str, Any] = _conversation(row) if "scenario" in row else {"ask": row["input"]}
    note = row.get("comments") or row.get("name")
    if isinstance(note, str) and note:
        case["note"] = note
    expect = _expectations(row)
    if not expect:
        raise InvalidSuite(
            f"{where}: " + gettext("the case has no expectation. Add `expected_output` or `expected_tools`.")
        )
    return {**case, "expect": expect}


def _expectations(row: Mapping[str, Any]) -> dict[str, Any]:
    expect: dict[str, Any] = {}
    if row.get("expected_output"):
        expect["says"] = [row["expected_output"]]
    if row.get("expected_outcome"):
        expect["judge"] = row["expected_outcome"]
    tools = row.get("expected_tools")
    if isinstance(tools, list) and tools and isinstance(tools[0], Mapping):
        arguments = tools[0].get("input_parameters") or tools[0].get("inputParameters") or {}
        expect["proposes"] = {"action": tools[0].get("name"), "arguments": arguments}
    return expect


def _conversation(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a conversation with the given turns, or one with a customer played by a model."""
    turns = row.get("turns")
    said = [turn for turn in turns if isinstance(turn, Mapping)] if isinstance(turns, list) else []
    steps = [turn.get("content") for turn in said if turn.get("role") == "user"]
    if steps:
        return {"steps": steps}
    return {"simulate": {"goal": row["scenario"], "persona": row.get("user_description") or ""}}
