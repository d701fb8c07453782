"""Fixtures of the knowledge room."""

from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from kb import ports
from kb.testing import HashEmbedder


@pytest.fixture(autouse=True)
def embedder(settings: Settings) -> Iterator[HashEmbedder]:
    """The embedder of the test: no model, and a book of what it was asked."""
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"
    ports._load.cache_clear()
    loaded = ports.embedder()
    assert isinstance(loaded, HashEmbedder)
    yield loaded
    ports._load.cache_clear()
