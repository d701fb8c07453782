"""The JSON Schema of the document and its reader agree."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from actions.definitions.errors import InvalidDefinition
from actions.definitions.expressions.parser import MAX_CHARACTERS
from actions.definitions.parsing import document
from actions.definitions.parsing.arguments import MAX_ARGUMENTS
from actions.definitions.parsing.document import parse_document
from supportbot.evals.retail.preparation import DEFINITIONS
from tests.actions.definitions.documents import EXCHANGE, PRODUCT, changed
from tests.actions.definitions.test_documents import JSON, LACKING, PATHS, WRONG

SCHEMA = json.loads((Path(document.__file__).parents[1] / "schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
RETAIL = [json.loads(path.read_text()) for path in sorted(DEFINITIONS.glob("*.json"))]
# Mistakes that the schema cannot find, since they concern names, the grammar of expressions or other fields.
MEANING = {
    "arguments.order_id.pattern", "arguments.currency.value", "arguments.reason.options[1].value", "lookups[1].name",
    "lookups[0].name", "lookups[0].call.path", "lookups[0].call.body", "lookups[0].call.headers", "lookups[0].owner",
    "lookups[0].otherwise.words.en", "guards[0].require", "guards[0].words.en", "subject.id", "money.amount",
    "call.body", "call.key.header", "call.key", "answer.happened", "card.rows[0].value", "receipt[0].value",
    "approval.when",    "arguments.ratio.minimum", "description.en", "card.title.en",
}  # fmt: skip


def test_the_schema_is_valid_and_has_the_same_limits() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["arguments"]["maxProperties"] == MAX_ARGUMENTS
    assert SCHEMA["properties"]["lookups"]["maxItems"] == document.MAX_LOOKUPS
    assert SCHEMA["properties"]["guards"]["maxItems"] == document.MAX_GUARDS
    assert SCHEMA["properties"]["values"]["maxProperties"] == document.MAX_VALUES
    assert SCHEMA["$defs"]["expression"]["maxLength"] == MAX_CHARACTERS


@pytest.mark.parametrize("example", [EXCHANGE, PRODUCT, *RETAIL], ids=lambda example: example["name"])
def test_every_example_passes_the_schema_and_the_reader(example: dict[str, Any]) -> None:
    parse_document(example)
    VALIDATOR.validate(example)


@pytest.mark.one_in(4)
@pytest.mark.parametrize(("path", "value", "named"), WRONG)
def test_a_structural_mistake_fails_the_schema_and_the_reader(path: str, value: Any, named: str) -> None:
    spoilt = changed(EXCHANGE, path, value)
    with pytest.raises(InvalidDefinition):
        parse_document(spoilt)
    if path not in MEANING:
        assert not VALIDATOR.is_valid(spoilt)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("path", LACKING)
def test_a_missing_required_part_fails_the_schema_and_the_reader(path: str) -> None:
    spoilt = changed(EXCHANGE, path, ...)
    with pytest.raises(InvalidDefinition):
        parse_document(spoilt)
    if not path.endswith(".de"):  # JSON Schema cannot say "in the languages of the title"
        assert not VALIDATOR.is_valid(spoilt)


@pytest.mark.long
@settings(max_examples=300)
@given(st.sampled_from(PATHS), JSON)
def test_the_schema_accepts_what_the_reader_accepts(path: str, value: Any) -> None:
    if re.search(r'null|""', json.dumps(value)):  # the reader takes both as "not given"
        return
    try:
        document = changed(EXCHANGE, path, value)
        parse_document(document)
    except (KeyError, TypeError, InvalidDefinition):
        return
    VALIDATOR.validate(document)
