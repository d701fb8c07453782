"""An empty task, and a record of when each task started; the measured worker loads this in addition to the product."""

import os
import time
from typing import Any

import redis
from celery import shared_task
from celery.signals import task_prerun

KEY_OF_STARTS = "bench:start:"
SECONDS_KEPT = 60
_notes = redis.Redis.from_url(f"{os.environ['REDIS_URL']}/3")


@shared_task(name="bench.nothing")
def nothing(workspace: str, name: str) -> None:
    """Accept the arguments of an action's message and do nothing."""


@task_prerun.connect
def note_start(args: tuple[Any, ...] = (), **_: Any) -> None:
    moment = time.time()
    if len(args) == 2:  # (workspace, request): an action's message, or `nothing`
        _notes.rpush(f"{KEY_OF_STARTS}{args[1]}", moment)
        _notes.expire(f"{KEY_OF_STARTS}{args[1]}", SECONDS_KEPT)


def started_within(name: str, seconds: float) -> float | None:
    """Wait for a task of this name and return when it started, or None if none has started within these seconds."""
    found: Any = _notes.blpop([f"{KEY_OF_STARTS}{name}"], timeout=seconds)  # Any: typed for both of redis' clients
    return None if found is None else float(found[1])
