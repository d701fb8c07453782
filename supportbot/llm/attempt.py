"""One try at one provider: its deadlines, and the figures for its call record.

A deadline never spans a yield, because it would cancel whatever the reader of the stream is doing at that moment.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from supportbot.llm.call_record import CallRecord
from supportbot.llm.call_settings import Limits
from supportbot.llm.errors import ProviderError, ProviderRefused, ProviderUnclear, Reason
from supportbot.llm.ports import Provider, ProviderEvent
from supportbot.llm.tokens import CHARACTERS_PER_TOKEN, estimated_usage
from supportbot.llm.types import ChatMessage, Finished, ModelRequest, TextDelta, ToolCall, Usage

T = TypeVar("T")


class Deadlines:
    """One timer for all waits of a stream.

    `asyncio.timeout` would set and remove a timer for each event, which takes as long as reading the event. If this
    timer fires early because the deadline has moved, it is simply set again.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._waiting: asyncio.Task[object] | None = None
        self._is_over = False

    async def wait_for(self, awaited: Awaitable[T], due: float) -> T:
        """Return the awaited result. Raises TimeoutError if it has not arrived by `due`, a time on the loop's clock."""
        self._due, self._waiting = due, asyncio.current_task()
        if self._timer is None or due < self._timer.when():
            self._set_timer()
        try:
            return await awaited
        except asyncio.CancelledError:
            task, was_over, self._is_over = self._waiting, self._is_over, False
            if not was_over or task is None or task.uncancel() > 0:  # someone else has cancelled the task
                raise
            raise TimeoutError from None
        finally:
            self._waiting = None

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self.close()
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._waiting is None:
            return
        if self._loop.time() < self._due:
            self._set_timer()
        else:
            self._is_over = True
            self._waiting.cancel()


class Outcome(StrEnum):
    """The stored outcome of an attempt."""

    DONE = "done"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    STOPPED = "stopped"
    SKIPPED = "skipped"


class Attempt:
    """Reads one provider's stream once. If the reader leaves early, the attempt counts as stopped."""

    def __init__(self, provider: Provider, request: ModelRequest, *, keeps_text: bool = False) -> None:
        self.provider = provider
        self.request = request
        self.started_at = datetime.now(UTC)
        self.outcome = Outcome.STOPPED
        self.reason: Reason | None = None
        self.first_token_seconds: float | None = None
        self.duration_seconds = 0.0
        self.characters = 0
        # Text, reasoning or a call's arguments have arrived. After that, a retry would produce a second answer.
        self.has_begun = False
        self._texts: list[str] | None = [] if keeps_text else None
        self._usage: Usage | None = None
        self._started = time.monotonic()

    async def events(self, limits: Limits, *, ends_at: float) -> AsyncGenerator[ProviderEvent, None]:
        """Yield the provider's events until `ends_at`, a time on the loop's clock.

        Raises ProviderError, with STALLED or DEADLINE if time runs out.
        """
        loop = asyncio.get_running_loop()
        due = min(ends_at, loop.time() + limits.first_token_seconds)
        deadlines = Deadlines()
        try:
            async with aclosing(self.provider.stream(self.request)) as events:
                while (event := await _next(events, deadlines, due, ends_at)) is not None:
                    self._note(event)
                    yield event
                    due = min(ends_at, loop.time() + limits.gap_seconds)
            if self.outcome is not Outcome.DONE:
                raise ProviderUnclear(Reason.CUT, "the provider's stream ended without a final event")
        except ProviderError as error:
            self.outcome = Outcome.REFUSED if isinstance(error, ProviderRefused) else Outcome.UNCLEAR
            self.reason = error.reason
            self._usage = error.usage
            raise
        finally:
            deadlines.close()
            self.duration_seconds = time.monotonic() - self._started

    def skip(self, reason: Reason) -> None:
        """End an attempt without calling the model."""
        self.outcome, self.reason = Outcome.SKIPPED, reason

    def usage(self) -> Usage:
        """Return the attempt's token usage as counted by the provider, or an estimate if the attempt was
        interrupted.
        """
        if self._usage is not None:
            return self._usage
        was_not_asked = self.reason is Reason.UNREACHABLE and not self.has_begun
        if was_not_asked or self.outcome in (Outcome.REFUSED, Outcome.SKIPPED):
            return Usage()
        return estimated_usage(self.request, self.characters // CHARACTERS_PER_TOKEN)

    def record(self, *, purpose: str) -> CallRecord:
        """Return the attempt's figures for storage; it must have ended. Its cost counts against the budget of
        `purpose`.
        """
        request = self.request
        request_text = "" if self._texts is None else "\n\n".join(map(_in_words, request.messages))
        return CallRecord(
            purpose=purpose,
            provider=self.provider.name,
            model=self.provider.model,
            is_local=self.provider.is_local,
            outcome=self.outcome,
            reason=self.reason.value if self.reason else "",
            usage=self.usage(),
            started_at=self.started_at,
            duration_seconds=self.duration_seconds,
            first_token_seconds=self.first_token_seconds,
            prompt_version=request.prompt_version,
            conversation_id=request.conversation_id,
            turn_id=request.turn_id,
            request_text=request_text,
            response_text="".join(self._texts or ()).lstrip("\n"),
            price=getattr(self.provider, "price", None),
        )

    def _note(self, event: ProviderEvent) -> None:
        if self.first_token_seconds is None:
            self.first_token_seconds = time.monotonic() - self._started
        self.has_begun = True
        if isinstance(event, TextDelta):
            self.characters += len(event.text)
            if self._texts is not None:
                self._texts.append(event.text)
        elif isinstance(event, ToolCall):
            if self._texts is not None:
                self._texts.append(_call_in_words(event))
        elif isinstance(event, Finished):
            self.outcome = Outcome.DONE
            self._usage = event.usage


def _in_words(message: ChatMessage) -> str:
    return f"{message.role}: {message.content}{''.join(map(_call_in_words, message.tool_calls))}"


def _call_in_words(call: ToolCall) -> str:
    return f"\n[calls {call.name} {call.arguments}]"


async def _next(
    events: AsyncIterator[ProviderEvent], deadlines: Deadlines, due: float, ends_at: float
) -> ProviderEvent | None:
    """Return the next event, or None at the end of the stream."""
    try:
        return await deadlines.wait_for(anext(events, None), due)
    except TimeoutError as error:
        raise ProviderUnclear(Reason.DEADLINE if due >= ends_at else Reason.STALLED) from error
