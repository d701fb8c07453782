"""Where an OpenAPI file names the customer, a draft uses the identity or leaves the decision to a person."""

import json
from typing import Any

import pytest

from actions.definitions.importing.drafts import snake
from actions.definitions.parsing.document import check_draft
from tests.actions.definitions.openapi_files import body_of, drafts, file_with


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/profile", {"name": "customer_id", "in": "query"}),
        ("/profile", {"name": "userId", "in": "query", "schema": {"type": "integer"}}),
        ("/profile", {"name": "X-Account-Id", "in": "header"}),
        ("/{memberid}/profile", {"name": "memberid", "in": "path"}),
        ("/customers/{id}/profile", {"name": "id", "in": "path"}),
        ("/profile", {"name": "of", "in": "query", "schema": {"$ref": "#/components/schemas/UserId"}}),
    ],
)
def test_a_parameter_that_names_the_customer_is_filled_with_the_identity(path: str, parameter: dict[str, Any]) -> None:
    parameter = {"schema": {"type": "string"}, **parameter}
    schemas = {"schemas": {"UserId": {"type": "string"}}}
    draft = drafts(file_with({"operationId": "x", "parameters": [parameter]}, path, components=schemas))["x"]
    ((argument, spec),) = draft.document["arguments"].items()
    assert spec == {"type": "string", "from": "identity"}
    assert f"{{arguments.{argument}}}" in json.dumps(draft.document["call"]) and "?" not in str(draft.document["call"])
    assert len(draft.checks) == 1 and draft.checks[0].startswith(f"{argument}: ")
    assert draft.document["card"]["rows"] == []
    check_draft(draft.document)


def test_an_undeclared_customer_parameter_in_a_path_is_filled_with_the_identity() -> None:
    draft = drafts(file_with({"operationId": "x"}, "/users/{user_id}"))["x"]
    assert draft.document["arguments"]["user_id"]["from"] == "identity"


def test_a_customer_field_in_a_body_is_filled_with_the_identity_in_its_type() -> None:
    fields = {"customerId": {"type": "integer"}, "user_id": {"type": "string"}, "note": {"type": "string"}}
    draft = body_of({"type": "object", "properties": fields})
    assert draft.document["call"]["body"] == {
        "customerId": "{number(arguments.customer_id)}", "user_id": "{arguments.user_id}", "note?": "{arguments.note}",
    }  # fmt: skip
    origins = {name: spec.get("from") for name, spec in draft.document["arguments"].items()}
    assert origins == {"customer_id": "identity", "user_id": "identity", "note": None}


@pytest.mark.parametrize("name", ["recipient_user_id", "customer", "accountNumber", "memberIds"])
def test_a_field_that_may_name_a_customer_is_left_to_a_person(name: str) -> None:
    draft = body_of({"type": "object", "properties": {name: {"type": "string"}}})
    assert "from" not in draft.document["arguments"][snake(name)]
    assert [note.partition(":")[0] for note in draft.checks] == [snake(name)]


def test_a_customer_inside_a_list_is_left_to_a_person() -> None:
    guest = {"type": "object", "required": ["user_id"], "properties": {"user_id": {"type": "string"}}}
    draft = body_of({"type": "object", "properties": {"guests": {"type": "array", "items": guest}}})
    assert [note.partition(":")[0] for note in draft.checks] == ["guests[].user_id"]


@pytest.mark.parametrize("name", ["order_id", "id", "used_id", "membership_id", "remember", "misuser"])
def test_other_fields_come_from_the_chat(name: str) -> None:
    draft = body_of({"type": "object", "properties": {name: {"type": "string"}}})
    assert "from" not in draft.document["arguments"][name] and draft.checks == []


def test_many_notes_do_not_crowd_out_the_checks_for_a_person() -> None:
    cookies = [{"name": f"c{number}", "in": "cookie"} for number in range(60)]
    operation = {"operationId": "x", "parameters": [*cookies, {"name": "member", "in": "query"}]}
    draft = drafts(file_with(operation))["x"]
    assert len(draft.notes) == 30 and [note.partition(":")[0] for note in draft.checks] == ["member"]
