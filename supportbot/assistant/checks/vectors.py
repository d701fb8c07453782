"""The vectors the checks ask for, made by the packaged embedder: of sentences, and of windows of the sources.

They are of the packaged model whatever `KB_EMBEDDER` says, since the weights of the checks were fitted to it. Where it
is not installed there are none, and the checks go by words alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice
from typing import Any, Final, Protocol

import numpy as np

from kb.embedders.packaged import RECIPE, PackagedEmbedder
from kb.errors import EmbeddingUnavailable
from kb.ports import embedder
from kb.search import Passage
from supportbot.assistant.checks.deeds import Vector
from supportbot.language.sentences import sentences_of

_REMEMBERED: Final = 2_048  # sentences of sources, 3 kB each; the articles that are asked for are few
_MOST_WINDOWS: Final = 24  # of all sources of one answer
_WINDOW: Final = 2  # sentences, so that "it" has its noun beside it


def vectors_of(texts: Sequence[str]) -> Mapping[str, Vector]:
    """Return the vectors of texts as questions; none of them where the packaged embedder cannot be had."""
    try:
        return {text: _vector(text) for text in texts}
    except EmbeddingUnavailable:
        return {}


def nearness_to(passages: Sequence[Passage]) -> Callable[[Vector], float]:
    """Return what tells the cosine of a vector with the nearest window of these passages; windows are made once."""

    @cache
    def windows() -> Any:
        texts = list(islice(_windows(passages), _MOST_WINDOWS))
        made = np.array(list(vectors_of(texts).values()), dtype=np.float32)
        return made / np.linalg.norm(made, axis=1, keepdims=True) if len(made) else None

    def nearness(vector: Vector) -> float:
        own = np.asarray(vector, dtype=np.float32)
        return 0.0 if windows() is None else float((windows() @ own).max() / np.linalg.norm(own))

    return nearness


def _windows(passages: Sequence[Passage]) -> Iterator[str]:
    for passage in passages:
        said = [sentence.strip() for sentence in sentences_of(passage.text) if sentence.strip()]
        for at in range(0, max(1, len(said) - 1), _WINDOW - 1):
            yield f"{passage.title}: {' '.join(said[at : at + _WINDOW])}"


@lru_cache(maxsize=_REMEMBERED)
def _vector(text: str) -> Vector:
    return tuple(_packaged().query(text))


@cache
def _packaged() -> PackagedEmbedder:
    used = embedder()
    return used if used.recipe == RECIPE and isinstance(used, PackagedEmbedder) else PackagedEmbedder()


class Asking(Protocol):
    """A draft, as far as it asks for vectors."""

    @property
    def unsure(self) -> tuple[str, ...]: ...

    def weigh(self, vectors: Mapping[str, Vector]) -> str: ...


def settle(draft: Asking) -> str:
    """Give a draft the vectors that it asks for, until it asks for none; return what may be shown because of them."""
    shown = ""
    while texts := draft.unsure:
        shown += draft.weigh(vectors_of(texts))
    return shown
