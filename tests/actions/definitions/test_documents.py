"""The document of a definition: how it is read, and how every mistake in it is reported."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import strategies as st

from actions.argument_json import read_arguments
from actions.argument_types import parse_arguments
from actions.definitions.errors import InvalidDefinition
from actions.definitions.expressions.template import labelled
from actions.definitions.parsed_parts import Kind, Origin, OutcomeKind
from actions.definitions.parsing.arguments import seen, written
from actions.definitions.parsing.document import check_draft, missing, parse_document
from actions.definitions.published import action_from
from actions.spec import Risk
from supportbot.assistant.action_tools import spec_of
from supportbot.translation import in_locale
from tests.actions.definitions.documents import EXCHANGE, PRODUCT, changed
from tests.examples import for_any


def mistakes(document: Any) -> dict[str, list[str]]:
    with pytest.raises(InvalidDefinition) as error:
        parse_document(document)
    return error.value.fields


def test_a_complete_document_is_read() -> None:
    definition = parse_document(EXCHANGE)
    assert (definition.name, definition.kind, definition.risk) == ("exchange_item", Kind.WRITE, Risk.MONEY)
    assert [one.name for one in definition.arguments.values() if one.origin is Origin.SERVER] == ["currency"]
    labels = {one.name: one.label for one in definition.arguments.values() if one.label}
    assert labels == {"order_id": {"en": "Order number", "de": "Bestellnummer"}}
    order, variants = definition.lookups
    assert (order.absent, order.is_public, variants.element, variants.at_most) == ({404}, False, "item", 20)
    names = {
        "arguments": {"order_id": "#W1"},
        "order": {"id": "#W1", "status": "sent", "user_id": "u"},
        "item": {"sku": "x"},
    }
    assert order.call.path.render(names) == "/orders/%23W1"
    assert variants.call.path.render(names) == "/items/x"
    assert not definition.guards[0].require.holds(names)
    assert in_locale(definition.guards[0].refusal.words, "de-AT").words(names, "de-AT") == "Bestellung #W1 ist sent."
    assert definition.outcome and definition.outcome.kind is OutcomeKind.STATUS_LOOKUP
    assert definition.limits == {
        "max_per_subject": Decimal("100.00"), "approval_above": Decimal("50.00"), "max_requests_per_customer_day": 3,
    }  # fmt: skip
    assert definition.call and definition.call.key_header == "Idempotency-Key"
    assert missing(EXCHANGE) == []


def test_a_look_up_is_read() -> None:
    definition = parse_document(PRODUCT)
    assert (definition.kind, definition.risk, definition.lookups[0].is_public) == (Kind.READ, Risk.READ, True)
    assert definition.result and definition.result.fields[0].name == "left"


def test_unknown_arguments_are_refused_and_the_others_become_values() -> None:
    definition = parse_document(EXCHANGE)
    shape = definition.shape()
    assert "customer_id" not in shape.json_schema()["properties"]
    assert "currency" not in shape.json_schema()["properties"]
    given_text = """{"order_id": "A-1", "reason": "other", "items": [{"sku": "x", "count": 2}], "gift": true,
        "day": "2026-05-31", "amount": 12.5, "ratio": 0.250}"""
    parsed = parse_arguments(shape, read_arguments(given_text))
    assert parsed == {
        "order_id": "A-1", "reason": "other", "items": [{"sku": "x", "count": 2}], "gift": True, "day": "2026-05-31",
        "amount": "12.50", "ratio": "0.25",
    }  # fmt: skip
    assert seen(shape, parsed) == {
        "order_id": "A-1", "reason": "other", "items": [{"sku": "x", "count": Decimal(2)}], "gift": True,
        "day": date(2026, 5, 31), "amount": Decimal("12.50"), "ratio": Decimal("0.25"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order_id", '"a b"'), ("order_id", "7"), ("reason", '"another"'), ("reason", "null"), ("items", "[]"),
        ("items", '[{"sku": "x"}]'), ("items", '[{"sku": "x", "count": 10}]'),
        ("items", '[{"sku": "x", "count": 0.5}]'),
        ("gift", '"yes"'), ("gift", "1"), ("day", '"31.05.2026"'), ("day", '"2026-02-30"'), ("day", '"20260531"'),
        ("amount", '"0"'), ("ratio", "1.5"), ("ratio", '"1e-1"'), ("customer_id", '"u"'), ("currency", '"EUR"'),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_refused(name: str, value: str) -> None:
    given_text = {"order_id": '"A-1"', "reason": '"other"', "items": '[{"sku": "x", "count": 1}]'} | {name: value}
    text = "{" + ", ".join(f'"{key}": {entry}' for key, entry in given_text.items()) + "}"
    with pytest.raises(Exception, match=r"arguments") as error:
        parse_arguments(parse_document(EXCHANGE).shape(), read_arguments(text))
    assert all(field.split(".")[0] == name for field in error.value.fields)  # type: ignore[attr-defined]


def test_the_argument_that_finds_the_record_is_the_first_to_be_asked_for() -> None:
    arguments = EXCHANGE["arguments"]
    stored = EXCHANGE | {"arguments": {name: arguments[name] for name in sorted(arguments)}}
    assert next(iter(parse_document(stored).shape().required)) == "order_id"


def test_a_computed_value_must_fit_the_type_of_its_argument() -> None:
    shape = parse_document(EXCHANGE).shape()
    problems: dict[str, list[str]] = {}
    fields = {**shape.required, **shape.optional}
    assert fields["amount"].parse(written(Decimal("12.5")), "amount", problems) == "12.50"
    assert fields["day"].parse(written(date(2026, 5, 31)), "day", problems) == "2026-05-31"
    assert fields["items"].parse(written([{"sku": "x", "count": Decimal(2)}]), "items", problems)
    assert not problems
    fields["amount"].parse(written("twelve"), "amount", problems)
    assert problems


WRONG: list[tuple[str, Any, str]] = [
    ("arguments.order_id.label.en", 7, "arguments.order_id.label.en"),
    ("arguments.order_id.label.de", "x" * 101, "arguments.order_id.label.de"),
    ("format", 2, "format"),
    ("kind", "procedure", "kind"),
    ("name", "Exchange Item", "name"),
    ("risk", "high", "risk"),
    ("title", "Exchange", "title"),
    ("title.english", "Exchange", "title.english"),
    ("title.en", 5, "title.en"),
    ("description.en", "a\nb", "description.en"),
    ("examples", ["I want"], "examples"),
    ("examples.en", "I want", "examples.en"),
    ("examples.english", ["I want"], "examples.english"),
    ("connection", "https://shop.example", "connection"),
    ("labels", [], "labels"),
    ("labels", {"order status": []}, "labels.order status"),
    ("labels", {"order.status": ["paid"]}, "labels.order.status[0]"),
    ("labels", {f"order.f{n}": [] for n in range(21)}, "labels"),
    ("done", "Exchanged", "done"),
    ("arguments", [], "arguments"),
    ("arguments.order_id", "string", "arguments.order_id"),
    ("arguments.money", {"type": "money", "description": "How much."}, "arguments.money"),
    ("arguments.order_id.type", "text", "arguments.order_id.type"),
    ("arguments.order_id.from", "browser", "arguments.order_id.from"),
    ("arguments.order_id.pattern", "(a+)+", "arguments.order_id.pattern"),
    ("arguments.order_id.pattern", "(a|b)*", "arguments.order_id.pattern"),
    ("arguments.order_id.pattern", "a*a*a*a*", "arguments.order_id.pattern"),
    ("arguments.order_id.pattern", "(?=x)y", "arguments.order_id.pattern"),
    ("arguments.order_id.pattern", "a|b", "arguments.order_id.pattern"),
    ("arguments.order_id.pattern", "[a", "arguments.order_id.pattern"),
    ("arguments.order_id.max_length", 0, "arguments.order_id.max_length"),
    ("arguments.order_id.max_length", True, "arguments.order_id.max_length"),
    ("arguments.order_id.value", "order.id", "arguments.order_id.value"),
    ("arguments.order_id.lenght", 4, "arguments.order_id.lenght"),
    ("arguments.reason.options", [], "arguments.reason.options"),
    ("arguments.reason.options[1].value", "no longer needed", "arguments.reason.options[1].value"),
    ("arguments.items.max_items", 101, "arguments.items.max_items"),
    ("arguments.items.of.fields.sku.from", "customer", "arguments.items.of.fields.sku.from"),
    ("arguments.ratio.minimum", "none", "arguments.ratio.minimum"),
    ("arguments.currency.value", "ordr.currency", "arguments.currency.value"),
    ("arguments.currency.value", "order.currency ==", "arguments.currency.value"),
    ("lookups", {}, "lookups"),
    ("lookups[0].name", "status", "lookups[0].name"),
    ("lookups[1].name", "order", "lookups[1].name"),
    ("lookups[0].call.method", "DELETE", "lookups[0].call.method"),
    ("lookups[0].call.path", "/orders/{arguments.order}", "lookups[0].call.path"),
    ("lookups[0].call.path", "/orders/{arguments.currency}", "lookups[0].call.path"),
    ("lookups[0].call.path", "/orders/{variants[0].id}", "lookups[0].call.path"),
    ("lookups[0].call.path", "https://evil.example/", "lookups[0].call.path"),
    ("lookups[0].call.path", "/orders?id={arguments.order_id}", "lookups[0].call.path"),
    ("lookups[0].call.key", {"header": "X"}, "lookups[0].call.key"),
    ("lookups[0].call.headers", {"Host": "x"}, "lookups[0].call.headers.Host"),
    ("lookups[0].call.headers", {"X Y": "x"}, "lookups[0].call.headers.X Y"),
    ("lookups[0].call.headers", {"X": 1}, "lookups[0].call.headers.X"),
    ("lookups[0].call.body", {}, "lookups[0].call.body"),
    ("lookups[0].owner", "customer.id", "lookups[0].owner"),
    ("lookups[0].public", True, "lookups[0].public"),
    ("lookups[0].absent", [500], "lookups[0].absent"),
    ("lookups[0].otherwise.code", "Not found", "lookups[0].otherwise.code"),
    ("lookups[0].otherwise.words.en", "{order.id}", "lookups[0].otherwise.words.en"),
    ("lookups[1].at_most", 1000, "lookups[1].at_most"),
    ("guards[0].require", "order.status = 'x'", "guards[0].require"),
    ("guards[0].require", "arguments.colour == 'x'", "guards[0].require"),
    ("guards[0].require", "status == 200", "guards[0].require"),
    ("guards[0].require", True, "guards[0].require"),
    ("guards[0].words.en", "Order {order.id", "guards[0].words.en"),
    ("guards[0].message", "x", "guards[0].message"),
    ("subject.id", "orders.id", "subject.id"),
    ("money.amount", "money.amount", "money.amount"),
    ("call.method", "post", "call.method"),
    ("call.query", ["a"], "call.query"),
    ("call.body", {"a": "{b}"}, "call.body"),
    ("call.body", {"a": "{1 +}"}, "call.body"),
    ("call.key.header", "Authorization", "call.key.header"),
    ("call.key", ..., "call.key"),
    ("answer.happened", "code == 200", "answer.happened"),
    ("outcome.kind", "retry", "outcome.kind"),
    ("outcome.call.path", "operations", "outcome.call.path"),
    ("card.rows[0].value", "body.id", "card.rows[0].value"),
    ("card.title.en", "x" * 121, "card.title.en"),
    ("receipt[0].value", "reply.id", "receipt[0].value"),
    ("limits.max_per_subject", "a lot", "limits.max_per_subject"),
    ("limits.max_per_order", "5", "limits.max_per_order"),
    ("limits.approval_above", "-1", "limits.approval_above"),
    ("limits.max_requests_per_customer_day", 0, "limits.max_requests_per_customer_day"),
    ("approval.when", "total > 5", "approval.when"),
    ("approval.approvers", 3, "approval.approvers"),
    ("undo", "Cancel it", "undo.action"),
    ("result", {}, "result"),
    ("colour", "red", "colour"),
]


@pytest.mark.parametrize(("path", "value", "named"), WRONG)
def test_a_mistake_is_named_by_its_path_with_a_remedy(path: str, value: Any, named: str) -> None:
    document = changed(EXCHANGE, path, value)
    found = mistakes(document)
    assert named in found
    assert all(message[0].isupper() and message.rstrip(")")[-1] in ".?1234567890}]" for message in found[named])
    with pytest.raises(InvalidDefinition):
        check_draft(document)


def test_a_close_name_is_suggested() -> None:
    assert "Did you mean order?" in mistakes(changed(EXCHANGE, "subject.id", "ordr.id"))["subject.id"][0]
    assert "Did you mean guards?" in mistakes({**EXCHANGE, "guard": []})["guard"][0]


LACKING = [
    "name", "kind", "risk", "title", "description", "description.de", "connection", "arguments.order_id.type",
    "arguments.order_id.description", "arguments.reason.options", "arguments.items.of", "arguments.currency.value",
    "lookups[0].name", "lookups[0].call", "lookups[0].call.method", "lookups[0].call.path", "lookups[0].owner",
    "lookups[0].otherwise", "lookups[0].otherwise.code", "lookups[0].otherwise.words", "lookups[1].as",
    "lookups[1].public", "subject", "subject.kind", "subject.id", "guards[0].require", "guards[0].code",
    "guards[0].words",
    "guards[0].words.de", "money", "money.amount", "money.currency", "call", "call.method", "call.path", "answer",
    "answer.happened", "answer.did_not", "outcome", "outcome.kind", "outcome.call", "outcome.happened",
    "outcome.never_seen", "card", "card.title", "card.summary.de", "card.button", "card.rows[0].label",
    "card.rows[0].value", "receipt[0].name", "receipt[0].value",
]  # fmt: skip


@pytest.mark.one_in(4)
@pytest.mark.parametrize("path", LACKING)
def test_missing_parts_of_a_draft_are_listed_and_are_not_mistakes(path: str) -> None:
    draft = changed(EXCHANGE, path, ...)
    lacking = "lookups[1].owner" if path == "lookups[1].public" else path
    if path not in ("lookups[0].name", "lookups[1].as", "money"):  # other parts of the document use these names
        check_draft(draft)
    assert lacking in missing(draft)
    assert lacking in mistakes(draft)


def test_an_empty_draft_is_not_a_mistake() -> None:
    check_draft({"format": 1})
    assert missing({"format": 1})[:3] == ["kind", "name", "title"]


def test_a_write_without_an_owner_is_not_complete() -> None:
    public = changed(changed(EXCHANGE, "lookups[0].owner", ...), "lookups[0].public", True)
    assert missing(public) == ["lookups[0].owner"]
    # A request about the customer's own account has the customer as its subject.
    assert missing(changed(public, "subject.id", "identity.sub")) == []


NO_DOCUMENTS: list[Any] = [
    None,
    [],
    "x",
    1,
    {},
    {"format": True},
    {"format": 1, "x": float("nan")},
    {"format": 1, "x": {1}},
]


@pytest.mark.parametrize("document", NO_DOCUMENTS)
def test_anything_but_a_document_is_refused(document: Any) -> None:
    assert mistakes(document)


def test_a_document_that_is_too_large_is_refused() -> None:
    assert "256 KiB" in mistakes({**EXCHANGE, "note": "x" * 300_000})["document"][0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
PATHS = sorted({path for path, _, _ in WRONG} - {"colour", "call.key", "result"})


@for_any(st.sampled_from(PATHS), JSON, few=20)
@pytest.mark.long
def test_any_value_anywhere_is_read_or_refused(path: str, value: Any) -> None:
    try:
        document = changed(EXCHANGE, path, value)
    except (KeyError, TypeError):
        document = value
    try:
        parse_document(document)
    except InvalidDefinition as error:
        assert error.fields


@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key", "IDEMPOTENCY-KEY?"])
def test_another_header_cannot_replace_the_key(name: str) -> None:
    call = {**EXCHANGE["call"], "key": {"header": "Idempotency-Key"}, "headers": {name: "always the same"}}
    with pytest.raises(InvalidDefinition) as refused:
        check_draft({**EXCHANGE, "call": call})
    assert list(refused.value.fields) == ["call.headers"]


def test_labels_need_a_known_record_and_every_language() -> None:
    label = {"value": "paid", "label": {"en": "paid"}}
    with pytest.raises(InvalidDefinition) as refused:
        parse_document({**EXCHANGE, "labels": {"ordr.status": [label], "item.kind": [], "order.status": [label]}})
    assert set(refused.value.fields) == {"labels.ordr.status", "labels.order.status[0].label.de"}


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ({"value": "order.id", "words": {"en": "x", "de": "x"}}, "card.rows[0].words"),
        ({"words": {"en": "{order.id}"}}, "card.rows[0].words.de"),
        ({"words": {"en": "{ordr.id}", "de": "x"}}, "card.rows[0].words.en"),
        ({}, "card.rows[0].value"),
    ],
)
def test_a_row_has_a_value_or_words(row: dict[str, Any], wrong: str) -> None:
    rows = [{"label": {"en": "Order", "de": "Bestellung"}, **row}]
    with pytest.raises(InvalidDefinition) as refused:
        parse_document({**EXCHANGE, "card": {**EXCHANGE["card"], "rows": rows}})
    assert set(refused.value.fields) == {wrong}


def test_fields_inside_an_argument_have_labels_in_every_schema() -> None:
    label = {"en": "Street", "de": "Straße"}
    kinds = [{"value": "home", "label": {"en": "At home", "de": "Zu Hause"}}, {"value": "work"}]
    fields = {
        "street": {"type": "string", "label": label},
        "kind": {"type": "choice", "options": kinds},
        "floors": {"type": "list", "of": {"type": "object", "fields": {"no": {"type": "integer", "label": label}}}},
    }
    address = {"type": "object", "description": "Where to.", "fields": fields}
    made = action_from(parse_document(changed(EXCHANGE, "arguments.address", address)), 1)
    parts = made.labelled_schema("de")["properties"]["address"]["properties"]
    assert parts["street"]["title"] == "Straße" and "title" not in parts["kind"]
    assert parts["floors"]["items"]["properties"]["no"]["title"] == "Straße"
    assert (made.option_label("address.kind", "home", "de"), made.option_label("address.kind", "work", "de")) == (
        "Zu Hause", "work",
    )  # fmt: skip
    assert spec_of(made, "de").option_labels["address.kind"] == {"home": "Zu Hause"}
    assert made.option_label("reason", "other", "en") == "other"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("arguments.address.kind", "Zu Hause"),
        ("map(arguments.stays, stay, stay.kind)", ["Zu Hause", "work"]),
        ("arguments.stays[0].kind", "Zu Hause"),
        ("map(filter(arguments.stays, s, s.kind == 'home'), s, s.kind)", ["home"]),
        ("text(arguments.address.kind)", "home"),
    ],
)
def test_choices_inside_an_argument_are_shown_by_their_labels(value: str, shown: Any) -> None:
    kinds = [{"value": "home", "label": {"en": "At home", "de": "Zu Hause"}}, {"value": "work"}]
    address = {"type": "object", "description": "Where to.", "fields": {"kind": {"type": "choice", "options": kinds}}}
    stays = {"type": "list", "description": "The stays.", "of": {**address}}
    made = {**EXCHANGE, "arguments": {**EXCHANGE["arguments"], "address": address, "stays": stays}}
    made["card"] = {**EXCHANGE["card"], "rows": [{"label": {"en": "Kind", "de": "Art"}, "value": value}]}
    definition = parse_document(made)
    assert definition.card is not None
    [row] = definition.card.rows
    assert row.value is not None
    found = row.value.evaluate(
        {"arguments": {"address": {"kind": "home"}, "stays": [{"kind": "home"}, {"kind": "work"}]}}
    )
    assert labelled(found, row.labels, "de") == shown


def test_a_draft_may_compute_an_argument_from_a_look_up_that_is_still_missing() -> None:
    computed = {"type": "string", "from": "server", "value": "parcel.carrier"}
    draft = {**EXCHANGE, "arguments": {**EXCHANGE["arguments"], "carrier": computed}}
    check_draft(draft)
    assert missing(draft) == ["arguments.carrier.value"]
    assert "parcel" in mistakes(draft)["arguments.carrier.value"][0]
    misspelt = {**EXCHANGE, "arguments": {**EXCHANGE["arguments"], "carrier": {**computed, "value": "ordr.carrier"}}}
    with pytest.raises(InvalidDefinition) as refused:
        check_draft(misspelt)
    assert "Did you mean order?" in refused.value.fields["arguments.carrier.value"][0]
    unknown = {**computed, "value": "parcel.carrier + arguments.colour"}
    with pytest.raises(InvalidDefinition):
        check_draft({**EXCHANGE, "arguments": {**EXCHANGE["arguments"], "carrier": unknown}})
