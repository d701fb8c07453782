"""Limits on requests for tickets, and on a socket's frames.

A channel's key is public, and programs can claim any origin. A flood of anonymous requests must not lock out known
customers, so their requests are limited only by IP address and by customer.
"""

import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

from rest_framework.request import Request
from rest_framework.views import APIView

from supportbot.rate_counters import FailOpenThrottle, count
from supportbot.widget.errors import TooManyTickets

NEW_VISITORS_PER_MINUTE: Final = 6_000  # per channel, from all IP addresses together
TICKETS_PER_MINUTE: Final = 300  # per customer; every page and every reconnect needs one


class PerAddress(FailOpenThrottle):
    scope = "tickets"
    rate = "600/min"  # an office or a school shares one IP address, and every reconnect needs a ticket

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


def count_new_visitor(channel_id: UUID) -> None:
    """Count another new visitor of a channel. Raises TooManyTickets."""
    if count(f"new-visitors:{channel_id}", seconds=60) > NEW_VISITORS_PER_MINUTE:
        raise TooManyTickets("This chat has too many new visitors right now. Try again in a minute.")


def count_ticket(customer_id: UUID) -> None:
    """Count another ticket for a known customer. Raises TooManyTickets."""
    if count(f"tickets:{customer_id}", seconds=60) > TICKETS_PER_MINUTE:
        raise TooManyTickets()


class TokenBucket:
    """Limits one socket's frames to `burst` at once, and to `per_second` after that.

    `chat` limits how fast a customer may write.
    """

    __slots__ = ("_at", "_burst", "_clock", "_left", "_per_second")

    def __init__(self, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_second, self._clock = burst, per_second, clock
        self._left, self._at = burst, clock()

    def allows(self) -> bool:
        """Count another frame; return whether it is within the limit."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
