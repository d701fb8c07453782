"""All calls to models pass through here: deadline, retry, circuit breaker, fallback route, budget and call record.

Invariants: nothing is retried after its first sign of life. A stream begins with RouteStarted and ends with Finished or
an error; Restarted voids everything before it. A call's record is written in the background after the stream, together
with those of other calls. If personal data is hidden, remote models read placeholders, and readers of the stream get
the real data.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from contextvars import Context, copy_context
from dataclasses import replace
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

from django.conf import settings

from supportbot.accounts.scope import current_workspace_id
from supportbot.async_db import db
from supportbot.llm import routing
from supportbot.llm.attempt import Attempt
from supportbot.llm.breaker import Breaker, breaker_of, kind_of
from supportbot.llm.budget import Reservations, booked_as, is_limited, settle_unrecorded
from supportbot.llm.call_record import CallRecord, count_calls, record_calls, store_together
from supportbot.llm.call_settings import Limits, limits
from supportbot.llm.connections import Server
from supportbot.llm.embeddings import call as embedding_call
from supportbot.llm.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    LlmError,
    ModelUnavailable,
    ProviderError,
    ProviderRefused,
    Reason,
)
from supportbot.llm.history import shortest, within_budget
from supportbot.llm.masking import Placeholders, Restoring
from supportbot.llm.ports import EmbeddingProvider, ModelWorking, Provider, ProviderEvent
from supportbot.llm.retry import pause_after
from supportbot.llm.routing import Routes
from supportbot.llm.tokens import highest_usage
from supportbot.llm.types import (
    Completion,
    Finished,
    ModelEvent,
    ModelRequest,
    Purpose,
    Restarted,
    RouteStarted,
    TextDelta,
    ToolCall,
)

logger = logging.getLogger(__name__)

SAVE_AFTER_SECONDS: Final = 0.5  # how long a call's record waits for those of other calls


def always() -> bool:
    return True


class Call:
    """The attempts of one call. Create it inside the workspace scope that its record will belong to.

    A remote provider reads placeholders instead of personal data, and a shortened version of a long conversation. The
    record contains what the provider read.
    """

    def __init__(self, request: ModelRequest, *, ends_at: float, history_tokens: int) -> None:
        self.workspace_id = current_workspace_id()  # raises UnscopedQuery now, not when the record is written
        self.context = copy_context()
        self.request = request
        self.purpose = booked_as(request.purpose)
        self.ends_at = ends_at
        self._history_tokens = history_tokens
        self.attempts: list[Attempt] = []
        self.reservations = Reservations()
        self._is_announced = False
        self._is_short = False
        self._placeholders: Placeholders | None = None

    def placeholders_for(self, provider: Provider) -> Placeholders | None:
        """Return the placeholders that a provider reads instead of personal data, or None if it reads the real data."""
        if provider.is_local or not self.request.hides_personal_data:
            return None
        if self._placeholders is None:
            self._placeholders = Placeholders(self.request)
        return self._placeholders

    def request_for(self, provider: Provider) -> ModelRequest:
        """Return the request in the form sent to a provider."""
        if provider.is_local:
            return self.request
        placeholders = self.placeholders_for(provider)
        # Shorten last, so values keep their placeholders however much of the conversation is left.
        if self._is_short:
            return shortest(self.request if placeholders is None else placeholders.with_lean_instructions())
        return within_budget(self.request if placeholders is None else placeholders.request, self._history_tokens)

    def shorten(self) -> bool:
        """Send a shorter request from now on. Return False if it was already shortened."""
        was_short, self._is_short = self._is_short, True
        return not was_short

    def announce(self, provider: Provider, failure: LlmError | None) -> RouteStarted | Restarted:
        """Return the event that announces the route: RouteStarted for the first route, Restarted for a later one."""
        if not self._is_announced:
            self._is_announced = True
            return RouteStarted(provider.name, provider.model)
        reason = failure.reason if isinstance(failure, ProviderError) else Reason.BUDGET
        return Restarted(provider.name, provider.model, reason.value)

    def begin(self, provider: Provider) -> Attempt:
        attempt = Attempt(provider, self.request_for(provider), keeps_text=settings.LLM_STORE_BODIES)
        self.attempts.append(attempt)
        return attempt

    def skip(self, provider: Provider) -> None:
        """Record that the budget did not allow an attempt, which explains why another route answered."""
        self.begin(provider).skip(Reason.BUDGET)

    def records(self) -> list[CallRecord]:
        """Return the records of all attempts, once the call has ended."""
        return [attempt.record(purpose=self.purpose) for attempt in self.attempts]

    def tries(self, provider: Provider) -> int:
        return sum(attempt.provider is provider for attempt in self.attempts)

    async def reserve(self, provider: Provider) -> None:
        """Reserve the maximum cost of one attempt. Raises BudgetExceeded."""
        if not is_limited(self.purpose):
            return
        await self.reservations.take(provider, highest_usage(self.request_for(provider)), purpose=self.purpose)


class Recorder:
    """Writes records in the background.

    The records of calls that end shortly after one another are written in one statement, since a statement and its
    commit cost more than its rows. A lost record is logged and never affects the customer's answer.
    """

    def __init__(self) -> None:
        self._saving: set[asyncio.Task[None]] = set()
        self._unsaved: defaultdict[UUID, list[CallRecord]] = defaultdict(list)  # by workspace
        self._timer: asyncio.TimerHandle | None = None  # only while there are unsaved records

    def save_soon(self, call: Call) -> None:
        """Count a call that has ended, in its own scope, and have its record stored soon; `drain` waits for that.

        Raises nothing, because this runs after a complete answer.
        """
        try:
            self._save_soon(call)
        except Exception:
            logger.exception("llm.record_lost", extra={"attempts": len(call.attempts)})

    def _save_soon(self, call: Call) -> None:
        if not call.attempts and not call.reservations:
            return
        if call.reservations or settings.LLM_STORE_BODIES:  # stored in the same transaction as the record
            self._start(_save(call), call.context)
            return
        records = call.records()
        call.context.run(count_calls, records)
        self._unsaved[call.workspace_id] += records
        if self._timer is None:
            later = asyncio.get_running_loop().call_later
            self._timer = later(SAVE_AFTER_SECONDS, self.save_now, context=Context())

    async def drain(self) -> None:
        self.save_now()
        while self._saving:
            await asyncio.gather(*self._saving)

    def save_now(self) -> None:
        """Start storing the records that are waiting to be written together."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        records, self._unsaved = self._unsaved, defaultdict(list)
        if records:
            self._start(store_together(records), Context())

    def _start(self, saving: Coroutine[Any, Any, None], context: Context) -> None:
        task = asyncio.get_running_loop().create_task(_logged(saving), context=context)
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)


async def _logged(saving: Coroutine[Any, Any, None]) -> None:
    """Wait until records are stored.

    Errors are logged, because they must not reach callers who wait for other records.
    """
    try:
        await saving
    except Exception:
        logger.exception("llm.record_lost")


async def _save(call: Call) -> None:
    taken = await call.reservations.taken()
    try:
        records = call.records()
    except Exception:
        await db(settle_unrecorded, taken)
        raise
    await record_calls(records, taken)


class Gateway:
    """The routes, connections and unfinished records of one event loop."""

    def __init__(self) -> None:
        self._routes = Routes()
        self._recorder = Recorder()

    async def stream(
        self, request: ModelRequest, may_fall_back: Callable[[], bool]
    ) -> AsyncGenerator[ModelEvent, None]:
        active = limits(request.purpose)
        # Load them before the deadline starts, because loading must not count as the model's time.
        routes = await self._routes.for_purpose(request.purpose)
        ends_at = asyncio.get_running_loop().time() + active.deadline_seconds
        call = Call(request, ends_at=ends_at, history_tokens=active.history_tokens)
        failure: LlmError | None = None
        try:
            for position, provider in enumerate(routes):
                if failure is not None and not may_fall_back():
                    raise ModelUnavailable from failure
                has_next = position + 1 < len(routes)
                try:
                    async with aclosing(self._route(call, provider, active, failure, has_next)) as events:
                        async for event in events:
                            yield event
                    return
                except (ProviderError, BudgetExceeded) as error:
                    failure = error
                    if isinstance(error, BudgetExceeded):
                        call.skip(provider)
            raise _no_route_left(failure) from failure
        finally:
            self._recorder.save_soon(call)

    async def _route(
        self, call: Call, provider: Provider, active: Limits, failure: LlmError | None, has_next: bool
    ) -> AsyncGenerator[ModelEvent, None]:
        """Yield an event that announces the route, followed by the route's events.

        Raises ProviderError or BudgetExceeded.
        """
        breaker = breaker_of(kind_of(call.request.purpose), provider, active)
        if not breaker.admit():
            raise ProviderRefused(Reason.CIRCUIT_OPEN)
        await call.reserve(provider)
        yield call.announce(provider, failure)
        ends_at = call.ends_at - (active.fallback_seconds if has_next else 0.0)
        restoring = Restoring(call.placeholders_for(provider))
        async with aclosing(_attempts(call, provider, breaker, active, ends_at)) as events:
            async for event in events:
                if not isinstance(event, ModelWorking):
                    for restored in restoring.take(event):
                        yield restored

    async def embed(
        self,
        texts: Sequence[str],
        purpose: str,
        seconds: float | None,
        servers: Sequence[Server] | None,
        size: int | None,
    ) -> list[list[float]]:
        active = limits()
        active = replace(active, deadline_seconds=min(active.deadline_seconds, seconds or active.deadline_seconds))
        if servers is None:
            providers: Sequence[EmbeddingProvider] = [self._routes.embeddings()]
        else:
            providers = [await self._routes.embeddings_at(server) for server in servers]
        return await embedding_call.embed_by_first(providers, texts, purpose, active, size)

    def store_records(self) -> None:
        self._recorder.save_now()

    async def written(self) -> None:
        await self._recorder.drain()

    async def close(self) -> None:
        await self.written()
        await self._routes.close()


async def _attempts(
    call: Call, provider: Provider, breaker: Breaker, active: Limits, ends_at: float
) -> AsyncGenerator[ProviderEvent, None]:
    """Try one provider, and retry only before its first sign of life. No other layer retries.

    If a request was too long, it is shortened and tried once more. The cost of the first attempt is already reserved;
    each further attempt makes its own reservation. Raises ProviderError or BudgetExceeded.
    """
    loop = asyncio.get_running_loop()
    while True:
        attempt = call.begin(provider)
        try:
            async with aclosing(attempt.events(active, ends_at=ends_at)) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        breaker.succeeded()
                    yield event
            return
        except ProviderError as error:
            pause = pause_after(
                error, tries=call.tries(provider), has_begun=attempt.has_begun, breaker=breaker, limits=active
            )
            if error.reason is Reason.TOO_LONG and not attempt.has_begun and call.shorten():
                pause = 0.0
            if pause is None or loop.time() + pause >= ends_at:
                raise
        await asyncio.sleep(pause)
        await call.reserve(provider)


def _no_route_left(failure: LlmError | None) -> LlmError:
    if isinstance(failure, BudgetExceeded):
        return BudgetExceeded()
    if isinstance(failure, ProviderError) and failure.reason in (Reason.DEADLINE, Reason.STALLED):
        return DeadlineExceeded()
    return ModelUnavailable()


_gateways: WeakKeyDictionary[asyncio.AbstractEventLoop, Gateway] = WeakKeyDictionary()


def _current() -> Gateway:
    loop = asyncio.get_running_loop()
    if loop not in _gateways:
        _gateways[loop] = Gateway()
    return _gateways[loop]


def stream(request: ModelRequest, *, may_fall_back: Callable[[], bool] = always) -> AsyncGenerator[ModelEvent, None]:
    """Yield one answer while it is being generated. Read it inside `contextlib.aclosing`, which also stops it.

    If a route fails while `may_fall_back()` returns true, the next one replaces it (`Restarted`). Raises
    ModelUnavailable, DeadlineExceeded or BudgetExceeded if no route is left, and UnscopedQuery outside a workspace
    scope.
    """
    return _current().stream(request, may_fall_back)


async def complete(request: ModelRequest) -> Completion:
    """Return one whole answer. Raises the same errors as `stream`."""
    texts: list[str] = []
    calls: list[ToolCall] = []
    last: Finished | None = None
    async with aclosing(stream(request)) as events:
        async for event in events:
            match event:
                case TextDelta(text):
                    texts.append(text)
                case ToolCall():
                    calls.append(event)
                case RouteStarted() | Restarted():
                    texts.clear()
                    calls.clear()
                case Finished():
                    last = event
    if last is None:  # `stream` guarantees a Finished event; without it, the answer is incomplete
        raise ModelUnavailable
    return Completion("".join(texts), tuple(calls), last.usage, last.provider, last.model, last.finish_reason)


def has_route(purpose: Purpose) -> bool:
    """Return whether a purpose has a route according to the settings. `verify` has none until a model is set for it."""
    return routing.has_route(purpose)


async def embed(
    texts: Sequence[str],
    purpose: str = "embed",
    *,
    seconds: float | None = None,
    servers: Sequence[Server] | None = None,
    size: int | None = None,
) -> list[list[float]]:
    """Return one vector for each text, in order. `seconds` limits the time, and `size` sets how many numbers each
    vector has.

    The vectors come from the first of `servers` that succeeds, by default from the environment's server. Raises
    ModelUnavailable, DeadlineExceeded or BudgetExceeded.
    """
    return await _current().embed(texts, purpose, seconds, servers, size)


def store_records() -> None:
    """Start storing the records of this loop's calls so far, without waiting for later calls."""
    gateway = _gateways.get(asyncio.get_running_loop())
    if gateway is not None:
        gateway.store_records()


async def written() -> None:
    """Wait until the records of all calls so far are stored."""
    await _current().written()


async def close() -> None:
    """Write pending records and close this loop's connections. The next call opens new ones."""
    gateway = _gateways.pop(asyncio.get_running_loop(), None)
    if gateway is not None:
        await gateway.close()
