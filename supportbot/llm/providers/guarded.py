"""Models at addresses that people have entered: each request is sent only to a checked IP address."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import httpx2

from supportbot.llm.connections import Server
from supportbot.llm.ports import ProviderEvent
from supportbot.llm.providers.openai import CONNECT_SECONDS, Client, OpenAIEmbeddings, OpenAIProvider
from supportbot.llm.providers.transport import Transport
from supportbot.llm.types import ModelRequest
from supportbot.outbound.errors import NotSent
from supportbot.outbound.targets import checked_target


class CheckedTransport(Transport):
    """Resolves a name once, checks all of its addresses, and connects to one of them, so that a DNS change in between
    has no effect.
    """

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            target = await asyncio.to_thread(checked_target, str(request.url), seconds=CONNECT_SECONDS)
        except NotSent as error:
            raise httpx2.ConnectError(error.why, request=request) from error
        # The Host header has already been set from the name, and TLS also checks the certificate against the name.
        request.url = request.url.copy_with(host=target.addresses[0])
        request.extensions = {**request.extensions, "sni_hostname": target.endpoint.host}
        return await super().handle_async_request(request)


class ConnectedProvider(OpenAIProvider):
    """A model reached through a workspace's connection."""

    def __init__(self, server: Server) -> None:
        super().__init__(_client(server), model=server.model, name=server.name)
        self.identity = server.id  # the key of its breaker
        self.price = server.price
        self._server = server

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Yield the events of an answer. If the request sets no parameters, the connection's are used."""
        temperature = self._server.temperature if request.temperature is None else request.temperature
        most = min(request.max_output_tokens, self._server.max_output_tokens or request.max_output_tokens)
        async for event in super().stream(replace(request, temperature=temperature, max_output_tokens=most)):
            yield event


class ConnectedEmbeddings(OpenAIEmbeddings):
    """An embedding model reached through one of the installation's connections."""

    def __init__(self, server: Server) -> None:
        super().__init__(_client(server), model=server.model, name=server.name)
        self.identity = server.id  # the key of its breaker
        self.price = server.price


def _client(server: Server) -> Client:
    http_client = httpx2.AsyncClient(transport=CheckedTransport(), follow_redirects=False, trust_env=False)
    return Client(http_client, api_key=server.key, base_url=server.base_url)
