"""Suites as files in our own, promptfoo's and deepeval's formats; errors say where the mistake is."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from supportbot.evals.errors import InvalidSuite
from supportbot.evals.grading.graders import GRADERS
from supportbot.evals.simulation.simulation_format import SIMULATE_KEYS
from supportbot.evals.suite_formats.expectations import EXPECTATIONS
from supportbot.evals.suite_formats.files import read_suite
from supportbot.evals.suite_formats.own_format import (
    CASE_KEYS,
    SHARED_KEYS,
    STEP_KEYS,
    SUITE_KEYS,
    parse_case,
    parse_suite,
    suite_document,
)

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "evaluation.schema.json").read_text())
FIRST = {"id": "a", "ask": "?", "expect": {"abstains": True}}
SUITE = """
suite: returns
title: Returns
defaults: {must: true, locale: en}
cases:
  - id: window
    ask: How long can I send things back?
    expect:
      figures: 60 days
      source: returns
      not_contains: [14 days]
  - id: refund
    customer: cus_alice
    must: false
    repeat: 3
    history:
      - customer: Hello
      - assistant: Hello! How can I help?
    steps:
      - I want a refund
      - say: A-1001
        expect: {proposes: {action: refund_order, arguments: {order_id: A-1001}}}
  - id: own-orders
    customer: cus_alice
    orders:
      - id: A-1
        status: delivered
        currency: EUR
        placed_days_ago: 9
        delivered_days_ago: 5
        items: [{sku: TENT, name: Tent, price: 12.5, quantity: 2, refunded: "12.50"}]
    ask: Please refund order A-1
    expect: {proposes: {action: refund_order, arguments: {order_id: A-1, amount: "12.50"}}}
"""
ORDER = {
    "id": "A-1",
    "status": "paid",
    "currency": "EUR",
    "placed_days_ago": 1,
    "items": [{"sku": "TENT", "name": "Tent", "price": "12.50"}],
}


def test_a_suite_is_read_and_written() -> None:
    suite = read_suite(SUITE.encode(), file="returns.yaml")
    window, refund, _ = suite.cases
    assert (suite.name, suite.title, len(suite.cases)) == ("returns", "Returns", 3)
    assert window.is_must and not refund.is_must
    assert window.expect == {"figures": ["60 days"], "source": ["returns"], "not_contains": ["14 days"]}
    assert refund.history == (("customer", "Hello"), ("assistant", "Hello! How can I help?"))
    assert [step.say for step in refund.steps] == ["I want a refund", "A-1001"]
    written = suite_document(suite)
    assert parse_suite(written, file="") == suite
    Draft202012Validator(SCHEMA).validate(written)


def test_the_schema_knows_the_same_keys() -> None:
    case = SCHEMA["$defs"]["case"]["properties"]
    assert set(SCHEMA["properties"]) == SUITE_KEYS
    assert set(case) == CASE_KEYS
    assert set(SCHEMA["properties"]["defaults"]["properties"]) == SHARED_KEYS
    assert set(case["steps"]["items"]["oneOf"][1]["properties"]) == STEP_KEYS
    assert set(case["simulate"]["properties"]) == SIMULATE_KEYS
    assert set(SCHEMA["$defs"]["expect"]["properties"]) == set(EXPECTATIONS) == set(GRADERS)
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        ({"ask": "Hi", "expects": {"contains": "x"}}, "unknown key `expects`"),
        ({"ask": "Hi", "expect": {"contain": "x"}}, "expect: unknown key `contain`"),
        ({"ask": "Hi"}, "the case has no expectation"),
        ({"ask": "Hi", "expect": {}}, "the case has no expectation"),
        ({"expect": {"contains": "x"}}, "the case has no customer message"),
        ({"ask": "Hi", "steps": ["Hi"], "expect": {"contains": "x"}}, "either `ask` or `steps`"),
        ({"ask": "Hi", "expect": {"figures": "soon"}}, "expect: figures: “soon” contains no figure"),
        ({"ask": "Hi", "expect": {"pattern": "(a+)+"}}, "expect: pattern: "),
        ({"ask": "Hi", "expect": {"abstains": "yes"}}, "expect: abstains: use true or false"),
        ({"ask": "Hi", "expect": {"proposes": {"arguments": {}}}}, "expect: proposes: "),
        ({"ask": "Hi", "expect": {"requests": "refund_order"}}, "expect: requests: use a list of actions"),
        ({"ask": "Hi", "expect": {"requests": {"asks": "colour"}}}, "`asks` with one of order, address, amount"),
        ({"ask": "Hi", "expect": {"requests": [{"arguments": {}}]}}, "expect: requests: use a list of actions"),
        (
            {"ask": "Hi", "expect": {"requests": [{"action": "refund"}]}},
            "requests: there is no action `refund`. Use one",
        ),
        (
            {"ask": "Hi", "expect": {"requests": [], "cites": False}},
            "a case with `requests` must have only customer messages",
        ),
        (
            {"ask": "Hi", "customer": "cus_1", "expect": {"requests": []}},
            "a case with `requests` must have only customer messages",
        ),
        ({"ask": "Hi", "expect": {"answerable": "yes"}}, "expect: answerable: use true or false"),
        *(
            ({"ask": "Hi", "customer": "cus_1", "orders": orders, "expect": {"abstains": True}}, problem)
            for orders, problem in (
                ([], "orders: `orders` must be a list of at most 20 orders"),
                ([{**ORDER, "items": []}], "orders: `orders` must be a list"),
                ([{**ORDER, "items": [{"sku": "TENT", "name": "Tent", "price": "a lot"}]}], "orders: `orders` must be"),
                ([{**ORDER, "placed_days_ago": "yesterday"}], "`placed_days_ago` must be a whole number from 0"),
                ([{**ORDER, "items": {"sku": "TENT"}}], "orders: `orders` must be a list"),
                ([{**ORDER, "status": "deliverd"}], "orders: `orders` must be a list"),
                ([{**ORDER, "placed": 3}], "orders: unknown key `placed`"),
            )
        ),
        ({"ask": "Hi", "orders": [ORDER], "expect": {"abstains": True}}, "a case with `orders` must have `customer`"),
        ({"ask": "Hi", "repeat": 0, "expect": {"abstains": True}}, "`repeat` must be a whole number"),
        ({"ask": "Hi", "must": "yes", "expect": {"abstains": True}}, "`must` must be true or false"),
        ({"steps": [{"say": "Hi", "expects": {}}], "expect": {"abstains": True}}, "step 1: unknown key `expects`"),
        ("Hi", "a mapping of keys to values"),
    ],
)
def test_an_error_names_file_case_and_key(case: Any, problem: str) -> None:
    with pytest.raises(InvalidSuite) as caught:
        parse_suite(
            {"suite": "s", "cases": [{"id": "a", "ask": "?", "expect": {"abstains": True}}, case]}, file="s.yaml"
        )
    assert caught.value.message.startswith("s.yaml: case 2: ")
    assert problem in caught.value.message


def test_cases_with_the_same_name_and_damaged_files_are_refused() -> None:
    case = {"id": "a", "ask": "Hi", "expect": {"abstains": True}}
    with pytest.raises(InvalidSuite, match=r"s\.yaml: two cases are called `a`"):
        parse_suite({"suite": "s", "cases": [case, case]}, file="s.yaml")
    for data in (b"", b"cases: [", b"\xff\xfe", b'{"id": 1}\n{"id": \n', b"suite: s\ncases: []\n"):
        with pytest.raises(InvalidSuite, match=r"x\.jsonl"):
            read_suite(data, file="x.jsonl")


def test_json_lines_are_cases() -> None:
    lines = [json.dumps({"id": one, "ask": "Hi", "expect": {"abstains": True}}) for one in ("a", "b")]
    assert [case.key for case in read_suite("\n".join(lines).encode(), file="My Questions.jsonl").cases] == ["a", "b"]
    named = "\n".join([json.dumps({"suite": "named", "defaults": {"must": True}}), *lines])
    suite = read_suite(named.encode(), file="x.jsonl")
    assert suite.name == "named" and all(case.is_must for case in suite.cases)
    assert read_suite(lines[0].encode() + b"\n" + lines[1].encode(), file="My Questions.jsonl").name == "my-questions"


PROMPTFOO = """
description: Shop
prompts: ['{{question}}']
providers: [openai:chat]
defaultTest:
  assert:
    - {type: latency, threshold: 5000}
tests:
  - description: Window
    vars: {question: How long?, days: 60}
    assert:
      - {type: icontains, value: '{{days}} days'}
      - {type: not-contains, value: '14 days'}
      - {type: llm-rubric, value: Is polite}
"""


def test_promptfoo_is_read() -> None:
    suite = read_suite(PROMPTFOO.encode(), file="promptfooconfig.yaml")
    (case,) = suite.cases
    assert (suite.title, case.asks, case.note) == ("Shop", "How long?", "Window")
    assert case.expect == {"seconds": 5.0, "contains": ["60 days"], "not_pattern": ["14\\ days"], "judge": "Is polite"}
    script = PROMPTFOO.replace("llm-rubric", "javascript")
    with pytest.raises(InvalidSuite, match=r"tests\[0\]: assert 3: `javascript` is not supported"):
        read_suite(script.encode(), file="promptfooconfig.yaml")


@pytest.mark.parametrize(
    ("kind", "value", "expect"),
    [
        ("equals", "You have {{days}} days.", {"equals": "You have 60 days."}),
        ("equals", 60, {"equals": "60"}),
        ("not-equals", "No", {"not_equals": ["No"]}),
        ("starts-with", "You", {"starts_with": "You"}),
        ("not-starts-with", "Sorry", {"not_starts_with": ["Sorry"]}),
        ("icontains-any", '60 days, "two months, or so"', {"contains_any": ["60 days", "two months, or so"]}),
        ("icontains-all", "60 days, free\n", {"contains": ["60 days", "free"]}),
        ("icontains-all", "60 days,free", {"contains": ["60 days", "free"]}),
    ],
)
def test_an_assertion_of_promptfoo_becomes_an_expectation(kind: str, value: object, expect: object) -> None:
    assert _of_promptfoo({"type": kind, "value": value}) == expect


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"type": "equals", "value": {"days": 60}}, r"tests\[0\]: assert 0: `equals` is only supported with a string"),
        ({"type": "starts-with", "value": ["You", "We"]}, r"`starts-with` is only supported with a string"),
        ({"type": "not-equals", "value": True}, r"`not-equals` is only supported with a string"),
        ({"type": "equals", "value": "file://answer.txt"}, r"values in other files are not read"),
        ({"type": "equals", "value": "a", "transform": "output.a"}, r"`transform` is not supported"),
        ({"type": "is-json"}, r"`is-json` is not supported"),
        ({"type": "not-contains-all", "value": ["a", "b"]}, r"`not-contains-all` is not supported"),
    ],
)
def test_unsupported_parts_of_promptfoo_are_named(told: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidSuite, match=problem):
        _of_promptfoo(told)


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"defaultTest": "file://shared.yaml"}, r"defaultTest: a mapping of keys"),
        ({"options": {"transform": "output.a"}}, r"tests\[0\]: `transform` is not supported"),
        ({"defaultTest": {"options": {"transformVars": "vars"}}}, r"tests\[0\]: `transformVars` is not supported"),
        ({"assert": "file://asserts.yaml"}, r"tests\[0\]: `assert` must be a list"),
        ({"assert": {"type": "equals", "value": "a"}}, r"tests\[0\]: `assert` must be a list"),
        ({"vars": "file://vars.yaml"}, r"tests\[0\]: vars: a mapping of keys"),
        (
            {"assert": [{"type": "icontains-any", "value": "60 days\nsixty"}]},
            r"assert 0: `icontains-any` takes one line",
        ),
        ({"assert": [{"type": "contains-all", "value": "{{ lines }}"}]}, r"assert 0: `contains-all` takes one line"),
    ],
)
def test_parts_of_promptfoo_that_would_be_skipped_are_refused(told: dict[str, object], problem: str) -> None:
    test = {"vars": {"question": "How long?", "lines": "a\nb"}, "assert": [{"type": "contains", "value": "60"}]}
    shared = {key: value for key, value in told.items() if key == "defaultTest"}
    data = {**shared, "tests": [{**test, **{key: value for key, value in told.items() if key not in shared}}]}
    with pytest.raises(InvalidSuite, match=problem):
        read_suite(json.dumps(data).encode(), file="promptfooconfig.json")


def _of_promptfoo(told: dict[str, object]) -> object:
    """Return the expectation made from one assertion of a promptfoo file."""
    test = {"vars": {"question": "How long?", "days": 60}, "assert": [told]}
    data = json.dumps({"tests": [test]}).encode()
    (case,) = read_suite(data, file="promptfooconfig.json").cases
    return case.expect


def test_deepeval_is_read() -> None:
    goldens = [
        {"input": "How long?", "expected_output": "You have 60 days.", "context": ["60 days"], "source_file": None},
        {
            "input": "Refund A-1001",
            "expected_output": None,
            "expected_tools": [{"name": "refund_order", "input_parameters": {"order_id": "A-1001"}}],
        },
        {"scenario": "Wants a refund", "expected_outcome": "Gets one", "user_description": "Impatient"},
        {
            "scenario": "Asks twice",
            "expected_outcome": "Is answered",
            "turns": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}],
        },
    ]
    one, two, played, scripted = read_suite(json.dumps(goldens).encode(), file="goldens.json").cases
    assert one.expect == {"says": ["You have 60 days."]}
    assert two.expect == {"proposes": {"action": "refund_order", "arguments": {"order_id": "A-1001"}}}
    assert played.simulate and played.simulate.goal == "Wants a refund" and played.rubric == "Gets one"
    assert [step.say for step in scripted.steps] == ["Hi"]
    with pytest.raises(InvalidSuite, match=r"goldens\.json: 1: the case has no expectation"):
        read_suite(json.dumps([{"input": "Hi", "actual_output": "Hello"}]).encode(), file="goldens.json")


def test_a_case_without_an_id_has_its_number() -> None:
    assert parse_case({"ask": "Hi", "expect": {"abstains": True}}, number=7).key == "7"


def test_question_files_of_the_search_are_read_as_suites() -> None:
    lines = (
        b'{"id": 1, "question": "How long?", "gold": ["returns"], "history": [{"role": "user", "content": "Hi"}]}\n'
        b'{"id": 2, "question": "Which moon is the largest?"}\n'
    )
    suite = read_suite(lines, file="asked.jsonl")
    assert [dict(case.expect) for case in suite.cases] == [{"hit5": ["returns"]}, {"cites": False}]
    assert suite.name == "asked" and suite.cases[0].history == (("customer", "Hi"),)
    with pytest.raises(InvalidSuite, match="has no question"):
        read_suite(b'{"gold": ["returns"]}\n{"gold": "x", "question": "y"}\n', file="asked.jsonl")
