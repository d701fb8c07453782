"""Embedders for kb that call any OpenAI-compatible `/embeddings` endpoint through the gateway: the operator's server
(KB_EMBEDDER=openai), or the servers of a route chosen in the console.
"""

import math
from collections.abc import Sequence
from functools import cached_property

from django.conf import settings

from kb.errors import EmbeddingUnavailable
from kb.ports import RecipeSpec
from supportbot.language.personal_data import without_personal_data
from supportbot.llm import gateway, loop_thread
from supportbot.llm.connections import Server
from supportbot.llm.errors import LlmError

TEXTS_PER_CALL = 64
# A customer is waiting for a question's vector, in a database thread that other chats need. After this time, search
# uses only words. Articles are embedded in the background, with the deadline of an answer.
QUESTION_SECONDS = 3.0


class _Remote:
    """An embedder that is synchronous, like kb's services; its calls run on the gateway's own loop thread."""

    servers: Sequence[Server] | None = None  # None means the environment's server

    def query(self, text: str) -> list[float]:
        """Return the vector of a customer's text.

        Personal data is removed first, because it would not match any article.
        """
        return self._checked(self._vectors([without_personal_data(text)], seconds=QUESTION_SECONDS))[0]

    def passages(self, texts: Sequence[str]) -> list[list[float]]:
        vectors: list[list[float]] = []
        for start in range(0, len(texts), TEXTS_PER_CALL):
            vectors += self._vectors(texts[start : start + TEXTS_PER_CALL])
        return self._checked(vectors)

    def _checked(self, vectors: list[list[float]]) -> list[list[float]]:
        return vectors

    def _vectors(self, texts: Sequence[str], *, seconds: float | None = None) -> list[list[float]]:
        try:
            vectors = loop_thread.run(gateway.embed(texts, seconds=seconds, servers=self.servers, size=self._size()))
        except LlmError as error:
            raise EmbeddingUnavailable from error
        return [_normalised(vector) for vector in vectors]

    def _size(self) -> int | None:
        """Return the size that a server's vectors must have; None if any size is allowed."""
        return None


class GatewayEmbedder(_Remote):
    """Gets vectors from the operator's server."""

    @cached_property
    def recipe(self) -> RecipeSpec:
        """The recipe. Asks the server once for the size of its vectors, unless OPENAI_EMBEDDING_DIMENSIONS is set."""
        model = settings.OPENAI_EMBEDDING_MODEL
        size = settings.OPENAI_EMBEDDING_DIMENSIONS or len(self._vectors(["size"])[0])
        return RecipeSpec(name=f"openai:{model}:{size}", model=model, dimensions=size, is_normalised=True)

    def _checked(self, vectors: list[list[float]]) -> list[list[float]]:
        if any(len(vector) != self.recipe.dimensions for vector in vectors):
            raise EmbeddingUnavailable(
                "The embedding model returned vectors of a different size. Run `manage.py kb_reindex`."
            )
        return vectors


class RoutedEmbedder(_Remote):
    """Gets vectors from the first of a route's servers that returns them in the recipe's size."""

    def __init__(self, recipe: RecipeSpec, servers: Sequence[Server]) -> None:
        self.recipe = recipe
        self.servers = servers

    def _size(self) -> int:
        return self.recipe.dimensions


def _normalised(vector: list[float]) -> list[float]:
    length = math.hypot(*vector)
    if not length or not math.isfinite(length):
        raise EmbeddingUnavailable("The embedding model returned a vector that cannot be normalised.")
    return [value / length for value in vector]
