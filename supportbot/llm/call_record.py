"""Records calls to models in the metrics, in the log, and in one row per attempt. Redacted bodies are stored only if
the operator has enabled it.

Stored bodies are masked more strictly than what models read (`language.personal_data`): since no answers depend on
them, long numbers and anything like an account number are masked too. Personal data is recognised by its format, so
names are not found.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import DataError, IntegrityError, transaction
from django.db import Error as AnyDatabaseError

from supportbot import sql
from supportbot.accounts.errors import UnscopedQuery
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.async_db import db
from supportbot.llm import budget
from supportbot.llm.masking import redact
from supportbot.llm.models import LLMBody, LLMCall
from supportbot.llm.pricing import Money, Price, price_of
from supportbot.llm.types import Usage
from supportbot.observing import span_descriptions, tracing
from supportbot.observing.logs import Event, log_event
from supportbot.observing.metrics import MODEL_CALLS, MODEL_COST, MODEL_SECONDS, MODEL_TOKENS

logger = logging.getLogger(__name__)

BODY_DAYS = 30
# Raised if the database or its driver refuses a row: nothing in its statement was stored, but the other rows can still
# be stored individually.
_OF_A_ROW: Final = (DataError, IntegrityError, ValueError)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One finished attempt at one provider. `request_text` and `response_text` are stored only if that is enabled."""

    purpose: str
    provider: str
    model: str
    is_local: bool
    outcome: str
    usage: Usage
    started_at: datetime
    duration_seconds: float
    first_token_seconds: float | None = None
    reason: str = ""
    prompt_version: str = ""
    conversation_id: UUID | None = None
    turn_id: UUID | None = None
    request_text: str = ""
    response_text: str = ""
    price: Price | None = None  # the provider's price; None means the installation's price for this model


async def record_calls(records: Sequence[CallRecord], taken: Sequence[budget.Reservation] = ()) -> None:
    """Count and store call records. If the database is unavailable or the call was made outside any workspace, this is
    logged and nothing is raised.
    """
    count_calls(records)
    try:
        await db(_save_or_settle, records, taken)
    except UnscopedQuery:
        logger.info("llm.call_outside_workspace", extra={"attempts": len(records)})
    except (*_OF_A_ROW, AnyDatabaseError):
        logger.exception("llm.record_lost", extra={"attempts": len(records)})


def _save_or_settle(records: Sequence[CallRecord], taken: Sequence[budget.Reservation]) -> None:
    """Store a call's records and settle its reservations, even if the database refuses one of the records."""
    try:
        save_calls(records, taken)
    except _OF_A_ROW:
        costs = [cost.amount for record in records if (cost := cost_of(record)) is not None]
        budget.settle_unrecorded(taken, spent=sum(costs, Decimal(0)))
        _save_one_by_one(records)


async def store_together(records: Mapping[UUID, Sequence[CallRecord]]) -> None:
    """Store records of several calls, grouped by workspace. They have already been counted, and need no reservations or
    bodies. Records that cannot be stored are logged and do not affect the others.
    """
    await db(_save_by_workspace, records)


def _save_by_workspace(records: Mapping[UUID, Sequence[CallRecord]]) -> None:
    for workspace_id, own in records.items():
        with workspace_scope(workspace_id):
            try:
                save_calls(own)
            except _OF_A_ROW:
                _save_one_by_one(own)
            except AnyDatabaseError:
                logger.exception("llm.record_lost", extra={"attempts": len(own)})


def _save_one_by_one(records: Sequence[CallRecord]) -> None:
    for one in records:
        try:
            save_calls([one])
        except (*_OF_A_ROW, AnyDatabaseError):
            logger.exception("llm.record_lost", extra={"attempts": 1})


def count_calls(records: Sequence[CallRecord]) -> None:
    """Count call records in the metrics, and write their log lines."""
    for one in records:
        try:
            _count(one)
        except Exception:
            # The answer is complete, and its cost still has to be stored, even if the counters' disk is full.
            logger.exception("llm.call_uncounted")


def _count(one: CallRecord) -> None:
    provider = "builtin" if one.is_local else "remote"
    MODEL_CALLS.labels(one.purpose, provider, one.outcome, one.reason).inc()
    if one.outcome != LLMCall.Outcome.SKIPPED:  # it took no time
        MODEL_SECONDS.labels(one.purpose).observe(one.duration_seconds)
    MODEL_TOKENS.labels("in").inc(one.usage.input_tokens)
    MODEL_TOKENS.labels("out").inc(one.usage.output_tokens)
    call = span_descriptions.model_call(
        purpose=one.purpose,
        provider=one.provider,
        model=one.model,
        tokens=(one.usage.input_tokens, one.usage.output_tokens),
        first_token_seconds=one.first_token_seconds,
        outcome=one.outcome,
        reason=one.reason,
    )
    tracing.record_span(call, began=one.started_at, seconds=one.duration_seconds)
    cost = cost_of(one)
    if cost is not None and cost.currency:
        MODEL_COST.labels(cost.currency).inc(float(cost.amount))
    log_event(
        Event.MODEL_CALL,
        purpose=one.purpose,
        model=one.model,
        outcome=one.outcome,
        reason=one.reason or None,
        turn=one.turn_id,
        conversation=one.conversation_id,
        seconds=one.duration_seconds,
        first_token=one.first_token_seconds,
        input_tokens=one.usage.input_tokens,
        output_tokens=one.usage.output_tokens,
        cost=str(cost.amount) if cost is not None and cost.currency else None,
        currency=cost.currency or None if cost is not None else None,
    )


def save_calls(records: Sequence[CallRecord], reservations: Sequence[budget.Reservation] = ()) -> None:
    """Store the attempts of one call and settle its reservations, either all of it or nothing."""
    calls = [_row(record) for record in records]
    if reservations or settings.LLM_STORE_BODIES:
        _save_with_costs(calls, records, reservations)
    else:  # a single statement needs no transaction, which would take two more round trips
        sql.insert(*calls)


@transaction.atomic
def _save_with_costs(
    calls: Sequence[LLMCall], records: Sequence[CallRecord], reservations: Sequence[budget.Reservation]
) -> None:
    sql.insert(*calls)
    if settings.LLM_STORE_BODIES:
        LLMBody.objects.bulk_create([_body(call, record) for call, record in zip(calls, records, strict=True)])
    budget.settle_all(reservations, spent=sum((call.cost for call in calls if call.cost is not None), Decimal(0)))


def purge_expired_bodies() -> int:
    """Delete expired bodies in every workspace; return how many were deleted."""
    with across_workspaces("expiry of stored model bodies"):
        deleted, _ = LLMBody.objects.filter(expires_at__lt=datetime.now(UTC)).delete()
    return deleted


def cost_of(record: CallRecord) -> Money | None:
    """Return the cost of the attempt, or None if the model has no price. Local models are free."""
    if record.is_local:
        return Money(Decimal(0), "")
    price = record.price or price_of(record.model)
    return None if price is None else price.of(record.usage)


def _row(record: CallRecord) -> LLMCall:
    cost = cost_of(record)
    first = record.first_token_seconds
    return LLMCall(
        purpose=record.purpose,
        provider=record.provider,
        model=record.model[:200],
        prompt_version=record.prompt_version[:60],
        conversation_id=record.conversation_id,
        turn_id=record.turn_id,
        input_tokens=record.usage.input_tokens,
        output_tokens=record.usage.output_tokens,
        cached_tokens=record.usage.cached_tokens,
        is_estimated=record.usage.is_estimated,
        cost=cost.amount if cost else None,
        currency=cost.currency if cost else "",
        time_to_first_token_ms=None if first is None else round(first * 1000),
        duration_ms=round(record.duration_seconds * 1000),
        outcome=record.outcome,
        reason=record.reason,
        started_at=record.started_at,
    )


def _body(call: LLMCall, record: CallRecord) -> LLMBody:
    expires_at = datetime.now(UTC) + timedelta(days=BODY_DAYS)
    return LLMBody(
        call=call, request=redact(record.request_text), response=redact(record.response_text), expires_at=expires_at
    )
