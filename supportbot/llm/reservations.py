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
        self._taking: list[asyncio.Task[budget.Reservation]] = []

    def __bool__(self) -> bool:
        return bool(self._taking)

    async def take(self, provider: Provider | EmbeddingProvider, most: Usage) -> None:
        """Take what `most` costs at this provider. Raises BudgetExceeded.

        Shielded: when the caller stops at this very moment, the reservation is still known, and given back.
        """
        price = None if provider.is_local or budget.daily_allowance() is None else price_of(provider.model)
        if price is None:
            return
        taking = asyncio.create_task(db(budget.reserve, price.of(most)))
        self._taking.append(taking)
        await asyncio.shield(taking)

    async def taken(self) -> list[budget.Reservation]:
        """Return what is to be settled, once those under way have ended."""
        taken = []
        for reservation in self._taking:
            try:
                taken.append(await reservation)
            except (BudgetExceeded, AnyDatabaseError):
                continue  # nothing was taken
        return taken
