"""What a web process does at its start besides serving requests."""

import gc
from collections.abc import Iterator

import pytest

from supportbot.lifespan import prepare


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_objects_loaded_at_the_start_are_excluded_from_garbage_collection() -> None:
    loaded = len(gc.get_objects())

    prepare()

    assert gc.get_freeze_count() > loaded / 2
    assert len(gc.get_objects()) < loaded / 2
