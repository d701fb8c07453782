"""Objects and lists for actions that a workspace defines: asked for in forms, or read from text."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.argument_types import Amount, Choice, Count, Date, Field, Flag, Listing, Shape, Text
from actions.definitions.document_warnings import is_askable
from supportbot.builtin.actions.asking import ask_for
from supportbot.builtin.actions.submitted_forms import read_form
from supportbot.builtin.phrases import is_offer_of_a_person, is_ours, phrase_in, say
from supportbot.language.sentences import sentences_of
from supportbot.llm.types import ToolSpec
from supportbot.translation import LANGUAGES
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
    assert asked == say("parts", "en", part="New address", fields="Street, Postcode, Kind")
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
def test_an_incomplete_object_is_asked_for_again(text: str) -> None:
    chat = chat_for({"address": ADDRESS})
    chat.send(WISH)
    asked, calls = chat.send(text)
    assert calls == [] and "Street, Postcode, Kind" in asked
    assert form_of(chat)["fields"][0]["name"] == "street"


GUESTS = {
    "type": "array", "minItems": 2, "maxItems": 4, "items": {
        "type": "object", "required": ["name"],
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "diets": {"type": "array", "items": {
            "type": "string"}}},
    },
}  # fmt: skip


def test_a_list_of_objects_is_asked_for_by_one_form_with_several_entries() -> None:
    chat = chat_for({"guests": GUESTS})
    asked, _ = chat.send(WISH)
    form = form_of(chat)
    assert_is_on_the_wire(form)
    assert [field["name"] for field in form["fields"]] == ["name", "age", "diets"]
    bounds = {"minItems": 2, "maxItems": 4, "title": "Guests", "add": "Add another", "remove": "Remove"}
    assert form["entries"] == bounds
    assert asked.endswith("Enter 2 to 4 items, with an empty line between them.")
    # Only one of two entries was given, so the form is shown again.
    asked, calls = chat.send("Name: Ann")
    assert calls == [] and form_of(chat)["entries"] == bounds
    calls = chat.send("Name: Ann\nDiets: vegan, no nuts\n\nName: Ben\nAge: 9")[1]
    ann, ben = {"name": "Ann", "diets": ["vegan", "no nuts"]}, {"name": "Ben", "age": 9}
    assert calls == [("act", {"guests": [ann, ben]})]


def test_a_repeated_part_begins_the_next_entry() -> None:
    chat = chat_for({"guests": GUESTS})
    chat.send(WISH)
    calls = chat.send("Name: Ann\nAge: 8\nName: Ben\nAge: 9")[1]
    assert calls == [("act", {"guests": [{"name": "Ann", "age": 8}, {"name": "Ben", "age": 9}]})]


def test_entries_whose_first_field_is_left_out_stay_apart() -> None:
    items = {
        "type": "object",
        "properties": {"note": {"type": "string"}, "sku": {"type": "string"}},
        "required": ["sku"],
    }
    chat = chat_for({"lines": {"type": "array", "items": items}})
    chat.send(WISH)
    assert chat.send("Sku: a\n\nNote: red\nSku: b")[1] == [
        ("act", {"lines": [{"sku": "a"}, {"note": "red", "sku": "b"}]})
    ]


@pytest.mark.long
def test_a_long_form_is_read_beyond_the_limit_for_other_texts() -> None:
    chat = chat_for({"guests": GUESTS})
    chat.send(WISH)
    long = "x" * 900
    calls = chat.send(f"Name: {long}\n\nName: {long} Ben")[1]
    assert calls == [("act", {"guests": [{"name": long}, {"name": f"{long} Ben"}]})]


PARCEL = {
    "type": "object", "title": "Parcel", "required": ["kind", "to"],
    "properties": {
        "kind": {"type": "string", "enum": ["letter", "box"]},
        "to": {
            "type": "object", "title": "Receiver", "required": ["city", "name"],
            "properties": {"name": {"type": "string", "title": "Name"}, "city": {"type": "string", "title": "City"}},
        },
        "pick_up": {
            "type": "object", "required": ["day"],
            "properties": {"day": {"type": "string", "format": "date"}, "door": {"type": "string"}},
        },
    },
}  # fmt: skip


def test_objects_inside_an_object_become_fields_of_its_form() -> None:
    chat = chat_for({"parcel": PARCEL}, parcel__kind={"letter": "A letter", "box": "A box"})
    chat.send(WISH)
    form = form_of(chat)
    assert_is_on_the_wire(form)
    assert [
        (field["name"], field["title"], field["required"], field.get("requiredWith")) for field in form["fields"]
    ] == [
        ("kind", "Kind", True, None),
        ("to.name", "Receiver – Name", True, None),
        ("to.city", "Receiver – City", True, None),
        ("pick_up.day", "Pick up – Day", False, ["pick_up.door"]),
        ("pick_up.door", "Pick up – Door", False, None),
    ]
    to = {"name": "Ann", "city": "Bonn"}
    filled = "Kind: A box\nReceiver – Name: Ann\nReceiver – City: Bonn"
    assert chat.send(filled)[1] == [("act", {"parcel": {"kind": "box", "to": to}})]
    chat = chat_for({"parcel": PARCEL})
    chat.send(WISH)
    # The optional object is incomplete without the day.
    assert chat.send(f"Kind: box\n{filled.partition(chr(10))[2]}\nPick up – Door: 3")[1] == []
    calls = chat.send(f"Kind: box\n{filled.partition(chr(10))[2]}\nPick up – Day: 2027-03-05\nPick up – Door: 3")[1]
    assert calls == [("act", {"parcel": {"kind": "box", "to": to, "pick_up": {"day": "2027-03-05", "door": "3"}}})]


@pytest.mark.parametrize("language", LANGUAGES)
def test_entries_are_asked_for_and_read_in_every_language(language: str) -> None:
    addresses = {"type": "array", "minItems": 2, "items": {"type": "object", "required": ["city"], "properties": {
        "city": {"type": "string"}, "postal_code": {"type": "string"}}}}  # fmt: skip
    tool = ToolSpec("act", "?", {"type": "object", "properties": {"places": addresses}, "required": ["places"]},
                    title="Do it", examples=(WISH,))  # fmt: skip
    asked = ask_for(tool, "places", language)
    [form] = asked.blocks
    assert_is_on_the_wire(dict(form))
    city = form["fields"][0]["title"]
    assert phrase_in(asked.text) == "parts" and asked.part in asked.text and all(map(is_ours, sentences_of(asked.text)))
    assert read_form(tool, f"{city}: Bonn\n\n{city}: Kiel") == {"places": [{"city": "Bonn"}, {"city": "Kiel"}]}


FIELDS = st.recursive(
    st.sampled_from([Text("?"), Count("?"), Flag("?"), Date("?"), Choice("?", ("a", "b")), Amount("?")]),
    lambda inner: st.one_of(
        st.builds(lambda of, least: Listing("?", of, 100, least), inner, st.sampled_from([0, 1, 20, 21])),
        st.builds(
            lambda needed, more: Shape(
                {f"n{at}": one for at, one in enumerate(needed)}, {f"o{at}": one for at, one in enumerate(more)}
            ),
            st.lists(inner, max_size=24), st.lists(inner, max_size=24),
        ),
    ),
    max_leaves=30,
)  # fmt: skip


@pytest.mark.long
@given(FIELDS)
def test_the_editor_says_for_every_argument_whether_the_chat_can_ask_for_it(accepts: Field) -> None:
    parameters = {"type": "object", "properties": {"x": accepts.json_schema()}, "required": ["x"]}
    asked = ask_for(ToolSpec("act", "?", parameters), "x", "en")
    assert is_askable(accepts) is not asked.text.startswith(say("cannot_take", "en", part="X")[:-2])
    for block in asked.blocks:
        assert_is_on_the_wire(dict(block))


@pytest.mark.parametrize(
    "shape",
    [
        {"type": "array", "minItems": 21, "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
        {"type": "object", "properties": {"inner": {"type": "object", "properties": {}}}, "required": ["inner"]},
        {"type": "object", "properties": {"guests": GUESTS}, "required": ["guests"]},
        {"type": "array", "items": {"type": "boolean"}},
        {
            "type": "object",
            "properties": {f"n{at}": {"type": "string"} for at in range(21)},
            "required": [f"n{at}" for at in range(21)],
        },
    ],
)
def test_an_argument_that_no_form_can_contain_leads_to_a_person(shape: Mapping[str, Any]) -> None:
    chat = chat_for({"details": shape})
    asked, calls = chat.send(WISH)
    assert asked.startswith(say("cannot_take", "en", part="Details")) and is_offer_of_a_person(asked) and calls == []


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
    assert chat.send(WISH) == (say("entries", "en", part="Items to cancel"), [])
    assert form_of(chat)["fields"][0]["type"] == "string"
    assert chat.send(text)[1] == [("act", {"items": read})]
    chat = chat_for({"items": shape})
    chat.send(WISH)
    assert chat.send(f"Items to cancel: {text}")[1] == [("act", {"items": read})]


def test_record_numbers_are_read_unasked_and_numbers_of_another_form_are_not() -> None:
    numbers = {"type": "array", "items": {"type": "string", "pattern": "^i-[0-9]+$"}}
    chat = chat_for({"item_ids": numbers, "reservation": {"type": "string", "pattern": "^R-[0-9]+$"}})
    assert chat.send(f"{WISH} R-700")[1] == []
    assert chat.send("R-701")[1] == []
    assert chat.send("i-1, i-2")[1] == [("act", {"item_ids": ["i-1", "i-2"], "reservation": "R-701"})]
    chat = chat_for({"item_ids": numbers, "reservation": {"type": "string", "pattern": "^R-[0-9]+$"}})
    assert chat.send(f"{WISH} R-700 for i-4")[1] == [("act", {"item_ids": ["i-4"], "reservation": "R-700"})]


def test_a_number_is_read_from_a_request_that_also_names_a_record() -> None:
    hours = {"type": "integer", "minimum": 1, "maximum": 72, "title": "Hours to add"}
    chat = chat_for({"hours": hours}, "Extend my rental by some hours")
    asked, calls = chat.send("Extend my rental by 2 hours")
    assert (asked, calls) == ("", [("act", {"hours": 2})])
    chat = chat_for({"hours": hours, "rental": {"type": "string", "pattern": "^B-[0-9]+$"}}, "Extend my rental")
    assert chat.send("Extend my rental B-95 by 2 hours")[1] == [("act", {"hours": 2, "rental": "B-95"})]


def test_one_of_many_options_is_selected_in_a_form() -> None:
    sizes = {"type": "string", "enum": [f"size_{at}" for at in range(21)]}
    chat = chat_for({"size": sizes}, size={"size_7": "Seven"})
    chat.send(WISH)
    form = form_of(chat)
    assert_is_on_the_wire(form)
    assert form["fields"][0]["enum"][7] == "Seven"
    assert chat.send("Size: Seven")[1] == [("act", {"size": "size_7"})]
