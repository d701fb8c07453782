"""Celery's doors to the outbox, and the sign of life of its workers."""

import time

from celery import shared_task
from django.core.cache import cache

from supportbot.outbox.services import purge_delivered

HEARTBEAT_KEY = "worker-heartbeat"


@shared_task
def heartbeat() -> None:
    """Leave the moment (Unix seconds) at which a worker last did something; `/readyz` reads it."""
    cache.set(HEARTBEAT_KEY, time.time(), timeout=120)


@shared_task
def purge() -> None:
    purge_delivered()
