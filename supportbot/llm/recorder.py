"""One call through the gateway: its attempts, what was reserved for it, and its record, written off its path."""

import asyncio
import logging
from collections.abc import Sequence
from contextvars import copy_context

from django.conf import settings
from django.db import Error as AnyDatabaseError

from supportbot.accounts.errors import UnscopedQuery
from supportbot.accounts.scope import current_workspace_id
from supportbot.asyncdb import db
from supportbot.llm import budget, record
from supportbot.llm.attempt import Attempt
from supportbot.llm.errors import LlmError, ProviderError, Reason
from supportbot.llm.history import shortest, within_budget
from supportbot.llm.placeholders import Placeholders
from supportbot.llm.ports import Provider
from supportbot.llm.reservations import Reservations
from supportbot.llm.tokens import highest_usage
from supportbot.llm.types import ModelRequest, Restarted, RouteStarted

logger = logging.getLogger(__name__)


class Call:
    """The attempts of one call. Made inside a workspace scope, which its record will belong to.

    A remote provider reads placeholders in place of personal data, and a long conversation's beginning shortened; what
    is recorded of it is what it read.
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
        """Return what a provider reads in place of personal data; None for one that reads it all."""
        if provider.is_local or not self.request.hides_personal_data:
            return None
        if self._placeholders is None:
            self._placeholders = Placeholders(self.request)
        return self._placeholders

    def request_for(self, provider: Provider) -> ModelRequest:
        """Return what a provider is asked."""
        placeholders = self.placeholders_for(provider)
        request = self.request if placeholders is None else placeholders.request
        if provider.is_local:
            return request
        # Cut last, so that one value keeps its placeholder however much of the conversation is left.
        return shortest(request) if self._is_short else within_budget(request, self._history_tokens)

    def shorten(self) -> bool:
        """Ask for less from now on; return whether that was not so already."""
        was_short, self._is_short = self._is_short, True
        return not was_short

    def announce(self, provider: Provider, failure: LlmError | None) -> RouteStarted | Restarted:
        """Return the event that says who begins; only the first one is a start."""
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
        """Take the most one attempt can cost from the day's budget. Raises BudgetExceeded."""
        await self.reservations.take(provider, highest_usage(self.request_for(provider)), purpose=self.request.purpose)


class Recorder:
    """Writes records in the background. A lost record is logged; it never costs a customer the answer."""

    def __init__(self) -> None:
        self._saving: set[asyncio.Task[None]] = set()

    def save_soon(self, call: Call) -> None:
        """Begin to write the record of `call`, in the scope it was made in; `drain` waits for it."""
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


async def write(records: Sequence[record.CallRecord], taken: Sequence[budget.Reservation] = ()) -> None:
    """Store call records. A database that is away is logged, not raised; so is a call that belongs to no workspace."""
    try:
        await db(record.save_calls, records, taken)
    except UnscopedQuery:
        logger.info("llm.call_outside_workspace", extra={"attempts": len(records)})
    except AnyDatabaseError:
        logger.exception("llm.record_lost", extra={"attempts": len(records)})
