"""What a definition may let customers choose from: their own or public records, found without the choice itself."""

from typing import Any

import pytest

from actions.definitions.errors import InvalidDefinition
from actions.definitions.parsing.document import missing, parse_document
from actions.definitions.references import uses_of, with_renamed
from tests.actions.defined.record_choices import ORDERS, call_off, cancel_with_gift


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"list": "arguments.reason"}, "choose_from.list"),
        ({"list": "['#W0000001']"}, "choose_from.list"),
        ({"list": "map(customer.orders, o, arguments.reason)"}, "choose_from.list"),
        ({"list": "customer.orders", "value": "nothing.here"}, "choose_from.value"),
        ({"as": "X"}, "choose_from.as"),
        ({"words": {}}, "choose_from.words"),
        ({"more": 1}, "choose_from.more"),
    ],
)
def test_choices_from_anything_but_the_customers_own_list_are_a_mistake(changes: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(call_off(**changes))
    assert f"arguments.order_id.{wrong}" in refused.value.fields


def test_records_that_are_found_by_the_argument_itself_cannot_be_its_choices() -> None:
    made = call_off()
    made["lookups"][0]["call"] = {
        "method": "GET",
        "path": "/users/{identity.sub}",
        "query": {"of": "{arguments.order_id}"},
    }
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(made)
    assert "arguments.order_id.choose_from.list" in refused.value.fields


@pytest.mark.parametrize("reads", ["filter(customer.orders, o, o == arguments.order_id)", "customer.orders"])
def test_a_list_that_depends_on_the_argument_itself_cannot_be_its_choices(reads: str) -> None:
    value = "one" if "arguments" in reads else "one if arguments.order_id == one else one"
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(call_off(list=reads, value=value))
    assert list(refused.value.fields) == ["arguments.order_id.choose_from.list"]


def test_an_optional_argument_cannot_have_choices() -> None:
    made = call_off()
    made["arguments"]["order_id"]["required"] = False
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(made)
    assert "arguments.order_id.choose_from" in refused.value.fields


@pytest.mark.parametrize("kind", ["choice", "integer", "date"])
def test_only_a_text_argument_can_have_choices(kind: str) -> None:
    made = call_off()
    made["arguments"]["order_id"] |= {"type": kind} | ({"options": [{"value": "a"}]} if kind == "choice" else {})
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(made)
    assert any(path.startswith("arguments.order_id.choose_from") for path in refused.value.fields)


def test_a_renamed_argument_is_renamed_in_the_choices_of_another() -> None:
    made = call_off(list="filter(customer.orders, o, o != arguments.reason)")
    assert "arguments.order_id.choose_from.list" in uses_of(made, "reason")
    renamed = with_renamed(made, {"reason": "why"})
    assert "arguments.why" in renamed["arguments"]["order_id"]["choose_from"]["list"]


@pytest.mark.parametrize(
    "subject",
    [
        "first(customer.orders, o, o == arguments.order_id)",
        "number",
        "filter(customer.orders, o, true)[0]",
    ],
)
def test_an_argument_may_choose_the_subject_from_the_customers_own_list(subject: str) -> None:
    assert parse_document(call_off() | {"subject": {"kind": "order", "id": subject}}).subject is not None


@pytest.mark.parametrize(
    "subject",
    [
        "first([arguments.order_id], o, true)", "map(customer.orders, o, arguments.order_id)[0]",
        "customer[arguments.order_id]", "number if number == arguments.order_id else 'x'",
        "text(count(customer.orders, o, o == arguments.order_id))", "first(['a', 'b'], o, o == arguments.order_id)",
    ],
)  # fmt: skip
def test_a_subject_from_an_argument_without_choices_is_still_a_mistake(subject: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(call_off() | {"subject": {"kind": "order", "id": subject}})
    assert "subject.id" in refused.value.fields


@pytest.mark.parametrize(
    ("value", "is_proven"),
    [
        ("arguments.purchase", False),
        ("one.item_id + arguments.purchase", False),
        ("one.item_id + arguments.reason", True),  # one of its options
        ("one.item_id + text(today)", True),
        ("one.item_id + text(now)", True),
        ("identity.sub + one.item_id + 'x'", True),
    ],
)
def test_a_choice_is_proven_unless_its_value_is_computed_from_words_of_the_chat(value: str, is_proven: bool) -> None:
    made = cancel_with_gift()
    made["arguments"]["gift"]["choose_from"]["value"] = value
    assert missing(made) == ([] if is_proven else ["arguments.gift.names_no_record"])


def keeping(*names: str, **lists: str) -> dict[str, Any]:
    """Return an action whose arguments are all chosen from the customer's orders, or from the given lists."""
    made = call_off()
    for name in names:
        choosing = ORDERS | {"list": lists.get(name, "customer.orders")}
        made["arguments"][name] = {"type": "string", "description": name, "choose_from": choosing}
        made["guards"].append({
            "name": f"has_{name}", "require": f"arguments.{name} in customer.orders", "code": "not_theirs",
            "words": {"en": "No."},
        })  # fmt: skip
    return made


def test_lists_that_depend_on_each_others_choices_cannot_be_published() -> None:
    on = "filter(customer.orders, o, o != arguments.{})".format
    circle = keeping("one", "two", "three", one=on("two"), two=on("three"), three=on("one"))
    assert missing(circle) == [f"arguments.{name}.choose_from.list" for name in ("one", "two", "three")]
    assert missing(keeping("one", "two", "three", one=on("order_id"), two=on("one"), three=on("two"))) == []
    hanging = keeping("one", "two", "three", one=on("two"), two=on("one"), three=on("two"))
    assert missing(hanging) == [f"arguments.{name}.choose_from.list" for name in ("one", "two")]
    assert parse_document(circle, is_published=True).arguments["one"].choose_from is not None
