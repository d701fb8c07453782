"""The database stores a document's fields in its own order, so nothing may depend on the order they had."""

from typing import Any

import pytest

from actions.definitions import selectors, services
from actions.definitions.errors import InvalidDefinition
from actions.definitions.models import ActionDefinitionVersion
from actions.definitions.parsing.document import check_draft, missing
from tests.actions.defined.conftest import document
from tests.actions.defined.loopback_shop import LoopbackShop

pytestmark = pytest.mark.django_db


def test_values_and_computed_arguments_are_computed_in_any_order(retail: LoopbackShop) -> None:
    made = document(values={"zone": "order.status", "at": "zone == 'pending'"})
    made["arguments"] |= {
        "total_of_it": {"type": "string", "from": "server", "value": "order.status"},
        "b": {"type": "string", "from": "server", "value": "arguments.total_of_it"},
    }
    version = services.save_draft(made, actor="operator:test")
    version.refresh_from_db()
    assert list(version.document["values"]) == ["at", "zone"]
    assert missing(version.document) == []
    check_draft(version.document)


@pytest.mark.parametrize(
    ("values", "arguments", "path"),
    [
        ({"one": "two", "two": "one"}, {}, "values.one"),
        ({"one": "one"}, {}, "values.one"),
        ({}, {"x": "arguments.y", "y": "arguments.x"}, "arguments.x.value"),
        ({"one": "arguments.x"}, {"x": "one"}, "arguments.x.value"),
    ],
)
def test_a_value_that_depends_on_itself_is_refused(
    values: dict[str, str], arguments: dict[str, str], path: str
) -> None:
    made: dict[str, Any] = document(values=values)
    made["arguments"] |= {
        name: {"type": "string", "from": "server", "value": value} for name, value in arguments.items()
    }
    with pytest.raises(InvalidDefinition) as refused:
        check_draft(made)
    assert path in refused.value.fields, refused.value.fields


def test_changing_the_order_of_the_arguments_creates_a_new_version(retail: LoopbackShop) -> None:
    made = document()
    made["arguments"] = {**made["arguments"], "note": {"type": "string", "required": False, "description": "A note."}}
    first = services.save_draft(made, actor="operator:test")
    assert services.save_draft(made, actor="operator:test").number == first.number
    turned = {**made, "arguments": dict(reversed(made["arguments"].items()))}
    assert services.save_draft(turned, actor="operator:test").number == first.number + 1
    stored = selectors.newest_version(first.definition).document["arguments"]
    assert list(stored) == list(turned["arguments"])


def test_a_version_saved_without_the_order_of_fields_is_the_same_document(retail: LoopbackShop) -> None:
    made = document()
    fields = {"long_name": {"type": "string"}, "b": {"type": "string"}}
    made["arguments"] |= {
        "guests": {"type": "list", "description": "Who comes.", "of": {"type": "object", "fields": fields}}
    }
    saved = services.save_draft(made, actor="operator:test")
    assert list(selectors.newest_version(saved.definition).document["arguments"]["guests"]["of"]["fields"]) == [
        "long_name", "b",
    ]  # fmt: skip
    older = ActionDefinitionVersion(
        definition=saved.definition, number=saved.number + 1, document=made, created_by="operator:test",
        argument_order=",".join(made["arguments"]),
    )  # fmt: skip
    older.save()
    newest = selectors.newest_version(saved.definition)
    assert services.save_draft(newest.document, actor="operator:test").number == older.number
