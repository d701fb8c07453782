"""When an argument is renamed, every reference to it is, too."""

import json
from pathlib import Path
from typing import Any

import pytest

from actions.definitions.parsing.document import parse_document
from actions.definitions.references import uses_of, with_renamed, with_renamed_names
from supportbot.evals.retail.preparation import DEFINITIONS
from tests.actions.definitions.documents import EXCHANGE, PRODUCT

GYM = Path(__file__).parents[2] / "gym" / "definitions"
WHOLE = [
    EXCHANGE,
    PRODUCT,
    *(json.loads(file.read_text()) for folder in (DEFINITIONS, GYM) for file in sorted(folder.glob("*.json"))),
]
USED = [(one["name"], one, argument) for one in WHOLE for argument in one.get("arguments") or ()]


def declared_as(document: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    arguments = {names.get(name, name): spec for name, spec in document["arguments"].items()}
    return with_renamed({**document, "arguments": arguments}, names)


@pytest.mark.one_in(4)
@pytest.mark.parametrize(("name", "document", "argument"), USED, ids=[f"{name}-{one}" for name, _, one in USED])
def test_a_renamed_argument_has_its_new_name_everywhere(name: str, document: dict[str, Any], argument: str) -> None:
    made = declared_as(document, {argument: "renamed_one"})
    parse_document(made)
    assert uses_of(made, "renamed_one") == [
        path.replace(f"arguments.{argument}.", "arguments.renamed_one.") for path in uses_of(document, argument)
    ]
    assert f"arguments.{argument}" not in json.dumps({**made, "undo": None}).replace(f"arguments.{argument}_", "")
    assert declared_as(made, {"renamed_one": argument}) == document


def test_every_kind_of_reference_is_renamed() -> None:
    document = {
        "labels": {"arguments.id.kind": [], "arguments.ids": []},
        "lookups": [
            {"owner": "record.owner if arguments.id else null", "for_each": "[arguments.id]",
             "call": {"path": "/x/{arguments['id']}", "query": {"a": "{{arguments.id}} {arguments.id}"}}}
        ],
        "values": {"all": "map(arguments.id.rows, r, r.of == arguments.id and r.arguments.id)"},
        "guards": [
            {"code": "arguments.id", "require": "arguments.id in ['arguments.id']", "words": {"en": "{arguments.id}"}}
        ],
        "call": {
            "body": {"rows": {"for_each": "arguments.id", "as": "x", "of": {"y?": "{arguments.ids} {arguments.id}"}}}
        },
        "card": {"rows": [{"label": {"en": "{arguments.id}"}, "value": "arguments.id"}]},
        "undo": {"arguments": {"id": "arguments.id"}},
    }  # fmt: skip
    made = with_renamed(document, {"id": "ids", "ids": "id"})
    assert made == {
        "labels": {"arguments.ids.kind": [], "arguments.id": []},
        "lookups": [
            {"owner": "record.owner if arguments.ids else null", "for_each": "[arguments.ids]",
             "call": {"path": '/x/{arguments["ids"]}', "query": {"a": "{{arguments.id}} {arguments.ids}"}}}
        ],
        "values": {"all": "map(arguments.ids.rows, r, r.of == arguments.ids and r.arguments.id)"},
        "guards": [
            {"code": "arguments.id", "require": "arguments.ids in ['arguments.id']", "words": {"en": "{arguments.ids}"}}
        ],
        "call": {
            "body": {"rows": {"for_each": "arguments.ids", "as": "x", "of": {"y?": "{arguments.id} {arguments.ids}"}}}
        },
        "card": {"rows": [{"label": {"en": "{arguments.id}"}, "value": "arguments.ids"}]},
        "undo": {"arguments": {"id": "arguments.ids"}},
    }  # fmt: skip


def test_a_record_is_renamed_where_it_is_read_but_not_where_its_name_means_something_else() -> None:
    document = {
        "lookups": [{"name": "bill", "owner": "order.customer", "call": {"path": "/o/{order.id}/{arguments.order}"}}],
        "labels": {"order.status": [], "arguments.order": []},
        "values": {"paid": "all(order.parts, order, order.paid) and order.total > 0"},
        "guards": [{"require": "has(order.order) and other.order == 'order'", "words": {"en": "order {order.id}"}}],
    }  # fmt: skip
    assert with_renamed_names(document, {"order": "bill"}) == {
        "lookups": [{"name": "bill", "owner": "bill.customer", "call": {"path": "/o/{bill.id}/{arguments.order}"}}],
        "labels": {"bill.status": [], "arguments.order": []},
        "values": {"paid": "all(bill.parts, order, order.paid) and bill.total > 0"},
        "guards": [{"require": "has(bill.order) and other.order == 'order'", "words": {"en": "order {bill.id}"}}],
    }
