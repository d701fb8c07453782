"""Writes announcements, releases parked ones for new attempts, and deletes old ones.

Invariant: an announcement is written in the transaction of the change that it announces.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from supportbot.outbox import wakeup
from supportbot.outbox.models import Announcement

KEPT_AFTER_DELIVERY: Final = timedelta(days=7)
ROWS_OF_A_TRIAL: Final = 200  # about 80 kB


def announce(topic: str, object_id: UUID, *, workspace_id: UUID) -> None:
    """Announce to higher-level packages that an object has changed. Call this inside the transaction of the change."""
    announce_all(topic, [object_id], workspace_id=workspace_id)


def announce_all(topic: str, object_ids: Iterable[UUID], *, workspace_id: UUID) -> None:
    """Announce with one statement that several objects have changed in the same way."""
    if topic not in settings.OUTBOX_CONSUMERS:
        raise ValueError(f"The topic {topic} has no consumer. Add it to OUTBOX_CONSUMERS.")
    Announcement.objects.bulk_create(
        Announcement(topic=topic, object_id=object_id, workspace_id=workspace_id) for object_id in object_ids
    )
    transaction.on_commit(wakeup.notify, robust=True)


def count_due() -> int:
    """Return how many announcements are due: neither delivered nor parked, and not postponed after a failure."""
    return Announcement.objects.filter(delivered_at=None, parked_at=None, due_at__lte=Now()).count()


def parked() -> QuerySet[Announcement]:
    """Return the parked announcements of all workspaces, oldest first."""
    return Announcement.objects.exclude(parked_at=None).filter(delivered_at=None).order_by("id")


def retry_parked(announcement_id: int | None = None) -> int:
    """Release one parked announcement, or all of them, for new attempts; return how many there were."""
    chosen = parked() if announcement_id is None else parked().filter(pk=announcement_id)
    released = chosen.update(parked_at=None, attempts=0, due_at=Now())
    wakeup.notify()
    return released


def purge_delivered() -> int:
    """Delete announcements that were delivered more than a week ago; return how many rows were deleted."""
    deleted, _ = Announcement.objects.filter(delivered_at__lt=timezone.now() - KEPT_AFTER_DELIVERY).delete()
    return deleted


def try_to_write() -> None:
    """Write rows that are never committed. Raises a database error if the database is read-only or its disk is full.

    The rows need several new pages (about 80 kB), because a single row might still fit on an existing page. PostgreSQL
    does not free these pages until it cleans up, so call this no more often than necessary.
    """
    row = {"topic": "", "object_id": UUID(int=0), "workspace_id": UUID(int=0), "delivered_at": Now()}
    with transaction.atomic():
        Announcement.objects.bulk_create(Announcement(last_error="x" * 300, **row) for _ in range(ROWS_OF_A_TRIAL))
        transaction.set_rollback(True)
