"""Any OpenAI-compatible server. Its address, headers and errors are handled by the official SDK.

Requests are sent as plain JSON and answers are read as raw bytes: the SDK would process each request and each chunk by
its type, which takes longer than sending and reading them. Importing this module imports the SDK, which takes half a
second, so routing imports it only if a model is configured.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import cached_property
from ssl import SSLError
from time import monotonic
from typing import Any
from urllib.request import getproxies

import httpx2
import openai
import orjson
from openai import AsyncOpenAI, DefaultAioHttpClient

from supportbot.llm.errors import ProviderUnclear, Reason
from supportbot.llm.ports import Embedded, ProviderEvent
from supportbot.llm.providers.chunks import Answer, Garbage, usage_of
from supportbot.llm.providers.context_overflow import is_overflow
from supportbot.llm.providers.missing_features import REFUSES_A_FIELD, Features, simpler
from supportbot.llm.providers.openai_errors import TRANSPORT_ERRORS, provider_errors
from supportbot.llm.providers.sse import MAX_STREAM_BYTES, EventReader, NotAnEventStream, TooLarge
from supportbot.llm.providers.transport import BODY, READ_EVERY_SECONDS, Body, Transport
from supportbot.llm.tokens import estimated_usage
from supportbot.llm.types import Finished, ModelRequest

CONNECT_SECONDS = 5.0
# How long a finished answer waits for its usage figures and the end marker.
TAIL_SECONDS = 2.0
# A read this large may have left data behind, because the server is faster than the reads.
_LONG_READ_BYTES = 8 * 1024
# How long a refusal is remembered. The limit is short because an address may have old and new servers, and servers get
# replaced.
REMEMBERED_SECONDS = 600.0
MAX_EMBEDDINGS_BYTES = 64 * 1024 * 1024
MAX_REFUSAL_BYTES = 64 * 1024


class Client:
    """Sends requests to one server from the running event loop; no other loop may use or close it. It never retries.

    `sdk` is the SDK's client for the same server, used for rare requests; both are closed together.
    """

    def __init__(self, http_client: httpx2.AsyncClient, *, api_key: str, base_url: str) -> None:
        self._http = http_client
        self.sdk = AsyncOpenAI(
            api_key=api_key or "not-needed",  # local servers need no key, but the SDK does
            base_url=base_url or None,
            max_retries=0,
            http_client=http_client,
            # Compression delays a stream, and a few kilobytes may unpack to any size.
            default_headers={"Accept-Encoding": "identity"},
        )

    async def post(self, stack: AsyncExitStack, path: str, body: Mapping[str, Any]) -> httpx2.Response:
        """Return the response to a request before its body has been read. The exit stack closes the response.

        Raises the SDK's APIConnectionError if there is no response, and its APIStatusError if the server refuses the
        request.
        """
        request = self._http.build_request(
            "POST",
            f"{self.sdk.base_url}{path}",
            content=json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(),
            headers=self._headers,
            # The gateway's deadlines end every wait. A time-out per read would have to be set again for each token.
            timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
        )
        try:
            response = await self._http.send(request, stream=True)
        except (httpx2.RequestError, SSLError) as error:
            raise openai.APIConnectionError(request=request) from error
        stack.push_async_callback(response.aclose)
        if not response.is_success:
            raise await _refusal(response)
        return response

    async def close(self) -> None:
        await self.sdk.close()

    @cached_property
    def _headers(self) -> httpx2.Headers:
        known = {**self.sdk.default_headers, **self.sdk.auth_headers}
        return httpx2.Headers({name: value for name, value in known.items() if isinstance(value, str)})


async def _refusal(response: httpx2.Response) -> openai.APIStatusError:
    """Return the error for a refusal, with the server's message and, if it contains one, its code. A body that is too
    long to be a message is ignored.
    """
    try:
        text = (await _body(response, MAX_REFUSAL_BYTES)).decode("utf-8", "replace").strip()
    except TooLarge:
        text = ""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = text
    error = body.get("error", body) if isinstance(body, dict) else body
    message = _message_in(error) or _message_in(body)
    ending = f" - {message}" if message else ""
    return openai.APIStatusError(f"Error code: {response.status_code}{ending}", response=response, body=error)


def _message_in(body: object) -> str:
    """Return the message in a refusal's body, or "". OpenAI puts it in `message`, FastAPI in `detail`; some servers
    send nothing but the message.
    """
    found = body.get("message") or body.get("detail") if isinstance(body, dict) else body
    return found if isinstance(found, str) else ""


def make_client(*, api_key: str, base_url: str) -> Client:
    return Client(_http_client(), api_key=api_key, base_url=base_url)


def _http_client() -> httpx2.AsyncClient:
    if getproxies().keys() & {"http", "https", "all"}:
        return DefaultAioHttpClient()  # knows which addresses to reach through which proxy
    return httpx2.AsyncClient(transport=Transport(), follow_redirects=True)


class OpenAIProvider:
    """Chat completions of one model on one server."""

    is_local = False

    def __init__(self, client: Client, *, model: str, name: str = "openai") -> None:
        self.name = name
        self.model = model
        self.answers_whole = False  # whether the newest answer was not streamed
        self._features = Features()
        self._features_at = 0.0
        self._client = client

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Yield text as it arrives, then complete tool calls, then Finished. Stopping early closes the connection."""
        answer = Answer(max_output_tokens=request.max_output_tokens)
        with provider_errors():
            async with AsyncExitStack() as stack:
                response = await self._ask(stack, request)
                is_whole = response.headers.get("content-type", "").startswith("application/json")
                if is_whole:
                    event = answer.whole(await _body(response, MAX_STREAM_BYTES))
                    if event is not None:
                        yield event
                else:
                    async for event in _events(response, answer):
                        yield event
                self.answers_whole = is_whole
        calls = answer.tool_calls()
        for call in calls:
            yield call
        yield self._finished(request, answer, has_calls=bool(calls))

    async def close(self) -> None:
        await self._client.close()

    async def _ask(self, stack: AsyncExitStack, request: ModelRequest) -> httpx2.Response:
        """Send the request. If the server refuses a field, send the request again without it, and leave the field out
        for a while.

        If a streaming request gets a response that is not a stream, this is not remembered, because it may have been an
        exception.
        """
        features = self._features if monotonic() - self._features_at < REMEMBERED_SECONDS else Features()
        has_changed = False
        while True:
            try:
                response = await self._client.post(stack, "chat/completions", features.body(self.model, request))
            except openai.APIStatusError as error:
                fewer = simpler(features, error.message, request) if _may_be_a_field(error) else None
                if fewer is None:
                    raise
                features, has_changed = fewer, True
            else:
                if has_changed:
                    self._features, self._features_at = features, monotonic()
                return response

    def _finished(self, request: ModelRequest, answer: Answer, *, has_calls: bool) -> Finished:
        usage = answer.usage or estimated_usage(request, answer.pieces)
        if not answer.characters and not has_calls:  # reasoning may have used up all tokens
            raise ProviderUnclear(Reason.GARBAGE, "an empty answer", usage=usage)
        reason = "length" if answer.is_over_limit else answer.finish_reason or "stop"
        return Finished(reason, usage, self.name, self.model)


class OpenAIEmbeddings:
    """Embeddings of one model on one server."""

    is_local = False

    def __init__(self, client: Client, *, model: str, name: str = "openai") -> None:
        self.name = name
        self.model = model
        self._client = client

    async def embed(self, texts: Sequence[str]) -> Embedded:
        with provider_errors():
            async with AsyncExitStack() as stack:
                fields = {"model": self.model, "input": list(texts), "encoding_format": "float"}
                body = await _body(await self._client.post(stack, "embeddings", fields), MAX_EMBEDDINGS_BYTES)
            return _embedded(body, expected=len(texts))

    async def close(self) -> None:
        await self._client.close()


def _may_be_a_field(error: openai.APIStatusError) -> bool:
    """Return whether the server may have refused a field. Errors about length do not count, although they also name
    fields.
    """
    return error.status_code in REFUSES_A_FIELD and not is_overflow(error.status_code, error.message)


async def _events(response: httpx2.Response, answer: Answer) -> AsyncGenerator[ProviderEvent, None]:
    """Yield at most one event per read, until the answer is complete or too long. Text accumulates between reads."""
    reader = EventReader()
    body: Body | None = response.extensions.get(BODY)
    # Reading the raw body takes fewer steps than decoding it; servers are asked not to encode it.
    is_plain = body is not None and "content-encoding" not in response.headers
    chunks = aiter(body) if body is not None and is_plain else response.aiter_bytes()
    async for chunk in chunks:
        payloads = reader.feed(chunk)
        event = answer.feed(payloads) if payloads else None
        if event is not None:
            yield event
        if answer.is_done or answer.is_over_limit:
            return
        if answer.finish_reason is not None:
            await _read_tail(chunks, reader, answer)
            return
        if answer.has_word and len(chunk) < _LONG_READ_BYTES:  # never before the first word
            if body is None:
                await asyncio.sleep(READ_EVERY_SECONDS)
            else:
                body.gather()
    answer.feed(reader.finish())
    if answer.finish_reason is None and not answer.is_done:
        raise ProviderUnclear(Reason.CUT, "the stream ended in the middle")


async def _read_tail(chunks: AsyncIterator[bytes], reader: EventReader, answer: Answer) -> None:
    """Wait briefly for the usage and [DONE] after the finish reason; the answer is complete without them."""
    try:
        async with asyncio.timeout(TAIL_SECONDS):
            async for chunk in chunks:
                answer.feed(reader.feed(chunk))
                if answer.is_done:
                    return
    except (TimeoutError, Garbage, NotAnEventStream, TooLarge, *TRANSPORT_ERRORS):
        return


async def _body(response: httpx2.Response, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > max_bytes:
            raise TooLarge("The body is too long.")
    return bytes(body)


def _embedded(body: bytes, *, expected: int) -> Embedded:
    try:
        answer = orjson.loads(body)
        rows = sorted(answer["data"], key=lambda row: row["index"])
        vectors = [[float(x) for x in row["embedding"]] for row in rows]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise Garbage("not a list of embeddings") from error
    if len(vectors) != expected or len({len(vector) for vector in vectors}) > 1:
        raise Garbage("expected one vector per text, all of the same size")
    return Embedded(vectors, usage_of(answer.get("usage") or {}))
