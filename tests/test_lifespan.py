"""What a web process does at its start besides serving requests."""

import gc
from collections.abc import Iterator

import pytest

from supportbot.assistant.checks.sentence_kinds import by_pieces, weights_shipped
from supportbot.lifespan import prepare


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_objects_loaded_at_the_start_are_excluded_from_garbage_collection() -> None:
    loaded = len(gc.get_objects())

    prepare()

    assert gc.get_freeze_count() > loaded / 2
    assert len(gc.get_objects()) < loaded / 2


def test_the_first_answer_finds_the_tables_of_the_checks_loaded() -> None:
    by_pieces.cache_clear()
    weights_shipped.cache_clear()

    prepare()

    assert weights_shipped.cache_info().currsize == 1
    assert by_pieces.cache_info().currsize  # so a sentence has been judged
