"""What a web process does beside its requests when it starts."""

import gc
from collections.abc import Iterator

import pytest

from supportbot.lifespan import prepare


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_was_loaded_at_the_start_is_no_longer_searched_for_garbage() -> None:
    loaded = len(gc.get_objects())

    prepare()

    assert gc.get_freeze_count() > loaded / 2
    assert len(gc.get_objects()) < loaded / 2
