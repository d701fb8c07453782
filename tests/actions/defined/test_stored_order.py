"""The database keeps a document's fields in an order of its own: nothing may depend on theirs."""

from typing import Any

import pytest

from actions.definitions import services
from actions.definitions.document import check_draft, missing
from actions.definitions.errors import InvalidDefinition
from tests.actions.defined.conftest import document
from tests.actions.defined.loopback_shop import LoopbackShop

pytestmark = pytest.mark.django_db


def test_values_and_computed_arguments_are_read_in_any_order(retail: LoopbackShop) -> None:
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
def test_what_reads_itself_is_refused(values: dict[str, str], arguments: dict[str, str], path: str) -> None:
    made: dict[str, Any] = document(values=values)
    made["arguments"] |= {
        name: {"type": "string", "from": "server", "value": value} for name, value in arguments.items()
    }
    with pytest.raises(InvalidDefinition) as refused:
        check_draft(made)
    assert path in refused.value.fields, refused.value.fields
