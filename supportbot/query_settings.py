"""Reading many rows for one page: overviews, searches, reports."""

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
    """Run the queries of the block with settings for reading a hundred thousand rows; changes nothing else.

    PostgreSQL compiles a query that it expects to be expensive, which takes longer than running it, and may give it the
    processors that chats need. The positions of a common word do not fit into the usual 4 MB, so every row on their
    pages would be read and checked again.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_SETTINGS)
        yield
