"""Celery tasks for the outbox, and the workers' heartbeat."""

import time

from celery import shared_task
from django.core.cache import cache

from supportbot.outbox.services import purge_delivered

HEARTBEAT_KEY = "worker-heartbeat"


@shared_task
def heartbeat() -> None:
    """Store when a worker was last active, in Unix seconds. `/readyz` reads it."""
    cache.set(HEARTBEAT_KEY, time.time(), timeout=120)


@shared_task
def purge() -> None:
    purge_delivered()
