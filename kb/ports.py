"""What the knowledge room needs from outside: something that turns text into vectors, and how messages are read.

The settings `KB_EMBEDDER` and `KB_ASKING` name them, so that this room knows neither a model provider nor a chat.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from kb.access import Viewer
    from kb.search.passages import Retrieval

SHORT_NAMES = {
    "packaged": "kb.embedders.packaged.PackagedEmbedder",
    "openai": "supportbot.llm.embedding.GatewayEmbedder",
}


@dataclass(frozen=True, slots=True)
class RecipeSpec:
    """All that decides what a vector means. Two recipes that differ in anything never share an index.

    `name` is unique for the whole recipe (model, version, dimensions, prefixes), since hashes of content include it.
    """

    name: str
    model: str
    dimensions: int
    is_normalised: bool = True
    query_prefix: str = ""
    passage_prefix: str = ""


class Embedder(Protocol):
    """Turns text into vectors of one recipe. Both methods raise EmbeddingUnavailable if the model does not answer."""

    @property
    def recipe(self) -> RecipeSpec: ...

    def query(self, text: str) -> list[float]:
        """Return the vector of a question."""

    def passages(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector a text, in the order given."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message before a question: the customer's, or an answer to it."""

    text: str
    is_customer: bool


class Asking(Protocol):
    """Searches for a customer's message as the product does: in parts, put right, with what was said before it."""

    def __call__(self, question: str, *, viewer: "Viewer", said_before: Sequence[Said], limit: int) -> "Retrieval":
        """Return up to `limit` passages, best first."""


def asking() -> Asking:
    """Return how customers' messages are searched for, as `KB_ASKING` names it."""
    found: Asking = import_string(settings.KB_ASKING)
    return found


def embedder() -> Embedder:
    """Return this process's embedder as `KB_EMBEDDER` names it; loading a model twice would cost its memory twice."""
    return _load(settings.KB_EMBEDDER)


@cache
def _load(name: str) -> Embedder:
    factory = import_string(SHORT_NAMES.get(name, name))
    loaded: Embedder = factory()
    return loaded
