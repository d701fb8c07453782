"""Vectors of texts that are compared again and again, kept by each process and in a cache shared by all processes.

They are the questions of gate cases, and the pieces of articles that may answer a question; never what a customer
wrote. A vector takes 20 to 100 ms to compute, and one publication compares hundreds: without a shared cache, the first
publication in each web process would compute them all. Each vector is kept under the recipe and a hash of its text, and
rounded to half precision as in the index, so that it is the same in every process.
"""

import struct
import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from django.core.cache import cache

from kb.indexing.chunking import content_hash
from kb.indexing.recipes import embedder_in_use
from kb.indexing.vector_file import VectorFile
from kb.ports import Embedder
from supportbot.rate_counters import CACHE_AWAY

KEPT_SECONDS: Final = 30 * 24 * 3600
MOST_KEPT: Final = 8_192  # vectors in one process, 0.8 kB each
_PER_WRITE: Final = 200
_recent: OrderedDict[str, bytes] = OrderedDict()
_changing = threading.Lock()


def question_vectors(texts: Iterable[str]) -> dict[str, Sequence[float]]:
    """Return the vectors of these questions. Raises EmbeddingUnavailable."""
    used = embedder_in_use()
    return _vectors(texts, "question", used, used.query)


def passage_vectors(texts: Iterable[str], by: Embedder | None = None) -> dict[str, Sequence[float]]:
    """Return vectors of these article texts, from the embedder `by` or the one in use. Raises EmbeddingUnavailable."""
    used = by or embedder_in_use()
    return _vectors(texts, "passage", used, lambda text: used.passages([text])[0])


def share_question_vectors(texts: Sequence[str]) -> None:
    """Make sure that the shared cache has the vectors of these questions, including those that only this process still
    keeps. Raises EmbeddingUnavailable.
    """
    used = embedder_in_use()
    vectors = _vectors(texts, "question", used, used.query)
    keys = {text: _key(used.recipe.name, "question", text) for text in texts}
    shared = _read(list(keys.values()))
    if shared is not None:
        _write({key: _packed(vectors[text]) for text, key in keys.items() if key not in shared})


def share(known: VectorFile) -> None:
    """Put the vectors of a file into the shared cache."""
    _write({key: _packed(vector) for key, vector in known.items()})


def recent() -> Mapping[str, Sequence[float]]:
    """Return the vectors that this process keeps, by the hash of their texts."""
    with _changing:
        return {key: _unpacked(found) for key, found in _recent.items()}


def forget() -> None:
    """Forget the vectors that this process keeps; the shared cache keeps its own."""
    with _changing:
        _recent.clear()


def _key(recipe: str, kind: str, text: str) -> str:
    return content_hash(recipe, f"{kind}: {text}")


def _packed(vector: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(vector)}e", *vector)


def _unpacked(found: bytes) -> Sequence[float]:
    return array("f", struct.unpack(f"<{len(found) // 2}e", found))


def _vectors(
    texts: Iterable[str], kind: str, used: Embedder, compute: Callable[[str], Sequence[float]]
) -> dict[str, Sequence[float]]:
    keys = {text: _key(used.recipe.name, kind, text) for text in texts}
    with _changing:
        found = {key: _recent[key] for key in keys.values() if key in _recent}
    shared = _read([key for key in keys.values() if key not in found])
    found |= shared or {}
    new = {key: _packed(compute(text)) for text, key in keys.items() if key not in found}
    if shared is not None:  # do not wait twice for a cache that does not respond
        _write(new)
    found |= new
    _keep(found)
    return {text: _unpacked(found[key]) for text, key in keys.items()}


def _keep(found: Mapping[str, bytes]) -> None:
    with _changing:
        for key, vector in found.items():
            _recent[key] = vector
            _recent.move_to_end(key)
        while len(_recent) > MOST_KEPT:
            _recent.popitem(last=False)


def _read(keys: Sequence[str]) -> dict[str, bytes] | None:
    """Return the values in the shared cache; None if it is unavailable."""
    if not keys:
        return {}
    try:
        return {name.removeprefix("vector:"): found for name, found in cache.get_many(map(_name, keys)).items()}
    except CACHE_AWAY:
        return None


def _write(vectors: Mapping[str, bytes]) -> None:
    every = list(vectors.items())
    try:
        for at in range(0, len(every), _PER_WRITE):
            cache.set_many({_name(key): vector for key, vector in every[at : at + _PER_WRITE]}, timeout=KEPT_SECONDS)
    except CACHE_AWAY:  # they are computed again
        return


def _name(key: str) -> str:
    return f"vector:{key}"
