"""One request for embeddings, with a breaker, retries, a deadline, a budget and a record, as for answers."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from supportbot.accounts.errors import UnscopedQuery
from supportbot.accounts.scope import current_workspace_id
from supportbot.llm.attempt import Outcome
from supportbot.llm.breaker import breaker_of
from supportbot.llm.budget import Reservations
from supportbot.llm.call_record import CallRecord, record_calls
from supportbot.llm.call_settings import Limits
from supportbot.llm.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    LlmError,
    ModelUnavailable,
    ProviderError,
    ProviderRefused,
    ProviderUnclear,
    Reason,
)
from supportbot.llm.ports import Embedded, EmbeddingProvider
from supportbot.llm.retry import pause_after
from supportbot.llm.tokens import highest_embedding_usage
from supportbot.llm.types import Usage


async def embed_by_first(
    providers: Sequence[EmbeddingProvider], texts: Sequence[str], purpose: str, limits: Limits, size: int | None = None
) -> list[list[float]]:
    """Return the vectors from the first provider that succeeds before the deadline of the whole call. Each provider
    gets a share of the remaining time, so a slow one leaves some for the next. Raises the same errors as `embed`.
    """
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + limits.deadline_seconds
    failure: LlmError = ModelUnavailable()
    for position, provider in enumerate(providers):
        share = (ends_at - loop.time()) / (len(providers) - position)
        try:
            return await embed(provider, texts, purpose, replace(limits, deadline_seconds=share), size)
        except (ModelUnavailable, DeadlineExceeded, BudgetExceeded) as error:
            failure = error
    raise failure


async def embed(
    provider: EmbeddingProvider, texts: Sequence[str], purpose: str, limits: Limits, size: int | None = None
) -> list[list[float]]:
    """Return one vector per text, with `size` numbers if given. Raises ModelUnavailable, DeadlineExceeded or
    BudgetExceeded.

    Outside a workspace, the call serves only to find out the size of a server's vectors, so no budget applies.
    """
    breaker = breaker_of("embeddings", provider, limits)
    if not breaker.admit():
        raise ModelUnavailable from ProviderRefused(Reason.CIRCUIT_OPEN)
    ends_at = asyncio.get_running_loop().time() + limits.deadline_seconds
    records: list[CallRecord] = []
    reservations = Reservations()
    try:
        while True:
            if _is_in_workspace():
                try:
                    await reservations.take(provider, highest_embedding_usage(texts), purpose=purpose)
                except BudgetExceeded:
                    records.append(_record(provider, purpose, Outcome.SKIPPED, Reason.BUDGET))
                    raise
            try:
                vectors = await _try(provider, texts, purpose, ends_at, records, size)
            except ProviderError as error:
                pause = pause_after(error, tries=len(records), has_begun=False, breaker=breaker, limits=limits)
                if error.reason is Reason.DEADLINE:
                    raise DeadlineExceeded from error
                if pause is None or asyncio.get_running_loop().time() + pause >= ends_at:
                    raise ModelUnavailable from error
                await asyncio.sleep(pause)
            else:
                breaker.succeeded()
                return vectors
    finally:
        await record_calls(records, await reservations.taken())


def _is_in_workspace() -> bool:
    try:
        current_workspace_id()
    except UnscopedQuery:
        return False
    return True


async def _try(
    provider: EmbeddingProvider,
    texts: Sequence[str],
    purpose: str,
    ends_at: float,
    records: list[CallRecord],
    size: int | None,
) -> list[list[float]]:
    started, started_at = time.monotonic(), datetime.now(UTC)
    outcome, usage = Outcome.STOPPED, Usage()
    reason: Reason | None = None
    try:
        embedded = await _in_time(provider, texts, ends_at)
        usage = embedded.usage
        if size is not None and any(len(vector) != size for vector in embedded.vectors):
            raise ProviderUnclear(Reason.GARBAGE, "vectors of the wrong size")
        outcome = Outcome.DONE
        return embedded.vectors
    except ProviderError as error:
        outcome = Outcome.REFUSED if isinstance(error, ProviderRefused) else Outcome.UNCLEAR
        reason = error.reason
        raise
    finally:
        ended = _record(provider, purpose, outcome, reason)
        seconds = time.monotonic() - started
        records.append(replace(ended, usage=usage, started_at=started_at, duration_seconds=seconds))


def _record(provider: EmbeddingProvider, purpose: str, outcome: Outcome, reason: Reason | None) -> CallRecord:
    """Return the record of an attempt that begins and ends now and used no tokens."""
    return CallRecord(
        purpose=purpose,
        provider=provider.name,
        model=provider.model,
        is_local=provider.is_local,
        outcome=outcome,
        reason=reason.value if reason else "",
        usage=Usage(),
        started_at=datetime.now(UTC),
        duration_seconds=0.0,
        price=getattr(provider, "price", None),
    )


async def _in_time(provider: EmbeddingProvider, texts: Sequence[str], ends_at: float) -> Embedded:
    try:
        async with asyncio.timeout_at(ends_at):
            return await provider.embed(texts)
    except TimeoutError as error:
        raise ProviderUnclear(Reason.DEADLINE) from error
