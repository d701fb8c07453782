"""The vectors that the checks need.

The vectors of sentences and of windows of the sources come from the packaged embedder, whatever `KB_EMBEDDER` says,
because the weights of the checks were fitted to it. The vectors of sentences read together with records or pages come
from the same model with different layers. If the model is not installed, there are no vectors, and the checks use only
words.
"""

import threading
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Final

from kb.embedders.packaged import RECIPE, FineTunedModel, PackagedEmbedder
from kb.errors import EmbeddingUnavailable
from kb.ports import embedder
from supportbot.assistant.checked_stream import CheckedStream
from supportbot.assistant.checks.cross_encoders import MODELS, Model, ModelInput, Vector, Wanted, layers_of

_loading: Final = threading.Lock()
_CACHE_SIZE: Final = 2_048  # vectors, mainly of windows of sources, 3 kB each; customers ask about few articles


def vectors_of(texts: Sequence[Wanted]) -> Mapping[Wanted, Vector]:
    """Return the vectors of texts, which are embedded as questions; empty if the packaged embedder is unavailable."""
    try:
        return {text: _vector(text) for text in texts}
    except EmbeddingUnavailable:
        return {}


@lru_cache(maxsize=_CACHE_SIZE)
def _vector(text: Wanted) -> Vector:
    return _model(text.model).query(text.text) if isinstance(text, ModelInput) else tuple(_packaged().query(text))


def _model(name: Model) -> FineTunedModel:
    with _loading:  # turns call this from several threads, and an engine must not be loaded twice at the same time
        return _loaded(name)


@cache
def _loaded(name: Model) -> FineTunedModel:
    return FineTunedModel(layers_of(name).weights)


@cache
def _packaged() -> PackagedEmbedder:
    used = embedder()
    return used if used.recipe == RECIPE and isinstance(used, PackagedEmbedder) else PackagedEmbedder()


def load() -> None:
    """Load the models of the checks if the packaged embedder is available, so that the first answer does not have to
    wait.
    """
    vectors_of(["ready", *(ModelInput("ready", model) for model in MODELS)])


def settle(streamed: CheckedStream) -> str:
    """Give a streamed answer the vectors that it needs until it needs no more. Return the text that may then be
    shown.
    """
    shown = ""
    while texts := streamed.unsure:
        shown += streamed.weigh(vectors_of(texts))
    return shown
