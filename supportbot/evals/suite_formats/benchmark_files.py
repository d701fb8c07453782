"""Reads the files of our own benchmarks as suites. Pure.

A row of `bench.checks` is an answer with its passages and a label; answers that people disagreed on ("between") are
left out. A row of `bench.intents` is a message with the action that it requests, or a conversation with the calls that
it should lead to. A question of `kb_eval` must find one of its articles (`gold`); if it has none, the answer must cite
none. If it says whether it is `answerable`, search must agree, as in the report of `kb_calibrate`.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext

from kb.errors import InvalidDocument
from kb.evaluation.question_files import conversation_of
from supportbot.evals.errors import InvalidSuite
from supportbot.evals.runs.recorded_answers import RECORDED_ANSWER_KEYS
from supportbot.evals.suite_formats.document_values import only, placed

_TOUCHED: Final = {"faithful": False, "unfaithful": True}
_LEFT_OUT: Final = "between"
_NOTHING_SAID: Final = "…"
_ARTICLE_KEYS: Final = ("gold", "gold_docs", "gold_passages")
_QUESTION_KEYS: Final = frozenset({*_ARTICLE_KEYS, "question", "text", "scenario", "messages"})
_CONVERSATION_KEYS: Final = frozenset({"id", "locale", "kind", "say", "expect", "asks"})
_SUITE_KEYS: Final = frozenset({"ask", "steps", "expect", "simulate", "suite", "input"})


def is_bench_rows(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and all(map(_is_bench_row, data))


def _is_bench_row(row: Any) -> bool:
    return _is_answer(row) or _is_message(row) or _is_conversation(row)


def _is_answer(row: Any) -> bool:
    return isinstance(row, Mapping) and {"answer", "passages"} <= row.keys() and "expect" not in row


def _is_message(row: Any) -> bool:
    return isinstance(row, Mapping) and {"text", "want"} <= row.keys()


def _is_conversation(row: Any) -> bool:
    return isinstance(row, Mapping) and {"say", "expect"} <= row.keys() and isinstance(row["say"], list)


def suite_of_bench_rows(data: list[Mapping[str, Any]], *, name: str, file: str) -> dict[str, Any]:
    """Return the document of a suite. Raises InvalidSuite."""
    rows = [(place, row) for place, row in enumerate(data, 1) if row.get("label") != _LEFT_OUT]
    return {"suite": name, "cases": [_bench_case(row, place, file) for place, row in rows]}


def _bench_case(row: Mapping[str, Any], place: int, file: str) -> dict[str, Any]:
    shared = {"locale": row["locale"]} if isinstance(row.get("locale"), str) else {}
    if _is_message(row):
        if row.get("after_deed"):  # in a case with a single message, no action has been carried out before
            only(row, frozenset(row) - {"after_deed"}, placed(file, gettext("case {key}").format(key=place)))
        return {"ask": row["text"], "expect": {"detects": row["want"] or False}, **shared}
    if _is_conversation(row):
        only(row, _CONVERSATION_KEYS, placed(file, gettext("case {key}").format(key=place)))
        requests = {"asks": row["asks"]} if row.get("asks") else row["expect"]
        note = {"note": str(row["id"])} if row.get("id") else {}
        return {"steps": row["say"], "expect": {"requests": requests}, **shared, **note}
    touched = row.get("touched", _TOUCHED.get(str(row.get("label"))))
    if touched is None:
        problem = gettext("the row needs a `label` (faithful, unfaithful or between) or `touched`.")
        raise InvalidSuite(placed(file, gettext("case {key}").format(key=place), problem))
    *before, asked_text = row.get("said") or [_NOTHING_SAID]
    history = {"history": [{"customer": text} for text in before]} if before else {}
    given = {key: row[key] for key in RECORDED_ANSWER_KEYS if row.get(key)}
    note = {"note": str(row["id"])} if row.get("id") else {}
    return {"ask": asked_text, **history, "given": given, "expect": {"touched": touched}, **shared, **note}


def is_questions(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and all(map(_is_question, data))


def _is_question(row: Any) -> bool:
    return isinstance(row, Mapping) and not _QUESTION_KEYS.isdisjoint(row) and _SUITE_KEYS.isdisjoint(row)


def suite_of_questions(data: list[Mapping[str, Any]], *, name: str, file: str) -> dict[str, Any]:
    """Return the document of a suite. Raises InvalidSuite."""
    try:
        cases = [_question_case(dict(row), placed(file, str(place))) for place, row in enumerate(data, 1)]
    except InvalidDocument as error:
        raise InvalidSuite(error.message) from error
    return {"suite": name, "cases": cases}


def _question_case(row: dict[str, Any], where: str) -> dict[str, Any]:
    *before, last = conversation_of(row, where)
    articles = next((row[key] for key in _ARTICLE_KEYS if row.get(key)), None)
    expect: dict[str, Any] = {"hit5": articles} if articles else {"cites": False}
    if "answerable" in row:
        expect = {"answerable": row["answerable"]}
    elif articles and row.get("answers"):  # in `bench.quotes`: the sentences that answer the question
        expect = {"quotes": row["answers"]}
    case: dict[str, Any] = {"ask": last.text, "expect": expect}
    if before:
        case["history"] = [{"customer" if one.is_customer else "assistant": one.text} for one in before]
    for ours, theirs in (("locale", "locale"), ("locale", "language")):
        if isinstance(row.get(theirs), str):
            case.setdefault(ours, row[theirs])
    return case
