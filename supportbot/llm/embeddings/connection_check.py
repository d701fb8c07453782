"""Tests an embedding server, and reports the size of its vectors, its speed and its cost."""

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Final
from uuid import UUID

from django.utils import timezone

from supportbot.llm import call_record, loop_thread
from supportbot.llm.attempt import Outcome
from supportbot.llm.connections import Server
from supportbot.llm.embeddings.connections import (
    ALIKE,
    SAMPLE_TEXTS,
    connection_with_id,
    likeness,
    routes_in_use,
    server_of,
)
from supportbot.llm.errors import ProviderError, Reason
from supportbot.llm.models import EmbeddingConnection
from supportbot.llm.ports import Embedded
from supportbot.llm.pricing import Money
from supportbot.outbound.errors import NotSent
from supportbot.outbound.targets import checked_target

SECONDS: Final = 20.0
MOST_DIMENSIONS: Final = 4_000  # the longest halfvec that pgvector can index
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Measured:
    """The result of a test. `refused` says why the address was not called; `reason` says why there were no vectors.

    `likeness` is the lowest cosine similarity to the vectors of the index that uses this connection, or None if no
    index uses it.
    """

    refused: str = ""
    reason: Reason | None = None
    dimensions: int = 0
    seconds: float = 0.0
    cost: Money | None = None  # None if there is no price
    likeness: float | None = None

    @property
    def is_too_long(self) -> bool:
        return self.dimensions > MOST_DIMENSIONS

    @property
    def is_another_model(self) -> bool:
        """Whether the server now has a different model from the one that built the index."""
        return self.likeness is not None and self.likeness < ALIKE

    @property
    def is_usable(self) -> bool:
        return not (self.refused or self.reason or self.is_too_long or self.is_another_model)


def measure(connection_id: UUID) -> Measured:
    """Ask a stored connection for the vectors of the fixed texts, and store the vectors if they are usable."""
    row = connection_with_id(connection_id)
    server = server_of(row)
    try:
        if not row.is_environment:  # the environment's address needs no check, because an operator has set it
            checked_target(server.base_url)
    except NotSent as error:
        return Measured(refused=error.why)
    # import it here instead of in the shared event loop, because it takes a while
    import_module("supportbot.llm.providers.guarded")
    started_at, began = datetime.now(UTC), time.monotonic()
    try:
        embedded = loop_thread.run(_ask(server))
    except ProviderError as error:
        return Measured(reason=error.reason)
    except TimeoutError:
        return Measured(reason=Reason.DEADLINE)
    seconds = time.monotonic() - began
    _record(server, embedded, started_at, seconds)
    if any(not math.isfinite(length := math.hypot(*vector)) or not length for vector in embedded.vectors):
        return Measured(reason=Reason.GARBAGE)
    found = Measured(
        dimensions=len(embedded.vectors[0]),
        seconds=seconds,
        cost=server.price.of(embedded.usage) if server.price else None,
        likeness=_likeness_in_use(row, embedded.vectors),
    )
    if found.is_usable:
        _keep(row, server, embedded.vectors)
    return found


def _likeness_in_use(row: EmbeddingConnection, vectors: Sequence[Sequence[float]]) -> float | None:
    compared = [likeness(route.sample, vectors) for route in routes_in_use() if str(row.pk) in route.connections]
    return min(compared, default=None)


def _keep(row: EmbeddingConnection, server: Server, vectors: Sequence[Sequence[float]]) -> None:
    sample = [[round(value / math.hypot(*vector), _DIGITS) for value in vector] for vector in vectors]
    # Matches no row if the connection has been changed in the meantime.
    unchanged = EmbeddingConnection.objects.filter(pk=row.pk, version=row.version)
    tested = {"base_url": server.base_url, "model": server.model, "tested_at": timezone.now()}
    unchanged.update(dimensions=len(sample[0]), sample=sample, **tested)


async def _ask(server: Server) -> Embedded:
    from supportbot.llm.providers.guarded import ConnectedEmbeddings
    from supportbot.llm.providers.openai import OpenAIEmbeddings, make_client

    if server.id == EmbeddingConnection.ENVIRONMENT:
        client = make_client(api_key=server.key, base_url=server.base_url)
        provider = OpenAIEmbeddings(client, model=server.model)
    else:
        provider = ConnectedEmbeddings(server)
    try:
        async with asyncio.timeout(SECONDS):
            return await provider.embed(SAMPLE_TEXTS)
    finally:
        await provider.close()


def _record(server: Server, embedded: Embedded, started_at: datetime, seconds: float) -> None:
    call = call_record.CallRecord(
        purpose="test",
        provider=server.name,
        model=server.model,
        is_local=False,
        outcome=Outcome.DONE,
        usage=embedded.usage,
        started_at=started_at,
        duration_seconds=seconds,
        price=server.price,
    )
    call_record.save_calls([call])
