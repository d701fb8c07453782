"""Rows that all tests of a module share. They are created in a transaction around the module, in which each test undoes
only its own changes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from pytest_django.plugin import DjangoDbBlocker


@contextmanager
def rows_of_module(blocker: DjangoDbBlocker) -> Iterator[None]:
    """Keep the rows that a fixture of a module creates in this block until the module's last test; none may commit."""
    with blocker.unblock():
        around = transaction.atomic()
        around._from_testcase = True  # type: ignore[attr-defined]  # as Django marks its own, for tests/locks.py
        with around:
            yield
            transaction.set_rollback(True)
