"""Fakes for tests: an embedder without a model, which records what it embedded."""

import hashlib
import math
import re
from collections.abc import Sequence

from kb.errors import EmbeddingUnavailable
from kb.ports import RecipeSpec

_WORD = re.compile(r"\w+")


class HashEmbedder:
    """Vectors from hashed words: texts that share words are near, and equal texts always have equal vectors.

    `embedded` lists every passage in order. `fail_after(n)` embeds n more passages and then fails, like a model that
    dies during the work.
    """

    recipe = RecipeSpec(name="hash-384", model="hash", dimensions=384)

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self._left: int | None = None

    def fail_after(self, passages: int) -> None:
        self._left = passages

    def recover(self) -> None:
        self._left = None

    def query(self, text: str) -> list[float]:
        return hashed_vector(text, self.recipe.dimensions)

    def passages(self, texts: Sequence[str]) -> list[list[float]]:
        if self._left is not None:
            if len(texts) > self._left:
                raise EmbeddingUnavailable("The embedding model was switched off by a test.")
            self._left -= len(texts)
        self.embedded.extend(texts)
        return [hashed_vector(text, self.recipe.dimensions) for text in texts]


def hashed_vector(text: str, dimensions: int) -> list[float]:
    """Return a unit vector where each word of `text` has moved one dimension up or down."""
    vector = [0.0] * dimensions
    for word in _WORD.findall(text.casefold()):
        digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        place = int.from_bytes(digest[:4]) % dimensions
        vector[place] += 1.0 if digest[4] & 1 else -1.0
    length = math.sqrt(sum(value * value for value in vector))
    if not length:
        vector[0], length = 1.0, 1.0  # a text without words: the cosine distance to a zero vector is undefined
    return [value / length for value in vector]
