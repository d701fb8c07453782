"""Interfaces that the knowledge base needs from other packages: an embedder, the search for a customer's message, the
audit trail.

The settings `KB_EMBEDDER`, `KB_ROUTED_EMBEDDER`, `KB_CONVERSATION_SEARCH` and `KB_AUDIT` name them, so this package
depends on neither a model provider nor a chat.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from kb.errors import GatesRefuse

if TYPE_CHECKING:
    from kb.access import Viewer
    from kb.search.passages import Retrieval
    from kb.validation import ArticleText

SHORT_NAMES = {
    "packaged": "kb.embedders.packaged.PackagedEmbedder",
    "openai": "supportbot.llm.embeddings.gateway_embedder.GatewayEmbedder",
}


@dataclass(frozen=True, slots=True)
class RecipeSpec:
    """Everything that determines what a vector means. Two different recipes never share an index.

    `name` is unique for the whole recipe (model, version, dimensions, prefixes), since content hashes include it.
    """

    name: str
    model: str
    dimensions: int
    is_normalised: bool = True
    query_prefix: str = ""
    passage_prefix: str = ""


class Embedder(Protocol):
    """A model that turns text into vectors of one recipe. Both methods raise EmbeddingUnavailable if the model is not
    responding.
    """

    @property
    def recipe(self) -> RecipeSpec: ...

    def query(self, text: str) -> list[float]:
        """Return the vector of a question."""

    def passages(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector per text, in the given order."""


@dataclass(frozen=True, slots=True)
class EarlierMessage:
    """An earlier message of the conversation: the customer's, or an answer."""

    text: str
    is_customer: bool


class ConversationSearch(Protocol):
    """The product's search for a customer's message: in parts, with spelling corrected, in its context."""

    def __call__(
        self, question: str, *, viewer: "Viewer", earlier_messages: Sequence[EarlierMessage], limit: int
    ) -> "Retrieval":
        """Return up to `limit` passages, best first."""


def conversation_search() -> ConversationSearch:
    """Return the search for customers' messages that `KB_CONVERSATION_SEARCH` names."""
    found: ConversationSearch = import_string(settings.KB_CONVERSATION_SEARCH)
    return found


@dataclass(frozen=True, slots=True)
class ChangedContent:
    """The new content of a changed article; it decides which cases are run."""

    wording: "ArticleText"
    locale: str
    phrasings: tuple[str, ...] = ()  # in addition to the stored ones


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gates' result for a change: the cases it would break, with their reasons, and how many were not run."""

    broken: tuple[str, ...] = ()
    untried: int = 0


class Gates(Protocol):
    """The function that runs the gate cases against a change to articles. Without gates, its verdict is empty."""

    def __call__(
        self, change: Callable[[], object], touched: Mapping[str, ChangedContent], *, seconds: float
    ) -> Verdict:
        """Return the verdict on a change. `touched` has the new contents by external id. Cases that are not run within
        `seconds` are left out.

        Raises whatever `change` raises.
        """


def verdict_on(change: Callable[[], object], touched: Mapping[str, ChangedContent], *, seconds: float) -> Verdict:
    """Return the verdict of the gates named by `KB_GATES` on a change, which is rolled back. Raises GatesRefuse."""
    gates: Gates = import_string(settings.KB_GATES)
    verdict = gates(change, touched, seconds=seconds)
    if verdict.broken:
        raise GatesRefuse(verdict.broken)
    return verdict


class PublicationReporter(Protocol):
    """The function that reports how publishing articles has changed the answers to customers' questions; a worker may
    still be comparing them.
    """

    def __call__(self, article_ids: Sequence[UUID], since: datetime, until: datetime) -> dict[str, Any]:
        """Return `state` ("waiting", "running", "done", "cancelled" or "none"), counts, and the `address` of a page."""


def afterwards(article_ids: Sequence[UUID], since: datetime, until: datetime) -> dict[str, Any]:
    """Return the report of `KB_AFTERWARDS` about articles published between these times."""
    found: PublicationReporter = import_string(settings.KB_AFTERWARDS)
    return found(article_ids, since, until)


class Audit(Protocol):
    """The function that adds an entry to the workspace's audit trail, in the transaction of the change."""

    def __call__(self, event: str, *, actor: str, **payload: str | int | bool) -> None: ...


def audit(event: str, *, actor: str, **payload: str | int | bool) -> None:
    """Add an entry to the audit trail, with the function that `KB_AUDIT` names."""
    record: Audit = import_string(settings.KB_AUDIT)
    record(event, actor=actor, **payload)


class RoutedEmbedders(Protocol):
    """The function that finds the servers that the console configures for a recipe."""

    def __call__(self, recipe: RecipeSpec) -> Embedder:
        """Return an embedder with the servers configured now. Raises EmbeddingUnavailable if none are configured."""


def embedder() -> Embedder:
    """Return the embedder that `KB_EMBEDDER` names, one per process, since each would load the model into memory.

    The index may use a different one, chosen in the console (`kb.indexing.recipes.embedder_in_use`).
    """
    return _load(settings.KB_EMBEDDER)


def packaged_embedder() -> Embedder:
    """Return the embedder that ships with the product, regardless of `KB_EMBEDDER`."""
    return _load("packaged")


def routed_embedder(recipe: RecipeSpec) -> Embedder:
    """Return the embedder of a recipe whose vectors come from servers, using `KB_ROUTED_EMBEDDER`."""
    found: RoutedEmbedders = import_string(settings.KB_ROUTED_EMBEDDER)
    return found(recipe)


@cache
def _load(name: str) -> Embedder:
    factory = import_string(SHORT_NAMES.get(name, name))
    loaded: Embedder = factory()
    return loaded
