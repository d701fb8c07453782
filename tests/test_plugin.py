"""What tests/plugin.py does to a run."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests import plugin


@pytest.mark.one_in(3)
@pytest.mark.parametrize("row", range(7))
def test_every_third_row_of_a_sampled_table_is_in_every_run(row: int, request: pytest.FixtureRequest) -> None:
    assert ("long" in request.node.keywords) == (row % 3 > 0)


def test_the_slowest_folders_come_first() -> None:
    names = ["tests/chat/a.py::a", "tests/embedded/b.py::b", "tests/flows/c.py::c", "tests/flows/d.py::d"]
    items: list[Any] = [SimpleNamespace(nodeid=name, get_closest_marker=lambda _: None) for name in names]
    plugin.pytest_collection_modifyitems(items)
    assert [item.nodeid for item in items] == [names[2], names[3], names[1], names[0]]
