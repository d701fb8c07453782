"""Objects and lists, for actions that a workspace defines itself: asked for part by part, or read as written."""

from collections.abc import Mapping
from typing import Any

import pytest

from supportbot.builtin.phrases import is_offer_of_a_person, say
from supportbot.llm.types import ToolSpec
from tests.builtin.action_chat import HUMAN, Chat
from tests.builtin.test_action_details import assert_is_on_the_wire

ADDRESS = {
    "type": "object",
    "title": "New address",
    "properties": {
        "street": {"type": "string", "maxLength": 80, "title": "Street"},
        "postcode": {"type": "string", "pattern": "^[0-9]{5}$", "title": "Postcode"},
        "floor": {"type": "integer", "minimum": -2, "maximum": 40},
        "kind": {"type": "string", "enum": ["home", "work"], "title": "Kind"},
        "has_lift": {"type": "boolean", "title": "Lift"},
    },
    "required": ["kind", "postcode", "street"],
}
WISH = "Change my pick-up address"


def chat_for(properties: Mapping[str, Any], wish: str = WISH, **labels: Mapping[str, str]) -> Chat:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    named = {name.replace("__", "."): own for name, own in labels.items()}
    tool = ToolSpec("act", "?", parameters, title="Do it", examples=(wish,), option_labels=named)
    return Chat(tools=(HUMAN, tool), orders=())


def form_of(chat: Chat) -> Mapping[str, Any]:
    """Return the only block of the newest answer."""
    [form] = chat.blocks
    assert form["type"] == "form"
    return form


def test_an_object_is_asked_for_with_a_field_for_each_part() -> None:
    chat = chat_for({"address": ADDRESS}, address__kind={"home": "At home", "work": "At work"})
    asked, calls = chat.send(WISH)
    assert calls == []
    assert asked == say("parts", "en", part="new address", fields="Street, Postcode, Kind")
    form = form_of(chat)
    assert_is_on_the_wire(form)
    assert [(field["title"], field["required"]) for field in form["fields"]] == [
        ("Street", True), ("Postcode", True), ("Floor", False), ("Kind", True), ("Lift", False),
    ]  # fmt: skip
    assert form["fields"][3]["enum"] == ["At home", "At work"]
    filled = "Street: Canal 5\nPostcode: 24106\nFloor: -1\nKind: At work\nLift: No"
    address = {"street": "Canal 5", "postcode": "24106", "floor": -1, "kind": "work", "has_lift": False}
    assert chat.send(filled)[1] == [("act", {"address": address})]


@pytest.mark.parametrize("text", ["Canal 5, 24106 Kiel", "Street: Canal 5", "Street: Canal 5\nTown: Kiel"])
def test_an_object_that_is_not_whole_is_asked_for_again(text: str) -> None:
    chat = chat_for({"address": ADDRESS})
    chat.send(WISH)
    asked, calls = chat.send(text)
    assert calls == [] and "Street, Postcode, Kind" in asked
    assert form_of(chat)["fields"][0]["name"] == "street"


def test_an_entry_of_a_list_of_objects_is_asked_for_and_further_ones_can_be_written() -> None:
    guests = {
        "type": "array", "items": {
            "type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["age", "name"],
        },
    }  # fmt: skip
    chat = chat_for({"guests": guests})
    chat.send(WISH)
    assert [field["name"] for field in form_of(chat)["fields"]] == ["name", "age"]
    given = chat.send("Name: Ann\nAge: 8\nName: Ben\nAge: 9")[1]
    assert given == [("act", {"guests": [{"name": "Ann", "age": 8}, {"name": "Ben", "age": 9}]})]


@pytest.mark.parametrize(
    "shape",
    [
        {"type": "array", "minItems": 2, "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
        {"type": "object", "properties": {"inner": {"type": "object", "properties": {}}}, "required": ["inner"]},
    ],
)
def test_what_no_form_can_take_leads_to_a_person(shape: Mapping[str, Any]) -> None:
    chat = chat_for({"details": shape})
    asked, calls = chat.send(WISH)
    assert asked.startswith(say("cannot_take", "en", part="details")) and is_offer_of_a_person(asked) and calls == []


@pytest.mark.parametrize(
    ("items", "text", "read"),
    [
        ({"type": "string", "pattern": "^i-[0-9]+$"}, "i-1 and i-3.", ["i-1", "i-3"]),
        ({"type": "string"}, "the globe, the map", ["the globe", "the map"]),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "2 and 4", [2, 4]),
        ({"type": "string", "format": "date"}, "5 March 2027, 7 March 2027", ["2027-03-05", "2027-03-07"]),
    ],
)
def test_a_list_is_read_from_words_and_from_its_field(items: Mapping[str, Any], text: str, read: list[Any]) -> None:
    shape = {"type": "array", "items": items, "title": "Items to cancel"}
    chat = chat_for({"items": shape})
    assert chat.send(WISH) == (say("entries", "en", part="items to cancel"), [])
    assert form_of(chat)["fields"][0]["type"] == "string"
    assert chat.send(text)[1] == [("act", {"items": read})]
    chat = chat_for({"items": shape})
    chat.send(WISH)
    assert chat.send(f"Items to cancel: {text}")[1] == [("act", {"items": read})]


def test_numbers_of_records_are_read_unasked_and_a_number_of_another_form_is_none_of_them() -> None:
    numbers = {"type": "array", "items": {"type": "string", "pattern": "^i-[0-9]+$"}}
    chat = chat_for({"item_ids": numbers, "reservation": {"type": "string", "pattern": "^R-[0-9]+$"}})
    assert chat.send(f"{WISH} R-700")[1] == []
    assert chat.send("R-701")[1] == []
    assert chat.send("i-1, i-2")[1] == [("act", {"item_ids": ["i-1", "i-2"], "reservation": "R-701"})]
    chat = chat_for({"item_ids": numbers, "reservation": {"type": "string", "pattern": "^R-[0-9]+$"}})
    assert chat.send(f"{WISH} R-700 for i-4")[1] == [("act", {"item_ids": ["i-4"], "reservation": "R-700"})]


def test_a_number_whose_label_stands_beside_a_figure_it_cannot_take_is_asked_for() -> None:
    hours = {"type": "integer", "minimum": 1, "maximum": 72, "title": "Hours to add"}
    chat = chat_for({"hours": hours}, "Extend my rental by some hours")
    asked, calls = chat.send("Extend my rental by 2 hours")
    assert (asked, calls) == ("", [("act", {"hours": 2})])
    chat = chat_for({"hours": hours, "rental": {"type": "string", "pattern": "^B-[0-9]+$"}}, "Extend my rental")
    assert chat.send("Extend my rental B-95 by 2 hours")[1] == [("act", {"hours": 2, "rental": "B-95"})]
