"""Writing an announcement and delivering what is due.

Invariants: an announcement is written in the transaction of the change it tells of. It counts as delivered in the
transaction of its consumers, so a consumer that dies is asked again. While an object's older announcement is
undelivered, its newer ones wait; once it is parked they pass, and one that is heard has told for it, since all say the
same: look at this object.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.module_loading import import_string

from supportbot.outbox import wakeup
from supportbot.outbox.models import Announcement

logger = logging.getLogger(__name__)
Consumer = Callable[[Announcement], None]
MAX_PAUSE: Final = timedelta(minutes=5)
# About twenty minutes of trying. An outage of the database does not count: then nothing can be written down.
MAX_ATTEMPTS: Final = 12
KEPT_AFTER_DELIVERY: Final = timedelta(days=7)


def announce(topic: str, object_id: UUID, *, workspace_id: UUID) -> None:
    """Tell the rooms above that something happened to an object. Call inside the transaction of the change."""
    if topic not in settings.OUTBOX_CONSUMERS:
        raise ValueError(f"Nobody consumes the topic {topic}: add it to OUTBOX_CONSUMERS.")
    Announcement.objects.create(topic=topic, object_id=object_id, workspace_id=workspace_id)
    transaction.on_commit(wakeup.notify, robust=True)


def deliver_due(limit: int = 100, *, is_ending: Callable[[], bool] = lambda: False) -> int:
    """Deliver up to `limit` due announcements, oldest first; return how many were handled, successes or not.

    Nothing more is begun once `is_ending` says so.
    """
    handled = 0
    while handled < limit and (due := _due(limit - handled)):
        before = handled
        for announcement_id in due:
            if is_ending():
                return handled
            handled += _deliver_one(announcement_id)
        if handled == before:  # others are at all of them
            break
    return handled


def _due(limit: int) -> list[int]:
    """Return the ids of those that may be delivered, oldest first: the next of each object, if its time has come.

    Asked for one by one, and as "no older one of this object", ten thousand that wait cost a minute each: the planner
    knows of none, since none waited when it last looked, and compares every one with every other.
    """
    moving = Announcement.objects.filter(delivered_at=None, parked_at=None)
    next_of_each = moving.order_by("object_id", "id").distinct("object_id").values("pk")
    due = Announcement.objects.filter(pk__in=next_of_each, due_at__lte=Now())
    return list(due.order_by("pk").values_list("pk", flat=True)[:limit])


def _deliver_one(announcement_id: int) -> bool:
    """Return whether it was this process's to deliver."""
    announcement: Announcement | None = None
    try:
        with transaction.atomic():
            announcement = _claim(announcement_id)
            if announcement is None:
                return False
            for consumer in consumers(announcement.topic):
                with _scope_of(announcement):
                    consumer(announcement)
            _mark_delivered(announcement)
    except Exception as error:
        # The edge of a consumer's work: whatever it raised, the relay goes on and this announcement comes again.
        if announcement is None:
            raise
        logger.exception("outbox: %s not delivered", announcement)
        _postpone(announcement, error)
    return True


def _claim(announcement_id: int) -> Announcement | None:
    moving = Announcement.objects.filter(delivered_at=None, parked_at=None, due_at__lte=Now())
    return moving.select_for_update(skip_locked=True, no_key=True).filter(pk=announcement_id).first()


def _mark_delivered(announcement: Announcement) -> None:
    """Count it as delivered, and with it what was parked before it: whoever looked now has seen all there is."""
    same = Announcement.objects.filter(object_id=announcement.object_id, topic=announcement.topic)
    same.filter(delivered_at=None, id__lte=announcement.pk).update(delivered_at=Now(), parked_at=None)


def _postpone(announcement: Announcement, error: Exception) -> None:
    """Try again after a pause that grows, or park what was refused too often."""
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
    # A NUL or half a surrogate in an error's words would make the note itself fail, and the row come back for ever.
    return "".join(char if char.isprintable() else " " for char in text)


def _scope_of(announcement: Announcement) -> AbstractContextManager[None]:
    # The workspace scope belongs to a room above this one: it comes in by a setting.
    enter: Callable[[UUID], AbstractContextManager[None]] = import_string(settings.OUTBOX_SCOPE)
    return enter(announcement.workspace_id)


def consumers(topic: str) -> list[Consumer]:
    """Return the functions that hear a topic, as the settings name them."""
    return [import_string(path) for path in settings.OUTBOX_CONSUMERS.get(topic, [])]


def parked() -> QuerySet[Announcement]:
    """Return what was refused too often, oldest first, whatever workspace it belongs to."""
    return Announcement.objects.exclude(parked_at=None).filter(delivered_at=None).order_by("id")


def retry_parked(announcement_id: int | None = None) -> int:
    """Let one parked announcement, or all of them, be tried again from the start; return how many there were."""
    chosen = parked() if announcement_id is None else parked().filter(pk=announcement_id)
    released = chosen.update(parked_at=None, attempts=0, due_at=Now())
    wakeup.notify()
    return released


def purge_delivered() -> int:
    """Delete what was delivered a week ago; return how many rows went."""
    deleted, _ = Announcement.objects.filter(delivered_at__lt=timezone.now() - KEPT_AFTER_DELIVERY).delete()
    return deleted
