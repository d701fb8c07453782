"""What tests/plugin.py does to a run."""

import pytest


@pytest.mark.one_in(3)
@pytest.mark.parametrize("row", range(7))
def test_every_third_row_of_a_sampled_table_is_in_every_run(row: int, request: pytest.FixtureRequest) -> None:
    assert ("long" in request.node.keywords) == (row % 3 > 0)
