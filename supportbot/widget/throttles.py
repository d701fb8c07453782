"""How many tickets may be asked for.

A channel's key is public and outside a browser any origin can be claimed, so what strangers do must not shut the
channel for those who are known: they are limited by address and customer alone.
"""

from typing import Final
from uuid import UUID

from rest_framework.request import Request
from rest_framework.views import APIView

from supportbot.counting import FailOpenThrottle, count
from supportbot.widget.errors import TooManyTickets

NEW_VISITORS_PER_MINUTE: Final = 6_000  # of one channel, from all addresses together
TICKETS_PER_MINUTE: Final = 300  # of one customer: every page and every reconnect takes one


class PerAddress(FailOpenThrottle):
    scope = "tickets"
    rate = "600/min"  # an office or a school is one address, and every reconnect takes a ticket

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


def count_new_visitor(channel_id: UUID) -> None:
    """Count one more stranger on a channel; raises TooManyTickets."""
    if count(f"new-visitors:{channel_id}", seconds=60) > NEW_VISITORS_PER_MINUTE:
        raise TooManyTickets("This chat has very many new visitors right now: try again in a minute.")


def count_ticket(customer_id: UUID) -> None:
    """Count one more ticket of somebody who is known; raises TooManyTickets."""
    if count(f"tickets:{customer_id}", seconds=60) > TICKETS_PER_MINUTE:
        raise TooManyTickets()
