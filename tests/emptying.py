"""Empty the database after a test that committed, and check the constraints after another one.

Django truncates every table and recreates permissions and content types, which takes half a second per test. Here, only
the few existing rows are deleted, and rows written by migrations stay. The connection stays too: a new one would have
to load every table's metadata first, which costs ten times as much as emptying.
"""

from typing import Final

from django.db import connection
from django.test import TestCase, TransactionTestCase
from psycopg.pq import TransactionStatus

KEPT: Final = ("auth_permission", "django_content_type", "django_migrations")  # migrations fill them
# As a replica, the session runs no triggers: foreign keys are not checked, and protected rows can be deleted.
EMPTY = f"""
DO $$
DECLARE name text;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public'
        AND tablename NOT IN {KEPT}
    LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
END $$
"""


def empty_quickly() -> None:
    """End every transactional test this way."""
    TransactionTestCase._fixture_teardown = _empty  # type: ignore[method-assign]
    TransactionTestCase._should_reload_connections = lambda case: False  # type: ignore[attr-defined]  # private to Django


def check_constraints_once() -> None:
    """End every other test with two statements. Django sends two more: one asks whether the connection is usable, which
    it knows itself, and one defers constraints again, which the end of the transaction does.
    """
    TestCase._fixture_teardown = _check_and_roll_back  # type: ignore[method-assign]


def _empty(case: TransactionTestCase) -> None:
    with connection.cursor() as cursor:
        cursor.execute(EMPTY)


def _can_check() -> bool:
    raw = connection.connection
    return (
        raw is not None and not connection.needs_rollback and raw.info.transaction_status == TransactionStatus.INTRANS
    )


def _check_and_roll_back(case: TestCase) -> None:
    try:
        if _can_check():
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    finally:
        case._rollback_atomics(case.atomics)  # type: ignore[attr-defined]  # private to Django
