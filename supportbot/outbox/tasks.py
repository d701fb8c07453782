"""Celery tasks of the outbox, and the workers' heartbeat."""

import time

from celery import shared_task
from django.core.cache import cache

from supportbot.outbox.services import purge_delivered

HEARTBEAT_KEY = "worker-heartbeat"


@shared_task
def heartbeat() -> None:
    """Store the time (Unix seconds) of a worker's last activity, which `/readyz` reads."""
    cache.set(HEARTBEAT_KEY, time.time(), timeout=120)


@shared_task
def purge() -> None:
    purge_delivered()
