"""Whether a customer has the chat open. Only mail depends on it, so a cache is enough: forgotten counts as gone."""

from typing import Final
from uuid import UUID

from django.core.cache import cache

HERE_FOR_SECONDS: Final = 90


def note_customer_here(conversation_id: UUID) -> None:
    """Note that a socket of the customer's is open; repeat at least once a minute."""
    cache.set(_key(conversation_id), True, timeout=HERE_FOR_SECONDS)


def note_customer_gone(conversation_id: UUID) -> None:
    cache.delete(_key(conversation_id))


def is_customer_here(conversation_id: UUID) -> bool:
    return cache.get(_key(conversation_id)) is not None


def _key(conversation_id: UUID) -> str:
    return f"customer-here:{conversation_id}"
