"""The vectors that the checks need: of sentences and of windows of the sources. They always come from the packaged
embedder, whatever `KB_EMBEDDER` says, since the weights of the checks were fitted to it. If it is not installed, there
are none, and the checks use words alone.
"""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Final

from kb.embedders.packaged import RECIPE, PackagedEmbedder
from kb.errors import EmbeddingUnavailable
from kb.ports import embedder
from supportbot.assistant.checks.deeds import Vector
from supportbot.assistant.drafting import Draft

_CACHE_SIZE: Final = 2_048  # windows of sources, 3 kB each; customers ask about few articles


def vectors_of(texts: Sequence[str]) -> Mapping[str, Vector]:
    """Return the vectors of texts as questions; empty if the packaged embedder is unavailable."""
    try:
        return {text: _vector(text) for text in texts}
    except EmbeddingUnavailable:
        return {}


@lru_cache(maxsize=_CACHE_SIZE)
def _vector(text: str) -> Vector:
    return tuple(_packaged().query(text))


@cache
def _packaged() -> PackagedEmbedder:
    used = embedder()
    return used if used.recipe == RECIPE and isinstance(used, PackagedEmbedder) else PackagedEmbedder()


def settle(draft: Draft) -> str:
    """Give a draft vectors until it needs no more; return what may then be shown."""
    shown = ""
    while texts := draft.unsure:
        shown += draft.weigh(vectors_of(texts))
    return shown
