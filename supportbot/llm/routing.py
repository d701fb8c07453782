"""Which providers serve which purpose, in which order.

The operator's settings alone decide; no model is named here. Objects are made per event loop, since a client is bound
to the loop that made it.
"""

import asyncio
import logging
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.module_loading import import_string

from supportbot.llm.errors import ModelMisconfigured, ModelUnavailable
from supportbot.llm.ports import EmbeddingProvider, Provider
from supportbot.llm.remote import is_remote_configured
from supportbot.llm.types import Purpose

if TYPE_CHECKING:
    from openai import AsyncOpenAI

logger = logging.getLogger(__name__)

# A server whose only model is to be taken names it in this time, or is asked again after a pause, not by each call.
NAME_SECONDS = 5.0
ASK_AGAIN_SECONDS = 10.0
# What the built-in answerer can do without a model. Judging takes one.
BUILTIN_PURPOSES = frozenset({"answer", "summarise", "rewrite"})

# Tests put their own providers here (supportbot.llm.testing): for every purpose that is on to begin with, and for the
# second look, which they switch on by it.
override: Sequence[Provider] | None = None
override_verify: Sequence[Provider] | None = None


def has_route(purpose: Purpose) -> bool:
    """Return whether a purpose has a route, as the settings say; nothing is loaded or asked for that."""
    if purpose == "embed":
        return bool(settings.OPENAI_EMBEDDING_MODEL)
    if purpose == "verify":
        return (
            bool(override_verify)
            if override is not None
            else bool(settings.OPENAI_VERIFY_MODEL) and is_remote_configured()
        )
    return override is not None or purpose in BUILTIN_PURPOSES or is_remote_configured()


def builtin_provider() -> Provider:
    """Return a new built-in answerer: it stands above this room, which knows it by its setting alone."""
    provider: Provider = import_string(settings.LLM_BUILTIN_PROVIDER)()
    return provider


class Routes:
    """The providers of one event loop, each made when it is first needed."""

    def __init__(self) -> None:
        self._builtin = builtin_provider()
        self._client: AsyncOpenAI | None = None
        self._remote: Provider | None = None
        self._verifier: Provider | None = None
        self._embeddings: EmbeddingProvider | None = None
        self._asks_again_at = 0.0
        self._unnamed = ""  # why the server's model is not known

    async def for_purpose(self, purpose: Purpose) -> Sequence[Provider]:
        """Return the primary and its fallbacks, best first.

        Raises ModelUnavailable if nothing serves the purpose, ModelMisconfigured if that is a model nobody has named.
        """
        if purpose == "verify":
            return await self._verifying()
        if override is not None:
            return override
        routes: list[Provider] = [self._builtin] if purpose in BUILTIN_PURPOSES else []
        if is_remote_configured():
            try:
                routes.insert(0, await self._openai())
            except ModelMisconfigured as error:
                if not routes:
                    raise
                logger.warning("the built-in answerer stands in: %s", error.message)
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
        self._client = self._remote = self._verifier = self._embeddings = None

    async def _verifying(self) -> Sequence[Provider]:
        """Return the second look's model; nothing stands in for it."""
        if not has_route("verify"):
            raise ModelUnavailable("No model takes a second look: set OPENAI_VERIFY_MODEL.")
        if override_verify is not None:
            return override_verify
        if self._verifier is None:
            self._verifier = await self._provider_of(settings.OPENAI_VERIFY_MODEL)
        return (self._verifier,)

    async def _openai(self) -> Provider:
        if self._remote is None:
            self._remote = await self._provider_of(settings.OPENAI_MODEL)
        return self._remote

    async def _provider_of(self, model: str) -> Provider:
        # Half a second of a core, many on a busy machine: in the loop every chat and every lease would wait for it.
        await asyncio.to_thread(import_module, "supportbot.llm.providers.openai")
        from supportbot.llm.providers.openai import OpenAIProvider

        return OpenAIProvider(self._shared_client(), model=model or await self._only_model())

    async def _only_model(self) -> str:
        """Return what the server calls its only model. Raises ModelMisconfigured while it does not say."""
        from supportbot.llm.probe import resolve_model

        now = asyncio.get_running_loop().time()
        if now < self._asks_again_at:
            raise ModelMisconfigured(self._unnamed)
        try:
            async with asyncio.timeout(NAME_SECONDS):
                return await resolve_model()
        except ModelMisconfigured as error:
            self._asks_again_at, self._unnamed = now + ASK_AGAIN_SECONDS, error.message
            raise
        except TimeoutError as error:
            self._asks_again_at = now + ASK_AGAIN_SECONDS
            self._unnamed = f"OPENAI_MODEL is not set and the server did not list its models in {NAME_SECONDS:.0f} s."
            raise ModelMisconfigured(self._unnamed) from error

    def _shared_client(self) -> "AsyncOpenAI":
        if self._client is None:
            from supportbot.llm.providers.openai import make_client

            self._client = make_client(api_key=settings.OPENAI_API_KEY, base_url=settings.OPENAI_BASE_URL)
        return self._client
