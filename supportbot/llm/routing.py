"""Which providers serve which purpose, in which order.

The operator's settings alone decide; no model is named here. Objects are made per event loop, since a client is bound
to the loop that made it.
"""

import asyncio
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from django.conf import settings

from supportbot.llm.errors import ModelUnavailable
from supportbot.llm.ports import EmbeddingProvider, Provider
from supportbot.llm.providers.builtin import BuiltinProvider
from supportbot.llm.remote import is_remote_configured
from supportbot.llm.types import Purpose

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# What the built-in answerer can do without a model. Judging takes one.
BUILTIN_PURPOSES = frozenset({"answer", "summarise", "rewrite"})

# Tests put their own providers here (supportbot.llm.testing); it replaces every route.
override: Sequence[Provider] | None = None


class Routes:
    """The providers of one event loop, each made when it is first needed."""

    def __init__(self) -> None:
        self._builtin = BuiltinProvider()
        self._client: AsyncOpenAI | None = None
        self._remote: Provider | None = None
        self._embeddings: EmbeddingProvider | None = None

    async def for_purpose(self, purpose: Purpose) -> Sequence[Provider]:
        """Return the primary and its fallbacks, best first. Raises ModelUnavailable if nothing serves the purpose."""
        if override is not None:
            return override
        routes: list[Provider] = []
        if is_remote_configured():
            routes.append(await self._openai())
        if purpose in BUILTIN_PURPOSES:
            routes.append(self._builtin)
        if not routes:
            raise ModelUnavailable(f"No model serves {purpose!r}: set OPENAI_MODEL.")
        return routes

    def embeddings(self) -> EmbeddingProvider:
        """Return the provider of vectors. Raises ModelUnavailable without OPENAI_EMBEDDING_MODEL."""
        model = getattr(settings, "OPENAI_EMBEDDING_MODEL", "")
        if not model:
            raise ModelUnavailable("No model serves embeddings: set OPENAI_EMBEDDING_MODEL, or KB_EMBEDDER=packaged.")
        if self._embeddings is None:
            from supportbot.llm.providers.openai import OpenAIEmbeddings

            self._embeddings = OpenAIEmbeddings(self._shared_client(), model=model)
        return self._embeddings

    async def close(self) -> None:
        """Close the connections; the loop that made them has to do it."""
        if self._client is not None:
            await self._client.close()
        self._client = self._remote = self._embeddings = None

    async def _openai(self) -> Provider:
        if self._remote is None:
            # Half a second of a core, many on a busy machine: in the loop every chat and every lease would wait for it.
            await asyncio.to_thread(import_module, "supportbot.llm.providers.openai")
            from supportbot.llm.probe import resolve_model
            from supportbot.llm.providers.openai import OpenAIProvider

            model = settings.OPENAI_MODEL or await resolve_model()
            self._remote = OpenAIProvider(self._shared_client(), model=model)
        return self._remote

    def _shared_client(self) -> "AsyncOpenAI":
        if self._client is None:
            from supportbot.llm.providers.openai import make_client

            self._client = make_client(api_key=settings.OPENAI_API_KEY, base_url=settings.OPENAI_BASE_URL)
        return self._client
