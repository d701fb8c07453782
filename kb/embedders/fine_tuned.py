"""The packaged model with different weights in some of its layers: a fine-tuned model in a few megabytes."""

from kb.embedders.model_file import Weights
from kb.embedders.packaged import PackagedEmbedder, question_slot, readable


class FineTunedModel:
    """A copy of the packaged model in which the tensors in `weights` replace those with the same names.

    Raises `EmbeddingUnavailable` if the packaged model is not installed, or if a tensor's name or size does not fit it.
    """

    def __init__(self, weights: Weights) -> None:
        self._engine = PackagedEmbedder().load().with_weights(weights)

    def query(self, text: str) -> tuple[float, ...]:
        """Return the vector of a question: RECIPE.dimensions numbers, normalised to length 1."""
        with question_slot():
            vector = self._engine.query(readable(text))
        return tuple(vector.tolist())
