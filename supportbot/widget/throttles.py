"""Limits on ticket requests.

A channel's key is public, and programs can claim any origin. A flood of anonymous requests must not lock out known
customers, so known customers are limited only by IP address and by customer.
"""

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
    """Count one more new visitor of a channel; raises TooManyTickets."""
    if count(f"new-visitors:{channel_id}", seconds=60) > NEW_VISITORS_PER_MINUTE:
        raise TooManyTickets("This chat has too many new visitors right now. Try again in a minute.")


def count_ticket(customer_id: UUID) -> None:
    """Count one more ticket of a known customer; raises TooManyTickets."""
    if count(f"tickets:{customer_id}", seconds=60) > TICKETS_PER_MINUTE:
        raise TooManyTickets()
