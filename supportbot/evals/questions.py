"""Reads the question files of `kb_eval` and `kb_calibrate` as a suite: each question must find one of its articles.

A question without articles (`gold`) must get "I could not find this". Pure.
"""

from collections.abc import Mapping
from typing import Any, Final

from kb.errors import InvalidDocument
from kb.evaluation.question_files import conversation_of
from supportbot.evals.errors import InvalidSuite

_ARTICLES: Final = ("gold", "gold_docs", "gold_passages")
_MARKS: Final = frozenset({*_ARTICLES, "question", "text", "scenario", "messages"})
_OURS: Final = frozenset({"ask", "steps", "expect", "simulate", "suite", "input"})


def is_questions(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and all(map(_is_question, data))


def _is_question(row: Any) -> bool:
    return isinstance(row, Mapping) and not _MARKS.isdisjoint(row) and _OURS.isdisjoint(row)


def as_suite(data: list[Mapping[str, Any]], *, name: str, file: str) -> dict[str, Any]:
    """Return the document of a suite. Raises InvalidSuite."""
    try:
        cases = [_case(dict(row), f"{file}: {place}") for place, row in enumerate(data, 1)]
    except InvalidDocument as error:
        raise InvalidSuite(error.message) from error
    return {"suite": name, "cases": cases}


def _case(row: dict[str, Any], where: str) -> dict[str, Any]:
    *before, last = conversation_of(row, where)
    articles = next((row[key] for key in _ARTICLES if row.get(key)), None)
    expect: dict[str, Any] = {"finds": articles} if articles else {"abstains": True}
    if row.get("answers"):  # of `bench.quotes`: the sentences that answer
        expect["quotes"] = row["answers"]
    case: dict[str, Any] = {"ask": last.text, "expect": expect}
    if before:
        case["history"] = [{"customer" if one.is_customer else "assistant": one.text} for one in before]
    for ours, theirs in (("locale", "locale"), ("locale", "language")):
        if isinstance(row.get(theirs), str):
            case.setdefault(ours, row[theirs])
    return case
