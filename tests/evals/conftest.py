"""A workspace with an article and a shop, as in the assistant's tests."""

from tests.assistant.conftest import hashed_vectors, returns_article, shop

__all__ = ["hashed_vectors", "returns_article", "shop"]  # fixtures
