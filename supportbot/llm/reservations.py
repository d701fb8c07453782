"""What one call reserves in the day's budget, attempt by attempt, off the event loop.

Invariant: each paid attempt has its own reservation before it goes out, since the first one may already be charged when
the second begins.
"""

import asyncio

from django.db import Error as AnyDatabaseError

from supportbot.asyncdb import db
from supportbot.llm import budget
from supportbot.llm.errors import BudgetExceeded
from supportbot.llm.ports import EmbeddingProvider, Provider
from supportbot.llm.pricing import price_at
from supportbot.llm.types import Usage


class Reservations:
    """The reservations of one call, made or in progress."""

    def __init__(self) -> None:
        self._taking: list[asyncio.Task[tuple[budget.Reservation, ...]]] = []

    def __bool__(self) -> bool:
        return bool(self._taking)

    async def take(self, provider: Provider | EmbeddingProvider, most: Usage, *, purpose: str) -> None:
        """Reserve the price of `most` at this provider in the budget of the purpose. Raises BudgetExceeded.

        Shielded: if the caller is cancelled at this moment, the reservation is still known and gets released.
        """
        price = None if provider.is_local or not budget.is_limited(purpose) else price_at(provider, provider.model)
        if price is None:
            return
        taking = asyncio.create_task(db(budget.reserve, price.of(most), purpose))
        self._taking.append(taking)
        await asyncio.shield(taking)

    async def taken(self) -> list[budget.Reservation]:
        """Return the reservations to settle, after waiting for those in progress."""
        taken: list[budget.Reservation] = []
        for taking in self._taking:
            try:
                taken += await taking
            except (BudgetExceeded, AnyDatabaseError):
                continue  # nothing was taken
        return taken
