"""What one call takes from the day's budget, attempt by attempt, off the event loop.

Invariant: each paid attempt has a reservation of its own before it goes out, since the first may have been paid for
when the second begins.
"""

import asyncio

from django.db import Error as AnyDatabaseError

from supportbot.asyncdb import db
from supportbot.llm import budget
from supportbot.llm.errors import BudgetExceeded
from supportbot.llm.ports import EmbeddingProvider, Provider
from supportbot.llm.pricing import price_of
from supportbot.llm.types import Usage


class Reservations:
    """The reservations of one call, made and under way."""

    def __init__(self) -> None:
        self._taking: list[asyncio.Task[tuple[budget.Reservation, ...]]] = []

    def __bool__(self) -> bool:
        return bool(self._taking)

    async def take(self, provider: Provider | EmbeddingProvider, most: Usage, *, purpose: str) -> None:
        """Take what `most` costs at this provider from what the purpose may spend. Raises BudgetExceeded.

        Shielded: when the caller stops at this very moment, the reservation is still known, and given back.
        """
        price = None if provider.is_local or not budget.is_limited(purpose) else price_of(provider.model)
        if price is None:
            return
        taking = asyncio.create_task(db(budget.reserve, price.of(most), purpose))
        self._taking.append(taking)
        await asyncio.shield(taking)

    async def taken(self) -> list[budget.Reservation]:
        """Return what is to be settled, once those under way have ended."""
        taken: list[budget.Reservation] = []
        for taking in self._taking:
            try:
                taken += await taking
            except (BudgetExceeded, AnyDatabaseError):
                continue  # nothing was taken
        return taken
