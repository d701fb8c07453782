"""The only way from coroutines to the database.

Channels' own helper runs every query of a process on one shared thread, so a single slow search stalls every chat. This
one has an executor as large as the connection pool. Context variables (the workspace scope) are passed on.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.conf import settings

P = ParamSpec("P")
T = TypeVar("T")

_executor = ThreadPoolExecutor(max_workers=settings.DATABASE_POOL_SIZE, thread_name_prefix="db")
# Uses some of the pool's eight connections beyond those of the executor.
_outside_executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="outside")


async def db(service: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a synchronous service or selector in a database thread and return what it returns."""
    crossing = database_sync_to_async(service, thread_sensitive=False, executor=_executor)
    return await crossing(*args, **kwargs)


async def outside(service: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a synchronous service that calls an external system. It has a few threads of its own, so that a slow shop
    does not block other chats."""
    crossing = database_sync_to_async(service, thread_sensitive=False, executor=_outside_executor)
    return await crossing(*args, **kwargs)
