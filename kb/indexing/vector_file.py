"""A file of vectors by content hash: computed once, reused by the demo's first start and by benchmarks.

The file starts with one line of JSON that names the recipe. Records of equal size follow: 32 bytes of SHA-256, and the
vector in little-endian half precision, like the index. The file is only appended to, so an interrupted writer loses at
most the record it was writing. Only one process may write to it at a time.
"""

import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.utils.translation import gettext, gettext_noop

from kb.errors import KnowledgeError, RecipeMismatch
from kb.ports import RecipeSpec

_FORMAT = "supportbot-vectors-1"
_HASH_BYTES = 32
_LONGEST_HEADER = 4_096


class VectorFileBroken(KnowledgeError):
    code = "vector_file_broken"
    default_message = gettext_noop("This is not a vector file. Delete it, and it will be created again.")


class VectorFileClosed(KnowledgeError):
    code = "vector_file_closed"
    default_message = gettext_noop("The vector file cannot be read or written.")


class VectorFile:
    """The vectors of one recipe in one file; `get` returns None for text that was never embedded."""

    def __init__(self, path: Path, recipe: RecipeSpec) -> None:
        """Open `path`, which need not exist yet. Raises RecipeMismatch, VectorFileBroken or VectorFileClosed."""
        self.path = path
        self._recipe = recipe
        self._packing = struct.Struct(f"<{recipe.dimensions}e")
        try:
            self._vectors: dict[bytes, bytes] = dict(self._records()) if path.exists() else {}
        except OSError as error:
            problem = gettext("{file} cannot be read ({error}). Use another file.")
            raise VectorFileClosed(problem.format(file=path, error=error.strerror)) from error

    def __len__(self) -> int:
        return len(self._vectors)

    def __contains__(self, content_hash: str) -> bool:
        return bytes.fromhex(content_hash) in self._vectors

    def get(self, content_hash: str, /) -> list[float] | None:
        packed = self._vectors.get(bytes.fromhex(content_hash))
        return None if packed is None else list(self._packing.unpack(packed))

    def items(self) -> Iterator[tuple[str, list[float]]]:
        """Yield each content hash with its vector."""
        for key, packed in self._vectors.items():
            yield key.hex(), list(self._packing.unpack(packed))

    def add(self, vectors: Sequence[tuple[str, Sequence[float]]]) -> None:
        """Append the vectors whose hashes are not known yet."""
        new = {bytes.fromhex(key): self._packing.pack(*vector) for key, vector in vectors if key not in self}
        self._begin_file()
        with self.path.open("ab") as file:
            file.write(b"".join(key + packed for key, packed in new.items()))
        self._vectors.update(new)

    def _begin_file(self) -> None:
        """Write the header of a new file, or cut off an incomplete record that an interrupted writer left behind."""
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(_header(self._recipe))
            return
        ragged = (self.path.stat().st_size - len(_header(self._recipe))) % self._record_bytes
        if ragged:
            with self.path.open("ab") as file:
                file.truncate(self.path.stat().st_size - ragged)

    @property
    def _record_bytes(self) -> int:
        return _HASH_BYTES + self._packing.size

    def _records(self) -> Iterator[tuple[bytes, bytes]]:
        with self.path.open("rb") as file:
            _check_header(file.readline(_LONGEST_HEADER), self._recipe, self.path)
            while len(record := file.read(self._record_bytes)) == self._record_bytes:
                yield record[:_HASH_BYTES], record[_HASH_BYTES:]


def _header(recipe: RecipeSpec) -> bytes:
    fields = {"format": _FORMAT, "recipe": recipe.name, "dimensions": recipe.dimensions}
    return json.dumps(fields, sort_keys=True).encode() + b"\n"


def _check_header(line: bytes, recipe: RecipeSpec, path: Path) -> None:
    if line == _header(recipe):
        return
    try:
        found = json.loads(line)
    except ValueError as error:
        problem = gettext("{file} is not a vector file. Delete it, and it will be created again.")
        raise VectorFileBroken(problem.format(file=path.name)) from error
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        problem = gettext("{file} has an unknown format. Delete it, and it will be created again.")
        raise VectorFileBroken(problem.format(file=path.name))
    problem = gettext("{file} contains vectors from {found}, but vectors from {needed} are needed. Use another file.")
    raise RecipeMismatch(problem.format(file=path.name, found=found.get("recipe"), needed=recipe.name))
