"""Delivers due announcements, and handles those whose consumer fails.

Invariants: an announcement is marked as delivered in its consumers' transaction, so it is delivered again if a consumer
dies. As long as an older announcement about the same object is undelivered, newer ones wait. Once the older one is
parked, newer ones may pass. Delivering one of them also covers the parked one, because each only means that the object
has changed. Consumers of a topic in `OUTBOX_TOGETHER` take all due announcements of a workspace at once. If a consumer
raises an error, each is delivered alone, so only the one at fault is retried.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.module_loading import import_string

from supportbot.outbox.models import Announcement

logger = logging.getLogger(__name__)
Consumer = Callable[[Any], None]  # takes an announcement, or several: see `OUTBOX_TOGETHER`
MAX_PAUSE: Final = timedelta(minutes=5)
# About twenty minutes of retries. A database outage does not count, because attempts cannot be recorded then.
MAX_ATTEMPTS: Final = 12


def deliver_due(
    limit: int = 100, *, without: Collection[str] = (), is_ending: Callable[[], bool] = lambda: False
) -> int:
    """Deliver up to `limit` due announcements, oldest first, leaving out the topics in `without`. Return how many were
    handled, whether or not delivery succeeded.

    Once `is_ending` returns True, no further announcement is delivered.
    """
    handled = 0
    while handled < limit and (due := _due(limit - handled, without)):
        before = handled
        for ids in due:
            if is_ending():
                return handled
            handled += _deliver(ids)
        if handled == before:  # other relays have claimed all of them
            break
    return handled


def _due(limit: int, without: Collection[str]) -> list[list[int]]:
    """Return the ids of the announcements to deliver, oldest first: each object's next announcement, if it is due.
    Those that are delivered together are in one list.

    With a backlog of ten thousand, a NOT EXISTS query for older ones would take a minute: the planner's statistics date
    from when there was no backlog, so it would compare every row with every other row.
    """
    moving = Announcement.objects.filter(delivered_at=None, parked_at=None)
    next_of_each = moving.order_by("object_id", "id").distinct("object_id").values("pk")
    due = Announcement.objects.filter(pk__in=next_of_each, due_at__lte=Now()).exclude(topic__in=without)
    groups: dict[object, list[int]] = {}
    for pk, topic, workspace_id in due.order_by("pk").values_list("pk", "topic", "workspace_id")[:limit]:
        groups.setdefault((topic, workspace_id) if topic in settings.OUTBOX_TOGETHER else pk, []).append(pk)
    return list(groups.values())


def _deliver(ids: Sequence[int]) -> int:
    """Deliver announcements in one transaction or, if that fails, each alone. Return how many were claimed here."""
    claimed: list[Announcement] = []
    try:
        with transaction.atomic():
            claimed = _claim(ids)
            if claimed:
                _consume(claimed)
                _mark_delivered(claimed)
    except Exception as error:
        # Catch every error: the relay continues and this announcement is retried, whatever the consumer raises.
        if not claimed:
            raise
        if len(claimed) > 1:
            return sum(_deliver([one.pk]) for one in claimed)
        logger.exception("outbox: %s not delivered", claimed[0])
        _postpone(claimed[0], error)
    return len(claimed)


def _claim(ids: Sequence[int]) -> list[Announcement]:
    moving = Announcement.objects.filter(delivered_at=None, parked_at=None, due_at__lte=Now())
    return list(moving.select_for_update(skip_locked=True, no_key=True).filter(pk__in=ids).order_by("pk"))


def _consume(claimed: list[Announcement]) -> None:
    first = claimed[0]
    for consumer in consumers(first.topic):
        with _scope_of(first):
            consumer(claimed if first.topic in settings.OUTBOX_TOGETHER else first)


def _mark_delivered(claimed: Sequence[Announcement]) -> None:
    """Mark announcements as delivered, and older parked ones too, because the consumer has seen the current state."""
    same = Announcement.objects.filter(topic=claimed[0].topic, delivered_at=None)
    parked_ones = Q(object_id__in=[one.object_id for one in claimed], parked_at__isnull=False, id__lt=claimed[-1].pk)
    same.filter(Q(pk__in=[one.pk for one in claimed]) | parked_ones).update(delivered_at=Now(), parked_at=None)


def _postpone(announcement: Announcement, error: Exception) -> None:
    """Schedule a retry after a growing delay, or park the announcement if it has failed too often."""
    tried, moment = announcement.attempts + 1, timezone.now()
    if tried >= MAX_ATTEMPTS:
        logger.error("outbox: %s parked after %s attempts: see `manage.py outbox_parked`", announcement, tried)
    Announcement.objects.filter(pk=announcement.pk, delivered_at=None).update(
        attempts=F("attempts") + 1,
        due_at=moment + min(timedelta(seconds=2 ** min(tried - 1, 10)), MAX_PAUSE),
        last_error=_printable(f"{type(error).__name__}: {error}")[:300],
        parked_at=moment if tried >= MAX_ATTEMPTS else None,
    )


def _printable(text: str) -> str:
    # With a NUL or lone surrogate in the message, this update would fail, and the row would be retried forever.
    return "".join(char if char.isprintable() else " " for char in text)


def _scope_of(announcement: Announcement) -> AbstractContextManager[None]:
    # The workspace scope belongs to a higher package, so a setting refers to it.
    enter: Callable[[UUID], AbstractContextManager[None]] = import_string(settings.OUTBOX_SCOPE)
    return enter(announcement.workspace_id)


def consumers(topic: str) -> list[Consumer]:
    """Return a topic's consumers, which the settings list."""
    return [import_string(path) for path in settings.OUTBOX_CONSUMERS.get(topic, [])]
