"""One call through the gateway: its attempts, its reservations, and its record, written in the background."""

import asyncio
import logging
from collections.abc import Sequence
from contextvars import copy_context

from django.conf import settings
from django.db import Error as AnyDatabaseError

from supportbot.accounts.errors import UnscopedQuery
from supportbot.accounts.scope import current_workspace_id
from supportbot.asyncdb import db
from supportbot.llm import budget, call_record
from supportbot.llm.attempt import Attempt
from supportbot.llm.budget import Reservations, booked_as
from supportbot.llm.errors import LlmError, ProviderError, Reason
from supportbot.llm.history import shortest, within_budget
from supportbot.llm.masking import Placeholders
from supportbot.llm.ports import Provider
from supportbot.llm.tokens import highest_usage
from supportbot.llm.types import ModelRequest, Restarted, RouteStarted
from supportbot.observing import genai, tracing
from supportbot.observing.logs import Event, tell
from supportbot.observing.metrics import MODEL_CALLS, MODEL_COST, MODEL_SECONDS, MODEL_TOKENS

logger = logging.getLogger(__name__)


class Call:
    """The attempts of one call. Created inside a workspace scope, to which its record will belong. A remote provider
    reads placeholders instead of personal data, and a shortened beginning of a long conversation; its record contains
    the text as read.
    """

    def __init__(self, request: ModelRequest, *, ends_at: float, history_tokens: int) -> None:
        current_workspace_id()  # raises UnscopedQuery now, not when the record is written
        self.context = copy_context()
        self.request = request
        self.ends_at = ends_at
        self._history_tokens = history_tokens
        self.attempts: list[Attempt] = []
        self.reservations = Reservations()
        self._is_announced = False
        self._is_short = False
        self._placeholders: Placeholders | None = None

    def placeholders_for(self, provider: Provider) -> Placeholders | None:
        """Return the placeholders that a provider reads instead of personal data; None if it reads everything."""
        if provider.is_local or not self.request.hides_personal_data:
            return None
        if self._placeholders is None:
            self._placeholders = Placeholders(self.request)
        return self._placeholders

    def request_for(self, provider: Provider) -> ModelRequest:
        """Return the request as a provider gets it."""
        placeholders = self.placeholders_for(provider)
        request = self.request if placeholders is None else placeholders.request
        if provider.is_local:
            return request
        # Shortened last, so that values keep their placeholders however much of the conversation is left.
        return shortest(request) if self._is_short else within_budget(request, self._history_tokens)

    def shorten(self) -> bool:
        """Send a shorter request from now on; return False if it was already shortened."""
        was_short, self._is_short = self._is_short, True
        return not was_short

    def announce(self, provider: Provider, failure: LlmError | None) -> RouteStarted | Restarted:
        """Return the event that names the route: RouteStarted for the first one, then Restarted."""
        if not self._is_announced:
            self._is_announced = True
            return RouteStarted(provider.name, provider.model)
        reason = failure.reason if isinstance(failure, ProviderError) else Reason.BUDGET
        return Restarted(provider.name, provider.model, reason.value)

    def begin(self, provider: Provider) -> Attempt:
        attempt = Attempt(provider, self.request_for(provider), keeps_text=settings.LLM_STORE_BODIES)
        self.attempts.append(attempt)
        return attempt

    def tries(self, provider: Provider) -> int:
        return sum(attempt.provider is provider for attempt in self.attempts)

    async def reserve(self, provider: Provider) -> None:
        """Reserve the most that one attempt can cost. Raises BudgetExceeded."""
        await self.reservations.take(
            provider, highest_usage(self.request_for(provider)), purpose=booked_as(self.request.purpose)
        )


class Recorder:
    """Writes records in the background. A lost record is logged, and never costs a customer the answer."""

    def __init__(self) -> None:
        self._saving: set[asyncio.Task[None]] = set()

    def save_soon(self, call: Call) -> None:
        """Start writing the record of `call` in its own scope; `drain` waits for it."""
        if not call.attempts and not call.reservations:
            return
        saving = asyncio.get_running_loop().create_task(_save(call), context=call.context)
        self._saving.add(saving)
        saving.add_done_callback(self._saving.discard)

    async def drain(self) -> None:
        while self._saving:
            await asyncio.gather(*self._saving)


async def _save(call: Call) -> None:
    taken = await call.reservations.taken()
    records = [attempt.record() for attempt in call.attempts]
    await write(records, taken)


async def write(records: Sequence[call_record.CallRecord], taken: Sequence[budget.Reservation] = ()) -> None:
    """Count and store call records. An unavailable database or a call outside any workspace is logged, not raised."""
    for one in records:
        _count(one)
    try:
        await db(call_record.save_calls, records, taken)
    except UnscopedQuery:
        logger.info("llm.call_outside_workspace", extra={"attempts": len(records)})
    except AnyDatabaseError:
        logger.exception("llm.record_lost", extra={"attempts": len(records)})


def _count(one: call_record.CallRecord) -> None:
    provider = "builtin" if one.is_local else "remote"
    MODEL_CALLS.labels(one.purpose, provider, one.outcome, one.reason).inc()
    MODEL_SECONDS.labels(one.purpose).observe(one.duration_seconds)
    MODEL_TOKENS.labels("in").inc(one.usage.input_tokens)
    MODEL_TOKENS.labels("out").inc(one.usage.output_tokens)
    call = genai.model_call(
        purpose=one.purpose,
        provider=one.provider,
        model=one.model,
        tokens=(one.usage.input_tokens, one.usage.output_tokens),
        first_token_seconds=one.first_token_seconds,
        outcome=one.outcome,
        reason=one.reason,
    )
    tracing.told(call, began=one.started_at, seconds=one.duration_seconds)
    cost = call_record.cost_of(one)
    if cost is not None and cost.currency:
        MODEL_COST.labels(cost.currency).inc(float(cost.amount))
    tell(
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
