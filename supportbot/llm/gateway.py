"""The one door to every model: deadline, retry, circuit breaker, fallback route, budget and call record.

Invariants. Nothing is tried twice after its first sign of life. A stream begins with RouteStarted and ends with
Finished or an error; after Restarted everything before it is void. A call's record is written after the stream, off
its path. Where personal data is hidden, no remote model reads it, and every reader of the stream does.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from weakref import WeakKeyDictionary

from supportbot.llm import routing, vectors
from supportbot.llm.breaker import Breaker, breaker_of, kind_of
from supportbot.llm.conf import Limits, limits
from supportbot.llm.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    LlmError,
    ModelUnavailable,
    ProviderError,
    ProviderRefused,
    Reason,
)
from supportbot.llm.placeholders import Restoring
from supportbot.llm.ports import Provider, ProviderEvent, Working
from supportbot.llm.recorder import Call, Recorder
from supportbot.llm.retry import pause_after
from supportbot.llm.routing import Routes
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


def always() -> bool:
    return True


class Gateway:
    """The routes, connections and unfinished records of one event loop."""

    def __init__(self) -> None:
        self._routes = Routes()
        self._recorder = Recorder()

    async def stream(
        self, request: ModelRequest, may_fall_back: Callable[[], bool]
    ) -> AsyncGenerator[ModelEvent, None]:
        in_force = limits(request.purpose)
        # Made first: what a process still has to load for them is not the model's time.
        routes = await self._routes.for_purpose(request.purpose)
        ends_at = asyncio.get_running_loop().time() + in_force.deadline_seconds
        call = Call(request, ends_at=ends_at, history_tokens=in_force.history_tokens)
        failure: LlmError | None = None
        try:
            for position, provider in enumerate(routes):
                if failure is not None and not may_fall_back():
                    raise ModelUnavailable from failure
                has_next = position + 1 < len(routes)
                try:
                    async with aclosing(self._route(call, provider, in_force, failure, has_next)) as events:
                        async for event in events:
                            yield event
                    return
                except (ProviderError, BudgetExceeded) as error:
                    failure = error
            raise _no_route_left(failure) from failure
        finally:
            self._recorder.save_soon(call)

    async def _route(
        self, call: Call, provider: Provider, in_force: Limits, failure: LlmError | None, has_next: bool
    ) -> AsyncGenerator[ModelEvent, None]:
        """Say who begins, then yield its events. Raises ProviderError or BudgetExceeded."""
        breaker = breaker_of(kind_of(call.request.purpose), provider, in_force)
        if not breaker.admit():
            raise ProviderRefused(Reason.CIRCUIT_OPEN)
        await call.reserve(provider)
        yield call.announce(provider, failure)
        ends_at = call.ends_at - (in_force.fallback_seconds if has_next else 0.0)
        restoring = Restoring(call.placeholders_for(provider))
        async with aclosing(_attempts(call, provider, breaker, in_force, ends_at)) as events:
            async for event in events:
                if not isinstance(event, Working):
                    for restored in restoring.take(event):
                        yield restored

    async def embed(self, texts: Sequence[str], purpose: str) -> list[list[float]]:
        return await vectors.embed(self._routes.embeddings(), texts, purpose, limits())

    async def close(self) -> None:
        await self._recorder.drain()
        await self._routes.close()


async def _attempts(
    call: Call, provider: Provider, breaker: Breaker, in_force: Limits, ends_at: float
) -> AsyncGenerator[ProviderEvent, None]:
    """Try one provider, again only before its first sign of life. This is the one layer that retries.

    What was too long for it is tried once more, shorter. The first attempt's money is reserved already, each further
    one reserves its own. Raises ProviderError or BudgetExceeded.
    """
    loop = asyncio.get_running_loop()
    while True:
        attempt = call.begin(provider)
        try:
            async with aclosing(attempt.events(in_force, ends_at=ends_at)) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        breaker.succeeded()
                    yield event
            return
        except ProviderError as error:
            pause = pause_after(
                error, tries=call.tries(provider), has_begun=attempt.has_begun, breaker=breaker, limits=in_force
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
    """Yield one answer as it is made; read it inside `contextlib.aclosing`, which is also how to stop it.

    A route that fails is replaced by the next one (`Restarted`) while `may_fall_back()` says so. Raises
    ModelUnavailable, DeadlineExceeded or BudgetExceeded when no route is left, UnscopedQuery outside a workspace
    scope.
    """
    return _current().stream(request, may_fall_back)


async def complete(request: ModelRequest) -> Completion:
    """Return one whole answer. Raises as `stream` does."""
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
    if last is None:  # `stream` promises a Finished: without one the answer is not whole
        raise ModelUnavailable
    return Completion("".join(texts), tuple(calls), last.usage, last.provider, last.model, last.finish_reason)


def has_route(purpose: Purpose) -> bool:
    """Return whether anything is set up to serve a purpose, without asking it: `verify` is off until it has a model."""
    return routing.has_route(purpose)


async def embed(texts: Sequence[str], purpose: str = "embed") -> list[list[float]]:
    """Return one vector for each text, in their order. Raises ModelUnavailable, DeadlineExceeded or BudgetExceeded."""
    return await _current().embed(texts, purpose)


async def close() -> None:
    """Write the records still under way and close this loop's connections; the next call opens new ones."""
    gateway = _gateways.pop(asyncio.get_running_loop(), None)
    if gateway is not None:
        await gateway.close()
