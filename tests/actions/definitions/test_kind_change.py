"""A draft that writes becomes one that reads, and the other way round."""

from typing import Any

from actions.definitions.importing.mcp import read_tools
from actions.definitions.kind_change import as_kind, unreadable_method
from actions.definitions.parsing.document import check_draft, missing
from tests.actions.definitions.openapi_files import SHOP, drafts

SEATS: dict[str, Any] = {
    "name": "find_seats",
    "inputSchema": {"type": "object", "required": ["show"], "properties": {"show": {"type": "string"}}},
    "outputSchema": {"type": "object", "properties": {"left": {"type": "integer"}}},
    "annotations": {"readOnlyHint": True},
}


def test_a_tools_call_becomes_the_look_up_and_its_receipt_the_result() -> None:
    (draft,) = read_tools({"tools": [SEATS]}, "theatre").drafts
    made = as_kind(draft.document, "read")
    check_draft(made)
    call = {"tool": "find_seats", "schema_hash": draft.document["call"]["schema_hash"]}
    assert made["lookups"] == [{"name": "record", "call": {**call, "body": {"show": "{arguments.show}"}}}]
    assert [row["value"] for row in made["result"]["fields"]] == ["record.structuredContent.left"]
    assert missing(made) == ["description", "arguments.show.description", "lookups[0].owner", "result.words"]
    assert not {"call", "answer", "outcome", "card", "receipt", "risk"} & made.keys()


def test_a_read_becomes_a_write_that_is_called_at_most_once() -> None:
    reads = {name: draft.document for name, draft in drafts(SHOP).items() if draft.document["kind"] == "read"}
    assert reads
    for document in reads.values():
        made = as_kind(document, "write")
        check_draft(made)
        assert (made["call"], made["outcome"]) == (document["lookups"][0]["call"], {"kind": "at_most_once"})
        assert "result" not in made and "lookups" not in made
        again = as_kind(made, "read")
        assert again["lookups"] == document["lookups"]


def test_a_look_up_with_the_same_call_is_the_one_that_is_shown() -> None:
    call = {"method": "GET", "path": "/seats/{arguments.show}"}
    lookups = [{"name": "record", "call": {"method": "GET", "path": "/shows"}}, {"name": "seats", "call": call}]
    write = {
        "format": 1, "name": "x", "kind": "write", "lookups": lookups, "call": call, "values": {"record_2": "1"},
        "receipt": [{"name": "a", "value": "body.a.b"}, {"name": "b", "value": "body.a + 1"}, {"name": "c"}],
    }  # fmt: skip
    made = as_kind(write, "read")
    assert (made["lookups"], made["result"]) == (lookups, {"fields": [{"name": "a", "value": "seats.a.b"}]})
    other = as_kind({**write, "call": {**call, "key": {"header": "Key"}, "path": "/y"}}, "read")
    assert other["lookups"][-1] == {"name": "record_3", "call": {**call, "path": "/y"}}


def test_a_call_that_no_look_up_can_make_is_named() -> None:
    assert unreadable_method({"call": {"method": "DELETE", "path": "/x"}}) == "DELETE"
    assert not any(map(unreadable_method, ({}, {"call": {"method": "POST"}}, {"call": {"tool": "x"}}, {"call": "x"})))
