"""Builds indexes on tables that may be large and are in use.

PostgreSQL builds such an index outside a transaction. A killed migration therefore leaves behind an invalid index,
which slows down writes and is useless for queries. The next `migrate` replaces it.

A build waits for all older transactions, however long they take, and reports the oldest. Nothing queues behind the
build, as it would behind a change to the table, so the limit that `migrate` sets on waiting for locks does not apply.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from django.contrib.postgres.operations import AddIndexConcurrently, NotInTransactionMixin
from django.db import Error as AnyDatabaseError
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddConstraint
from django.db.migrations.state import ProjectState

from supportbot.postgresql.blocking_transactions import oldest_transaction

logger = logging.getLogger(__name__)
_CREATE: Final = "CREATE UNIQUE INDEX "


class AddBigIndex(AddIndexConcurrently):
    """Adds an index without blocking writers. It can be run again. Its migration must have `atomic = False`."""

    def database_forwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *states: Any) -> None:
        with _patience(schema_editor):
            if not _is_there(self.index.name, schema_editor):
                _report_wait(self.index.name, schema_editor)
                super().database_forwards(app_label, schema_editor, *states)


class AddBigUniqueIndex(NotInTransactionMixin, AddConstraint):
    """Adds a unique constraint that has a condition, in the same way as `AddBigIndex` adds an index.

    PostgreSQL implements such a constraint as an index. Adding it fails if the rows are not unique.
    """

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        self._ensure_not_in_transaction(schema_editor)
        statement = str(self.constraint.create_sql(to_state.apps.get_model(app_label, self.model_name), schema_editor))
        assert statement.startswith(_CREATE), "only a constraint with a condition is an index"
        with _patience(schema_editor):
            if not _is_there(self.constraint.name, schema_editor):
                _report_wait(self.constraint.name, schema_editor)
                schema_editor.execute(f"{_CREATE}CONCURRENTLY {statement.removeprefix(_CREATE)}")

    def database_backwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *states: Any) -> None:
        self._ensure_not_in_transaction(schema_editor)
        schema_editor.execute(_drop(self.constraint.name, schema_editor))


@contextmanager
def _patience(schema_editor: BaseDatabaseSchemaEditor) -> Iterator[None]:
    """Within this block, lift the limit on waiting for locks."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        [before] = cursor.fetchone() or ("0",)
        cursor.execute("SET lock_timeout = 0")
        try:
            yield
        finally:
            with suppress(AnyDatabaseError):  # the connection and its settings are already lost
                cursor.execute("SELECT set_config('lock_timeout', %s, false)", [before])


def _report_wait(name: str, schema_editor: BaseDatabaseSchemaEditor) -> None:
    with schema_editor.connection.cursor() as cursor:
        oldest = oldest_transaction(cursor)
    if oldest is not None:
        logger.warning(
            "The index %s is complete only when all transactions from before it have ended. The oldest: process %s "
            "(%s), open for %s s.",
            name, oldest.pid, oldest.program or "-", oldest.seconds,
        )  # fmt: skip


def _is_there(name: str, schema_editor: BaseDatabaseSchemaEditor) -> bool:
    """Return whether the index has been built completely. Drop an invalid index that a killed migration left behind."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [name])
        row = cursor.fetchone()
    if row is not None and not row[0]:
        schema_editor.execute(_drop(name, schema_editor))
    return row is not None and bool(row[0])


def _drop(name: str, schema_editor: BaseDatabaseSchemaEditor) -> str:
    return f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(name)}"
