"""Only a look-up of public records that reads nothing of the customer can be for visitors."""

from typing import Any

import pytest

from actions.definitions.errors import InvalidDefinition
from actions.definitions.kind_change import as_kind
from actions.definitions.parsing.document import drafted, missing, parse_document, reasons
from tests.actions.definitions.documents import EXCHANGE, PRODUCT, changed
from tests.actions.definitions.test_schema import VALIDATOR

OPEN: dict[str, Any] = {
    **PRODUCT,
    "visitors": True,
    "lookups": [
        {
            "name": "product", "public": True, "for_each": "[arguments.sku]", "as": "one",
            "call": {
                "method": "POST", "path": "/products/{one}", "query": {"a": "b"}, "headers": {"X": "y"},
                "body": {"of": [{"for_each": "[1]", "as": "n", "of": {"n": "{n}"}}]},
            },
            "otherwise": {"code": "none", "words": {"en": "None."}},
        }
    ],
    "values": {"first": "product[0]"},
    "guards": [{"name": "g", "require": "true", "code": "no", "words": {"en": "No."}}],
    "result": {
        "list": "product", "as": "p", "fields": [{"name": "left", "label": {"en": "Left"}, "value": "p.stock"}],
        "words": {"en": "Found."}, "hand_over": "Please call.",
        "card": {"title": {"en": "Card"}, "hosts": ["shop.example"], "link": "p.url", "picture": "p.picture"},
    },
}  # fmt: skip
# Each field of a look-up with an expression or a template, and a value for it that reads the customer.
READING = {
    "arguments.sku.from": "identity",
    "lookups[0].for_each": "[identity.sub]",
    "lookups[0].call.path": "/products/{identity.sub}",
    "lookups[0].call.query.a": "{identity.email}",
    "lookups[0].call.headers.X": "{identity.sub}",
    "lookups[0].call.body.of[0].for_each": "[identity.sub]",
    "lookups[0].call.body.of[0].of.n": "{n} {identity.sub}",
    "lookups[0].otherwise.words.en": "None for {identity.email}.",
    "values.first": "product[0] if identity.sub == 'x' else null",
    "guards[0].require": "any(product, p, p.owner == identity.sub)",
    "guards[0].words.en": "No, {identity.sub}.",
    "result.list": "filter(product, p, p.of == identity.sub)",
    "result.fields[0].value": "identity.email",
    "result.words.en": "Hello {identity.sub}.",
    "result.hand_over": "Call {identity.email}.",
    "result.card.title.en": "For {identity.sub}",
    "result.card.link": "p.links[identity.sub]",
    "result.card.picture": "p.pictures[identity.sub]",
}


def test_a_look_up_of_public_records_may_be_for_visitors_and_is_not_by_default() -> None:
    VALIDATOR.validate(OPEN)
    assert parse_document(OPEN).for_visitors
    for closed in (changed(OPEN, "visitors", ...), {**OPEN, "visitors": False}, PRODUCT):
        VALIDATOR.validate(closed)
        assert not parse_document(closed).for_visitors


@pytest.mark.parametrize("path", READING)
def test_no_part_may_read_the_customer(path: str) -> None:
    reading = changed(OPEN, path, READING[path])
    parse_document({**reading, "visitors": False})
    assert missing(reading) == ["visitors"]
    assert "Remove identity from its expressions" in reasons(reading)["visitors"]
    found = drafted(reading)
    assert found is not None and not found.for_visitors


def test_a_bound_of_a_date_cannot_read_customer_data() -> None:
    day = {"type": "date", "description": "When.", "minimum": "identity.sub"}
    with pytest.raises(InvalidDefinition):
        parse_document({**OPEN, "arguments": {**OPEN["arguments"], "day": day}})


def test_a_record_with_an_owner_is_named() -> None:
    owned = {**OPEN["lookups"][0], "owner": "product.user"}
    del owned["public"]
    document = {**OPEN, "lookups": [owned]}
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(document)
    assert refused.value.fields["visitors"][0].startswith("The look-up product is not public")


@pytest.mark.parametrize("broken", ["Hello {identity.sub", "{identity..sub}", "{upper(}"])
def test_text_that_does_not_compile_closes_a_draft(broken: str) -> None:
    found = drafted(changed(OPEN, "result.words.en", broken))
    assert found is not None and not found.for_visitors


def test_an_action_is_never_for_visitors() -> None:
    document = {**EXCHANGE, "visitors": True}
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(document)
    assert list(refused.value.fields) == ["visitors"] and not VALIDATOR.is_valid(document)
    assert "visitors" not in as_kind(OPEN, "write")
