"""Decides which providers serve a purpose, and in what order.

If the workspace's release specifies connections, they are used; otherwise, the settings decide. No model is named here.
Each event loop has its own objects, because a client belongs to the loop that created it.
"""

import asyncio
import logging
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import translation
from django.utils.module_loading import import_string
from django.utils.translation import gettext

from supportbot.accounts.scope import scoped_workspace_id
from supportbot.async_db import db
from supportbot.llm.call_settings import is_remote_configured
from supportbot.llm.connections import Server, servers
from supportbot.llm.errors import ModelMisconfigured, ModelUnavailable
from supportbot.llm.ports import EmbeddingProvider, Provider
from supportbot.llm.release_routes import BUILTIN, BUILTIN_PURPOSES, ENVIRONMENT
from supportbot.llm.types import Purpose
from supportbot.releases.selectors import current, known, last_known

if TYPE_CHECKING:
    from supportbot.llm.providers.openai import Client

logger = logging.getLogger(__name__)

# Without OPENAI_MODEL, the server must name its only model within this time. After a failure, it is asked again only
# occasionally, not for each call.
NAME_SECONDS = 5.0
ASK_AGAIN_SECONDS = 10.0
# An answer in progress may still be using the client of a changed connection.
CLOSE_AFTER_SECONDS = 180.0

# Tests set their own providers (supportbot.llm.testing) for all purposes that are on by default, and for the second
# look, which this switches on.
override: Sequence[Provider] | None = None
override_verify: Sequence[Provider] | None = None


def has_route(purpose: Purpose) -> bool:
    """Return whether a purpose has a route according to the settings, without loading or calling anything."""
    if purpose == "embed":
        return bool(settings.OPENAI_EMBEDDING_MODEL)
    if purpose == "verify":
        if override is not None:
            return bool(override_verify)
        return bool(_named(purpose)) or (bool(settings.OPENAI_VERIFY_MODEL) and is_remote_configured())
    return override is not None or bool(_named(purpose)) or purpose in BUILTIN_PURPOSES or is_remote_configured()


def _named(purpose: Purpose) -> tuple[str, ...]:
    """Return the connections that the newest known release specifies for a purpose. Makes no database query."""
    release = last_known()
    return () if release is None else release.document.routes.get(purpose, ())


def builtin_provider() -> Provider:
    """Return a new built-in answerer. It belongs to a higher-level package, so a setting specifies its class."""
    provider: Provider = import_string(settings.LLM_BUILTIN_PROVIDER)()
    return provider


class Routes:
    """The providers of one event loop. Each is created on first use."""

    def __init__(self) -> None:
        self._builtin = builtin_provider()
        self._client: Client | None = None
        self._remote: Provider | None = None
        self._verifier: Provider | None = None
        self._embeddings: EmbeddingProvider | None = None
        self._by_connection: dict[str, tuple[Server, Provider]] = {}
        self._embeddings_at: dict[str, tuple[Server, EmbeddingProvider]] = {}
        self._closing: dict[asyncio.Task[None], Provider | EmbeddingProvider] = {}
        self._asks_again_at = 0.0
        self._unnamed = ""  # the reason why the server's model is unknown

    async def for_purpose(self, purpose: Purpose) -> Sequence[Provider]:
        """Return the primary provider, then its fallbacks.

        Raises ModelUnavailable if nothing serves the purpose, and ModelMisconfigured if its model is not known.
        """
        named = await self._release_routes(purpose) if override is None else ()
        if named:
            return named
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
                logger.warning("the built-in answerer answers instead: %s", error.message)
        if not routes:
            raise ModelUnavailable(gettext("No model serves “{purpose}”: set OPENAI_MODEL.").format(purpose=purpose))
        return routes

    def embeddings(self) -> EmbeddingProvider:
        """Return the embedding provider. Raises ModelUnavailable if OPENAI_EMBEDDING_MODEL is not set."""
        model = getattr(settings, "OPENAI_EMBEDDING_MODEL", "")
        if not model:
            raise ModelUnavailable(
                gettext("No model serves embeddings: set OPENAI_EMBEDDING_MODEL, or KB_EMBEDDER=packaged.")
            )
        if self._embeddings is None:
            from supportbot.llm.providers.openai import OpenAIEmbeddings

            self._embeddings = OpenAIEmbeddings(self._shared_client(), model=model)
        return self._embeddings

    async def embeddings_at(self, server: Server) -> EmbeddingProvider:
        """Return the embedding provider for a connection in its current state. After a change, it gets a new client.

        Raises ModelUnavailable if this is the environment's connection and the variables specify no embedding model.
        """
        if server.id == ENVIRONMENT:
            await asyncio.to_thread(import_module, "supportbot.llm.providers.openai")
            return self.embeddings()
        held = self._embeddings_at.get(server.id)
        if held is not None and held[0] == server:
            return held[1]
        await asyncio.to_thread(import_module, "supportbot.llm.providers.guarded")
        from supportbot.llm.providers.guarded import ConnectedEmbeddings

        if held is not None:
            self._retire(held[1])
        provider = ConnectedEmbeddings(server)
        self._embeddings_at[server.id] = (server, provider)
        return provider

    async def _release_routes(self, purpose: Purpose) -> Sequence[Provider]:
        """Return the providers for the routes in the workspace's release. Return none if the release leaves the choice
        to the installation.

        The built-in answerer comes last if it can serve the purpose, so that customers always get an answer.
        """
        if scoped_workspace_id() is None:
            return ()
        release = known()
        if release is None:
            release = await db(current)
        names = release.document.routes.get(purpose, ())
        if not names:
            return ()
        found = [provider for name in names if (provider := await self._provider_named(name)) is not None]
        if purpose in BUILTIN_PURPOSES and self._builtin not in found:
            found.append(self._builtin)
        if not found:
            raise ModelUnavailable(gettext("No connection serves “{purpose}”.").format(purpose=purpose))
        return found

    async def _provider_named(self, name: str) -> Provider | None:
        if name == BUILTIN:
            return self._builtin
        if name == ENVIRONMENT:
            try:
                return await self._openai() if is_remote_configured() else None
            except ModelMisconfigured as error:
                logger.warning("the environment's connection is left out: %s", error.message)
                return None
        server = (await db(servers)).get(name)
        return None if server is None else await self._connected(server)

    async def _connected(self, server: Server) -> Provider:
        """Return the provider for a connection in its current state. After a change, it gets a new client."""
        held = self._by_connection.get(server.id)
        if held is not None and held[0] == server:
            return held[1]
        await asyncio.to_thread(import_module, "supportbot.llm.providers.guarded")
        from supportbot.llm.providers.guarded import ConnectedProvider

        if held is not None:
            self._retire(held[1])
        provider = ConnectedProvider(server)
        self._by_connection[server.id] = (server, provider)
        return provider

    def _retire(self, provider: Provider | EmbeddingProvider) -> None:
        async def close() -> None:
            await asyncio.sleep(CLOSE_AFTER_SECONDS)
            await provider.close()

        closing = asyncio.get_running_loop().create_task(close())
        self._closing[closing] = provider
        closing.add_done_callback(lambda done: self._closing.pop(done, None))

    async def close(self) -> None:
        """Close the connections. Only the loop that opened them may do so."""
        for closing in tuple(self._closing):
            closing.cancel()
        for provider in (
            *self._closing.values(),
            *(provider for _, provider in self._by_connection.values()),
            *(provider for _, provider in self._embeddings_at.values()),
        ):
            await provider.close()
        self._closing.clear()
        self._by_connection.clear()
        self._embeddings_at.clear()
        if self._client is not None:
            await self._client.close()
        self._client = self._remote = self._verifier = self._embeddings = None

    async def _verifying(self) -> Sequence[Provider]:
        """Return the model for the second look, which has no fallback."""
        if not has_route("verify"):
            raise ModelUnavailable(gettext("No model is configured for second looks: set OPENAI_VERIFY_MODEL."))
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
        # This takes half a second, or many seconds on a busy machine. In the loop, every chat and lease would have to
        # wait.
        await asyncio.to_thread(import_module, "supportbot.llm.providers.openai")
        from supportbot.llm.providers.openai import OpenAIProvider

        return OpenAIProvider(self._shared_client(), model=model or await self._only_model())

    async def _only_model(self) -> str:
        """Return the name of the server's only model.

        Raises ModelMisconfigured as long as the server does not name it. The error's text is in English, because it is
        logged, and reused in later calls for readers of other languages.
        """
        from supportbot.llm.operator_model import resolve_model

        now = asyncio.get_running_loop().time()
        if now < self._asks_again_at:
            raise ModelMisconfigured(self._unnamed)
        try:
            with translation.override("en"):
                async with asyncio.timeout(NAME_SECONDS):
                    return await resolve_model()
        except ModelMisconfigured as error:
            self._asks_again_at, self._unnamed = now + ASK_AGAIN_SECONDS, error.message
            raise
        except TimeoutError as error:
            self._asks_again_at = now + ASK_AGAIN_SECONDS
            self._unnamed = f"OPENAI_MODEL is not set and the server did not list its models in {NAME_SECONDS:.0f} s."
            raise ModelMisconfigured(self._unnamed) from error

    def _shared_client(self) -> "Client":
        if self._client is None:
            from supportbot.llm.providers.openai import make_client

            self._client = make_client(api_key=settings.OPENAI_API_KEY, base_url=settings.OPENAI_BASE_URL)
        return self._client
