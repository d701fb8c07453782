"""Database settings for reading many rows for one page: overviews, searches, reports."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import connection, transaction

_SETTINGS: Final = (
    "SELECT set_config('jit', 'off', true), set_config('work_mem', '64MB', true), "
    "set_config('max_parallel_workers_per_gather', '0', true)"
)


@contextmanager
def wide_reads() -> Iterator[None]:
    """Run the queries in this block with settings for reading a hundred thousand rows; nothing else is changed.

    By default, PostgreSQL compiles queries that it expects to be expensive, which takes longer than running them, and
    may give them the processors that chats need. Also, the positions of a common word do not fit into the usual 4 MB,
    so every row on their pages would be read and checked again.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_SETTINGS)
        yield
