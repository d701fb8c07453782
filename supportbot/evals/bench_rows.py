"""Reads the rows of `bench.checks` and `bench.intents` as a suite. Pure.

A row of `bench.checks` is an answer with its passages and a label, one of `bench.intents` a message and the action that
it asks for. Answers that people could not agree about ("between") are left out.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext

from supportbot.evals.errors import InvalidSuite
from supportbot.evals.given import GIVEN_KEYS
from supportbot.evals.values import placed

_TOUCHED: Final = {"faithful": False, "unfaithful": True}
_LEFT_OUT: Final = "between"
_NOTHING_SAID: Final = "…"


def is_bench_rows(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and all(_is_answer(row) or _is_message(row) for row in data)


def _is_answer(row: Any) -> bool:
    return isinstance(row, Mapping) and {"answer", "passages"} <= row.keys() and "expect" not in row


def _is_message(row: Any) -> bool:
    return isinstance(row, Mapping) and {"text", "want"} <= row.keys()


def as_suite(data: list[Mapping[str, Any]], *, name: str, file: str) -> dict[str, Any]:
    """Return the document of a suite. Raises InvalidSuite."""
    rows = [(place, row) for place, row in enumerate(data, 1) if row.get("label") != _LEFT_OUT]
    return {"suite": name, "cases": [_case(row, place, file) for place, row in rows]}


def _case(row: Mapping[str, Any], place: int, file: str) -> dict[str, Any]:
    shared = {"locale": row["locale"]} if isinstance(row.get("locale"), str) else {}
    if _is_message(row):
        return {"ask": row["text"], "expect": {"hears": row["want"] or False}, **shared}
    touched = row.get("touched", _TOUCHED.get(str(row.get("label"))))
    if touched is None:
        problem = gettext("the row needs a `label` (faithful, unfaithful or between) or `touched`.")
        raise InvalidSuite(placed(file, gettext("case {key}").format(key=place), problem))
    said = row.get("said") or [_NOTHING_SAID]
    given = {key: row[key] for key in GIVEN_KEYS if row.get(key)}
    note = {"note": str(row["id"])} if row.get("id") else {}
    return {"ask": said[-1], "given": given, "expect": {"touched": touched}, **shared, **note}
