"""An embedding model like one that is chosen in the console, articles to embed, and calls that are made meanwhile."""

from collections.abc import Callable, Iterator
from contextvars import copy_context
from threading import Thread
from time import monotonic, sleep

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from kb.access import Viewer
from kb.indexing.models import Recipe
from kb.indexing.recipes import ROUTED, forget_embedder_in_use
from kb.indexing.sync import sync_article
from kb.models import Article
from kb.ports import Embedder, RecipeSpec
from kb.search.retrieval import search
from kb.testing import HashEmbedder
from supportbot.accounts.models import Workspace
from tests.kb.test_index import published
from tests.patience import PATIENCE_SECONDS


class Served(HashEmbedder):
    """An embedder like one that is chosen in the console, with short vectors."""

    recipe = RecipeSpec(name=f"{ROUTED}served:48", model="served", dimensions=48)


_served = Served()


def routed(recipe: RecipeSpec) -> Embedder:
    assert recipe == Served.recipe
    return _served


@pytest.fixture(autouse=True)
def served(settings: Settings) -> Iterator[Served]:
    settings.KB_ROUTED_EMBEDDER = f"{__name__}.routed"
    _served.__init__()  # type: ignore[misc]  # as new
    yield _served
    forget_embedder_in_use()


@pytest.fixture
def row(workspace: Workspace) -> Article:
    made = published()
    sync_article(made.pk)
    return made


@pytest.fixture
def town_articles(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    """Create articles that take four commits, two of which are computed at the same time; return their number."""
    monkeypatch.setattr("kb.indexing.embedding.CHUNKS_PER_COMMIT", 2)
    for number in range(8):
        sync_article(published(f"Delivery to town {number} takes {number} days.", title=f"Town {number}").pk)
    return 8


def found() -> set[str]:
    return {passage.title for passage in search("delivery", viewer=Viewer()).passages}


def used() -> str:
    return Recipe.objects.get(is_active=True).name


def elsewhere(do: Callable[[], object]) -> object:
    """Return the result or error of a call in another process, with its own database connection."""
    thread, outcomes = beginning(do)
    thread.join(30)
    assert outcomes, "the call waits"
    return outcomes[0]


def beginning(do: Callable[[], object]) -> tuple[Thread, list[object]]:
    """Start a call in another process; return its thread, and the list that will contain its outcome."""
    outcomes: list[object] = []
    context = copy_context()  # contains the workspace scope

    def run() -> None:
        try:
            outcomes.append(do())
        except Exception as error:  # noqa: BLE001  # the test looks at it
            outcomes.append(error)
        finally:
            connection.close()

    thread = Thread(target=lambda: context.run(run))
    thread.start()
    return thread, outcomes


def until(is_true: Callable[[], object]) -> None:
    ends = monotonic() + PATIENCE_SECONDS
    while not is_true():
        assert monotonic() < ends, "the condition was never met"
        sleep(0.02)


def during(monkeypatch: pytest.MonkeyPatch, model: HashEmbedder, do: Callable[[], object]) -> list[object]:
    """Make a call once while a model embeds passages; return the list that will contain its outcome."""
    passages, outcomes = model.passages, []

    def embedding(texts: list[str]) -> list[list[float]]:
        if not outcomes:
            outcomes.append(None)
            outcomes[0] = elsewhere(do)
        return passages(texts)

    monkeypatch.setattr(model, "passages", embedding)
    return outcomes
