"""Tracks whether customers have the chat open. Only e-mails depend on this, so a cache is enough."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final
from uuid import UUID

from django.core.cache import cache

from supportbot.rate_counters import CACHE_AWAY

PRESENT_FOR_SECONDS: Final = 90


def mark_customers_present(conversation_ids: Iterable[UUID]) -> None:
    """Mark the customers of these conversations as present. Call this at least once a minute."""
    with suppress(*CACHE_AWAY):
        cache.set_many({_key(one): True for one in conversation_ids}, timeout=PRESENT_FOR_SECONDS)


def mark_customers_absent(conversation_ids: Iterable[UUID]) -> None:
    with suppress(*CACHE_AWAY):
        cache.delete_many([_key(one) for one in conversation_ids])


def is_customer_present(conversation_id: UUID) -> bool:
    """Return whether the customer has the chat open.

    Returns False if the cache is unavailable, since an extra e-mail does no harm.
    """
    try:
        return cache.get(_key(conversation_id)) is not None
    except CACHE_AWAY:
        return False


def _key(conversation_id: UUID) -> str:
    return f"customer-here:{conversation_id}"
