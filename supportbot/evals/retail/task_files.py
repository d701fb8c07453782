"""Reads the benchmark's task files as a suite whose customers are played by a model. Pure.

A task passes if the changed records at the end are the expected ones and the answers contain the required information.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext

from supportbot.evals.errors import InvalidSuite
from supportbot.evals.simulation.simulation_format import MAX_PATIENCE
from supportbot.evals.suite_formats.document_values import at, mapping_of, placed

NAME: Final = "retail"
_MARKS: Final = frozenset({"user_id", "scenario", "expected_changed"})
# the key of the expected records for a shop that prices each item separately
_OWN_PRICES: Final = "expected_changed_own_price_per_item"
_NOTHING: Final = "."


def is_tasks(data: Any) -> bool:
    return (
        isinstance(data, list) and bool(data) and all(isinstance(row, Mapping) and set(row) >= _MARKS for row in data)
    )


def as_suite(data: list[Mapping[str, Any]], *, name: str, file: str) -> dict[str, Any]:
    """Return the document of a suite. Raises InvalidSuite."""
    return {"suite": name, "title": gettext("Retail tasks"), "cases": [_case(row, at(file, n)) for n, row in
            enumerate(data, 1)]}  # fmt: skip


def _case(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    states = [row["expected_changed"], *([row[_OWN_PRICES]] if row.get(_OWN_PRICES) else [])]
    mentions = row.get("communicate_info") or []
    return {
        "id": str(row.get("id", "")),
        "customer": row["user_id"],
        "locale": "en",
        "simulate": {**_role(row["scenario"], where), "patience": MAX_PATIENCE, "confirms": True},
        "expect": {"records": states, **({"mentions": mentions} if mentions else {})},
    }


def _role(scenario: Any, where: str) -> dict[str, str]:
    """Return a task's customer (goal, persona, knowledge), which is one string or several parts."""
    if isinstance(scenario, str):
        return {"goal": scenario}
    parts = {name: _text(value) for name, value in mapping_of(scenario, placed(where, "scenario")).items()}
    if not parts.get("reason_for_call"):
        raise InvalidSuite(placed(where, "scenario", gettext("`{key}` must be text.").format(key="reason_for_call")))
    knows = "\n".join(filter(None, (parts.get("known_info"), parts.get("unknown_info"))))
    role = {"goal": parts["reason_for_call"], "persona": parts.get("task_instructions", ""), "knows": knows}
    return {name: text for name, text in role.items() if text}


def _text(value: Any) -> str:
    text = str(value or "").strip()
    return "" if text == _NOTHING else text
