"""Reads the files of other evaluation tools as suites. Pure.

From promptfoo, it reads the `tests` of a configuration, with their variables and assertions. Assertions that need a
program or a service (`javascript`, `python`, `webhook`, …) cannot run here and are refused: a test that checks less
than its author wrote would pass for the wrong reason. Values in other files and a `transform` of the answer are also
refused.

From deepeval, it reads single and conversational goldens and test cases in the format of its datasets.
`expected_output` becomes a fact that the answer must state, `expected_tools` the action that must be proposed, and a
conversation's `expected_outcome` the judge's rubric.
"""

import csv
import re
from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext

from supportbot.evals.errors import InvalidSuite
from supportbot.evals.suite_formats.document_values import placed
from supportbot.evals.suite_formats.expectations import MAX_VALUE_TEXT
from supportbot.evals.suite_formats.own_format import MAX_CASES

_QUESTIONS: Final = ("question", "query", "input", "message", "prompt", "text", "user_input")
_VARIABLE: Final = re.compile(r"\{\{-?\s*(\w+)\s*-?\}\}")
# promptfoo's assertions whose texts are kept unchanged
_SAME_TEXTS: Final = {
    "not-equals": "not_equals",
    "not-starts-with": "not_starts_with",
    "icontains": "contains",
    "icontains-all": "contains",
    "icontains-any": "contains_any",
    "not-icontains": "not_contains",
    "not-icontains-any": "not_contains",
    "regex": "pattern",
    "not-regex": "not_pattern",
}
# Our `contains` ignores case, so a case-sensitive assertion of promptfoo becomes a pattern.
_EXACT_TEXTS: Final = {
    "contains": "pattern",
    "contains-all": "pattern",
    "not-contains": "not_pattern",
    "not-contains-any": "not_pattern",
}
_RUBRICS: Final = ("llm-rubric", "g-eval", "model-graded-closedqa")
_OF_SEVERAL: Final = ("-any", "-all")  # these take a list or a comma-separated string
_OF_ONE_TEXT: Final = ("equals", "starts-with")
_TRANSFORMS: Final = ("transform", "transformVars", "postprocess")  # options that change the question or the answer
_MILLISECONDS: Final = 1000
MAX_ASSERTS: Final = 100


def is_promptfoo(data: Any) -> bool:
    return isinstance(data, Mapping) and "tests" in data and "suite" not in data


def suite_of_promptfoo(data: Mapping[str, Any], *, name: str, file: str) -> dict[str, Any]:
    """Return the document of a suite. Raises InvalidSuite."""
    tests = data["tests"]
    if not isinstance(tests, list):  # it may be the name of a different file or a program
        raise InvalidSuite(placed(file, gettext("`tests` must be a list in this file.")))
    if len(tests) > MAX_CASES:
        raise InvalidSuite(placed(file, gettext("a suite can have at most {most} cases.").format(most=MAX_CASES)))
    shared = _mapping_in(data, "defaultTest", file)
    cases = [_case(test, shared, _template(data), placed(file, f"tests[{place}]")) for place, test in enumerate(tests)]
    return {"suite": name, "title": str(data.get("description") or name), "cases": cases}


def _template(data: Mapping[str, Any]) -> str:
    """Return the file's prompt if it is plain text, such as "{{question}}"; otherwise ""."""
    prompts = data.get("prompts")
    first = prompts[0] if isinstance(prompts, list) and prompts else prompts
    return first if isinstance(first, str) and not first.startswith("file://") else ""


def _case(test: Any, shared: Mapping[str, Any], template: str, where: str) -> dict[str, Any]:
    if not isinstance(test, Mapping):
        raise InvalidSuite(f"{where}: " + gettext("a mapping of keys to values is required here."))
    variables = {**_mapping_in(shared, "vars", where), **_mapping_in(test, "vars", where)}
    case: dict[str, Any] = {"ask": _question(variables, template, where)}
    note = test.get("description")
    if isinstance(note, str):
        case["note"] = note
    for options in (_mapping_in(shared, "options", where), _mapping_in(test, "options", where)):
        if changed := next((key for key in _TRANSFORMS if key in options), ""):
            raise InvalidSuite(f"{where}: " + gettext("`{key}` is not supported. Remove it.").format(key=changed))
    asserts = [*_asserts(shared, where), *_asserts(test, where)]
    if len(asserts) > MAX_ASSERTS:
        raise InvalidSuite(
            f"{where}: " + gettext("use one string or a list of at most {most} strings.").format(most=MAX_ASSERTS)
        )
    case["expect"] = _expectations(asserts, variables, where)
    return case


def _question(variables: Mapping[str, Any], template: str, where: str) -> str:
    names = _VARIABLE.findall(template)
    if len(names) == 1 and names[0] in variables:
        return str(variables[names[0]])
    for name in _QUESTIONS:
        if name in variables:
            return str(variables[name])
    if len(variables) == 1:
        return str(next(iter(variables.values())))
    raise InvalidSuite(f"{where}: " + gettext("the case has no customer message. Add the variable `question`."))


def _expectations(asserts: list[Any], variables: Mapping[str, Any], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for place, one in enumerate(asserts):
        assertion = _mapping(one)
        kind, value = str(assertion.get("type")), assertion.get("value")
        if problem := _problem(kind, assertion):
            raise InvalidSuite(f"{where}: {problem.format(number=place, kind=kind[:60])}")
        try:
            expected = _expectation(kind, _filled(value, variables), assertion.get("threshold"))
        except csv.Error as error:  # for example, several lines
            problem = gettext("assert {number}: `{kind}` takes one line of strings separated by commas, or a list.")
            raise InvalidSuite(f"{where}: {problem.format(number=place, kind=kind[:60])}") from error
        if expected is None:
            problem = gettext("assert {number}: `{kind}` is not supported. Remove it, or use another assertion.")
            raise InvalidSuite(f"{where}: {problem.format(number=place, kind=kind[:60])}")
        name, wanted = expected
        if name in found and isinstance(found[name], list):
            found[name] = [*found[name], *wanted]
        elif name in found:
            raise InvalidSuite(f"{where}: " + gettext("`{key}` appears twice.").format(key=name))
        else:
            found[name] = wanted
    return found


def _problem(kind: str, assertion: Mapping[str, Any]) -> str:
    """Return why the value of an assertion cannot be read; "" if it can be read."""
    value = assertion.get("value")
    texts = value if isinstance(value, list) else [value]
    if "transform" in assertion:
        return gettext("assert {number}: `transform` is not supported. Remove it, or use another assertion.")
    if any(isinstance(one, str) and one.startswith("file://") for one in texts):
        return gettext("assert {number}: values in other files are not read. Write the value into this file.")
    is_text = isinstance(value, str | int | float) and not isinstance(value, bool)
    if kind.removeprefix("not-") in _OF_ONE_TEXT and not is_text:
        return gettext("assert {number}: `{kind}` is only supported with a string as its value.")
    return ""


def _expectation(kind: str, value: Any, threshold: Any) -> tuple[str, Any] | None:
    """Return the name and value of the expectation that matches an assertion; None if it is not supported."""
    texts = _texts_in(kind, value)
    if name := _SAME_TEXTS.get(kind):
        return name, texts
    if name := _EXACT_TEXTS.get(kind):
        return name, [re.escape(text) for text in texts]
    match kind:
        case "equals" | "starts-with":
            return kind.replace("-", "_"), texts[0]
        case "contains-any":
            return "pattern", [f"({'|'.join(re.escape(text) for text in texts)})"]
        case "latency":
            return "seconds", _number(threshold) / _MILLISECONDS
        case "cost":
            return "cost", threshold
        case "context-faithfulness":
            return "support", threshold or 0.7
        case "is-refusal":
            return "abstains", True
        case "factuality" if texts:
            return "judge", f"Says the same as: {texts[0]}"
        case _ if kind in _RUBRICS:
            return "judge", "\n".join(texts)
    return None


def _texts_in(kind: str, value: Any) -> list[str]:
    """Return the strings of an assertion. If it takes a list but has one string, the string is read as a line of CSV.
    Raises csv.Error.
    """
    if isinstance(value, str) and len(value) <= MAX_VALUE_TEXT and kind.endswith(_OF_SEVERAL):
        value = [text.strip() for text in next(csv.reader([value.strip()], skipinitialspace=True), [])]
    return [str(one) for one in (value if isinstance(value, list) else [value])]


def _filled(value: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        # Refuse longer texts: after filling in variables, a few megabytes could become terabytes.
        is_fine = len(value) <= MAX_VALUE_TEXT
        return _VARIABLE.sub(lambda match: _short(variables.get(match[1], match[0])), value) if is_fine else value
    return [_filled(one, variables) for one in value] if isinstance(value, list) else value


def _short(value: Any) -> str:
    return str(value)[: MAX_VALUE_TEXT + 1]


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mapping_in(data: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    """Return an optional mapping; {} if it is missing. Raises InvalidSuite for any other value, such as a file's
    name.
    """
    value = data.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise InvalidSuite(f"{where}: {key}: " + gettext("a mapping of keys to values is required here."))
    return value or {}


def _asserts(test: Mapping[str, Any], where: str) -> list[Any]:
    value = test.get("assert")
    if value is not None and not isinstance(value, list):
        raise InvalidSuite(f"{where}: " + gettext("`assert` must be a list in this file."))
    return value or []


def is_deepeval(data: Any) -> bool:
    rows = _goldens(data)
    return bool(rows) and all(isinstance(row, Mapping) and ("input" in row or "scenario" in row) for row in rows)


def suite_of_deepeval(data: Any, *, name: str, file: str) -> dict[str, Any]:
    """Return the document of a suite. Raises InvalidSuite."""
    cases = [_deepeval_case(row, placed(file, str(place))) for place, row in enumerate(_goldens(data), 1)]
    return {"suite": name, "cases": cases}


def _goldens(data: Any) -> list[Any]:
    if isinstance(data, Mapping) and "suite" not in data:
        listed = [data[name] for name in ("goldens", "test_cases", "conversational_goldens") if data.get(name)]
        data = [row for rows in listed if isinstance(rows, list) for row in rows]
    return data if isinstance(data, list) else []


def _deepeval_case(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    case: dict[str, Any] = _deepeval_conversation(row) if "scenario" in row else {"ask": row["input"]}
    note = row.get("comments") or row.get("name")
    if isinstance(note, str) and note:
        case["note"] = note
    expect = _deepeval_expectations(row)
    if not expect:
        raise InvalidSuite(
            f"{where}: " + gettext("the case has no expectation. Add `expected_output` or `expected_tools`.")
        )
    return {**case, "expect": expect}


def _deepeval_expectations(row: Mapping[str, Any]) -> dict[str, Any]:
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


def _deepeval_conversation(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a conversation with the given turns, or one with a customer played by a model."""
    turns = row.get("turns")
    messages = [turn for turn in turns if isinstance(turn, Mapping)] if isinstance(turns, list) else []
    steps = [turn.get("content") for turn in messages if turn.get("role") == "user"]
    if steps:
        return {"steps": steps}
    return {"simulate": {"goal": row["scenario"], "persona": row.get("user_description") or ""}}
