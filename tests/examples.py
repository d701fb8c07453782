"""Properties that are checked with a few random values in every run and with many in the long run."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy


def for_any(*values: SearchStrategy[Any], few: int, many: int = 1_000) -> Callable[[Callable[..., None]], Any]:
    """Return a decorator to use instead of `@given(*values)` if a hundred examples take too long for every run."""

    def decorate(holds: Callable[..., None]) -> Any:
        @pytest.mark.parametrize("examples", [few, pytest.param(many, marks=pytest.mark.long)])
        def test(examples: int) -> None:
            settings(max_examples=examples)(given(*values)(holds))()

        return test

    return decorate
