"""The packaged model in ONNX Runtime, an optional package (requirements-onnx.txt).

The model is two graphs: fine-tuned models differ only in the upper layers, so all models of a process share the lower
ones. A session must not be used in a fork of the process that created it; no process of the product forks after it has
loaded a model.
"""

from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from django.utils.translation import gettext

from kb.embedders import onnx_graph
from kb.embedders.model_file import Array, ModelFile, Weights, numbers_of, open_model
from kb.embedders.tokenizer import Tokenizer
from kb.errors import EmbeddingUnavailable

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FIRST_UPPER_LAYER: Final = 8  # scripts/layer_training.py trains the layers from here on
QUERY: Final = "query: "
PASSAGE: Final = "passage: "
_ERRORS_ONLY: Final = 3


class OnnxEngine:
    def __init__(self, model: ModelFile, tokenizer: Tokenizer, lower: "InferenceSession", threads: int) -> None:
        self._model, self._tokenizer, self._lower, self._threads = model, tokenizer, lower, threads
        self._words = model.blocks("emb.word")
        positions = model.numbers("emb.pos").reshape(-1, model.sizes.width)
        self._positions = positions + model.numbers("emb.type")[: model.sizes.width]  # all tokens are of type 0
        self._upper = _session(onnx_graph.upper_layers(model, FIRST_UPPER_LAYER), threads)

    @classmethod
    def load(cls, threads: int) -> "OnnxEngine":
        """Raises EmbeddingUnavailable if the model, ONNX Runtime, or one of its operators is missing."""
        model = open_model()
        lower = _session(onnx_graph.lower_layers(model, FIRST_UPPER_LAYER), threads)
        engine = cls(model, Tokenizer(model.vocabulary), lower, threads)
        engine.query("ready")  # some operators are only checked when they run
        return engine

    def query(self, text: str) -> Array:
        return self._vector(QUERY + text)

    def passage(self, text: str) -> Array:
        return self._vector(PASSAGE + text)

    def with_weights(self, weights: Weights) -> "OnnxEngine":
        model = self._model.with_weights(weights)
        lower = self._lower
        if any(not _is_upper(name) for name in weights):
            lower = _session(onnx_graph.lower_layers(model, FIRST_UPPER_LAYER), self._threads)
        return OnnxEngine(model, self._tokenizer, lower, self._threads)

    def _vector(self, text: str) -> Array:
        """Return the vector of a text. If it is longer than the model reads at once, its parts are averaged."""
        pieces, longest = self._tokenizer.pieces(text), self._model.sizes.positions - 2
        parts = [pieces[start : start + longest] for start in range(0, len(pieces), longest)]
        total: Array = np.sum([len(part) * self._mean(part) for part in parts], axis=0)
        normalised: Array = total / np.linalg.norm(total)
        return normalised

    def _mean(self, pieces: list[int]) -> Array:
        """Return the mean of the last layer's states."""
        vocabulary = self._model.vocabulary
        tokens = [vocabulary.first, *pieces, vocabulary.last]
        states = numbers_of(self._words[tokens]) + self._positions[: len(tokens)]
        try:
            (mixed,) = self._lower.run([onnx_graph.OUTPUT], {onnx_graph.INPUT: states[None]})
            (mean,) = self._upper.run([onnx_graph.OUTPUT], {onnx_graph.INPUT: mixed})
        except Exception as error:  # its errors have no common class
            raise _unavailable(error) from error
        found: Array = mean[0]
        return found


def _is_upper(name: str) -> bool:
    layer = name.partition(".")[0]
    return layer.startswith("l") and int(layer[1:]) >= FIRST_UPPER_LAYER


def _session(graph: bytes, threads: int) -> "InferenceSession":
    """Return a graph that is ready to run."""
    try:
        import onnxruntime

        options: Any = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False  # it would keep the memory for the longest text so far
        options.log_severity_level = _ERRORS_ONLY
        # Created from bytes, a session would keep them, as a second copy of the weights.
        with NamedTemporaryFile(suffix=".onnx") as file:
            file.write(graph)
            file.flush()
            return onnxruntime.InferenceSession(file.name, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a missing library, an operator that it does not know: its errors have no common class
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> EmbeddingUnavailable:
    return EmbeddingUnavailable(
        gettext("ONNX Runtime cannot run the packaged embedding model: {error}").format(error=error)
    )
