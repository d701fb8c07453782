"""The reference of definitions is correct: its documents are valid, and its expressions have the values it states."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from actions.definitions.expressions.expression import compile_expression
from actions.definitions.expressions.parser import FUNCTIONS
from actions.definitions.expressions.values import as_json
from actions.definitions.parsing.document import missing, parse_document
from tests.actions.definitions.test_schema import SCHEMA, VALIDATOR

PAGE = (Path(settings.BASE_DIR) / "docs" / "definitions.md").read_text()
DOCUMENTS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
RECORD = json.loads(re.findall(r"```record\n(.*?)```", PAGE, re.DOTALL)[0])
TABLE = PAGE.partition("| expression | value |\n")[2].partition("\n\n")[0]
EXAMPLES = [
    (expression.replace("\\|", "|"), json.loads(value))
    for expression, value in re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", TABLE, re.MULTILINE)
]
NAMES = {
    "order": RECORD,
    "now": datetime(2026, 5, 31, 12, tzinfo=UTC),
    "today": datetime(2026, 5, 31, tzinfo=UTC).date(),
}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["name"])
def test_each_document_is_complete(document: dict[str, Any]) -> None:
    assert missing(document) == []
    parse_document(document)
    VALIDATOR.validate(document)


def test_the_steps_of_the_tutorial_add_up_to_its_file() -> None:
    tutorial = PAGE.partition("## Your first action")[2].partition("The whole file:")[0]
    steps = "".join(re.findall(r"^```\n(.*?)```", tutorial, re.DOTALL | re.MULTILINE))
    assert json.loads(steps) == DOCUMENTS[0]


@pytest.mark.parametrize(("expression", "value"), EXAMPLES)
def test_each_expression_has_its_value(expression: str, value: Any) -> None:
    found = as_json(compile_expression(expression).evaluate(NAMES))
    assert json.loads(json.dumps(found, default=float)) == value


def test_every_function_and_every_field_has_an_example() -> None:
    written = " ".join(expression for expression, _ in EXAMPLES)
    assert {name for name in FUNCTIONS if f"{name}(" not in written} == set()
    fields = set(SCHEMA["properties"]) | set(SCHEMA["$defs"]["argument"]["properties"])
    fields |= set(SCHEMA["$defs"]["lookup"]["properties"]) | set(SCHEMA["properties"]["result"]["properties"])
    assert {name for name in fields if not re.search(rf'[`".]{name}[`"]', PAGE)} == set()


def test_the_consoles_reference_has_the_sections_of_this_page() -> None:
    chapters = "## Expressions\n" + PAGE.partition("## Expressions\n")[2].partition("## From an OpenAPI file")[0]
    shown = Path(settings.BASE_DIR) / "actions" / "definitions" / "expressions.md"
    assert shown.read_text() == f"{chapters.rstrip()}\n", f"Copy the changed chapters to {shown}."
