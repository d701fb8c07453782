"""A scripted model server that the real SDK calls, and requests for it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest
import pytest_asyncio

from supportbot import async_db
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.ids import uuid7
from supportbot.llm import gateway
from supportbot.llm.breaker import forget_failures
from supportbot.llm.models import LLMCall
from supportbot.llm.providers import openai as _loaded  # noqa: F401  # loading it takes longer than some deadlines
from supportbot.llm.types import ChatMessage, ModelEvent, ModelRequest, Restarted, Source, TextDelta
from supportbot.releases.document import Document
from supportbot.releases.testing import answering_by
from tests.modelserver import ModelServer
from tests.patience import PATIENCE_SECONDS

BUILTIN_ANSWER = "You can return unused items within 60 days. [1]"


@pytest.fixture(autouse=True)
def closed_breakers() -> Iterator[None]:
    forget_failures()
    yield
    forget_failures()


@pytest_asyncio.fixture
async def server(settings: Any) -> AsyncIterator[ModelServer]:
    """The scripted server, configured as the operator's."""
    async with ModelServer() as running:
        settings.OPENAI_BASE_URL = running.base_url
        settings.OPENAI_API_KEY = "sk-test"
        settings.OPENAI_MODEL = "scripted"
        settings.MODEL_DEADLINE_SECONDS = settings.LLM_VERIFY_DEADLINE_SECONDS = PATIENCE_SECONDS
        settings.LLM_FIRST_TOKEN_SECONDS = settings.LLM_GAP_SECONDS = PATIENCE_SECONDS
        yield running
        await gateway.close()


@pytest.fixture
def stored(transactional_db: None, workspace: Workspace) -> Callable[[], Any]:
    """Return the rows of calls, once pending records have been written."""

    async def rows() -> list[LLMCall]:
        await gateway.close()
        return await async_db.db(lambda: list(LLMCall.objects.order_by("started_at")))

    return rows


@pytest.fixture
def unstored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use a scope without a database in tests of streams, since emptying all tables takes longer than they do."""
    monkeypatch.setattr("supportbot.llm.call_record.save_calls", lambda records, reservations=(): None)
    nowhere = uuid7()
    with workspace_scope(nowhere), answering_by(Document(), workspace_id=nowhere):
        yield


@pytest.fixture
def ask() -> Callable[..., ModelRequest]:
    """Make a request that any model and the built-in answerer can answer."""
    source = Source(1, "Returns", "You can return unused items within 60 days.", "en")

    def make(question: str = "How long can I return items?", **changes: Any) -> ModelRequest:
        values: dict[str, Any] = {
            "purpose": "answer",
            "messages": (ChatMessage("system", "Answer."), ChatMessage("user", question)),
            "question": question,
            "sources": (source,),
        }
        return ModelRequest(**(values | changes))

    return make


async def read(request: ModelRequest, **options: Any) -> list[ModelEvent]:
    """Return every event of one stream."""
    async with aclosing(gateway.stream(request, **options)) as events:
        return [event async for event in events]


def text_of(events: list[Any]) -> str:
    """Return the final text of a reader that handles `Restarted`."""
    text = ""
    for event in events:
        if isinstance(event, Restarted):
            text = ""
        elif isinstance(event, TextDelta):
            text += event.text
    return text
