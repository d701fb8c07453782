"""Database settings, and a condition for many ids, for pages that read many rows, such as an overview, a search or a
report.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import connection, transaction
from django.db.models import BooleanField, Func, UUIDField, Value

_SETTINGS: Final = (
    "SELECT set_config('jit', 'off', true), set_config('work_mem', '64MB', true), "
    "set_config('max_parallel_workers_per_gather', '0', true)"
)


@contextmanager
def wide_reads() -> Iterator[None]:
    """Run the queries in this block with settings for reading a hundred thousand rows. Nothing else changes.

    By default, PostgreSQL compiles queries that it expects to be expensive, which takes longer than running them. It
    may also give them the processors that chats need. In addition, the positions of a common word do not fit into the
    usual 4 MB, so every row on the pages with this word would be read and checked again.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_SETTINGS)
        yield


class IdIn(Func):
    """True for rows whose column is one of the ids. All ids are sent as one parameter.

    Django's own condition, `__in`, makes each id a parameter, which takes 10 ms for a thousand of them.
    """

    arg_joiner = " = ANY"
    template = "(%(expressions)s)"
    output_field = BooleanField()

    def __init__(self, column: str, ids: Sequence[UUID]) -> None:
        super().__init__(column, Func(Value(ids, output_field=ArrayField(UUIDField())), template="(%(expressions)s)"))
