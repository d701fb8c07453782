"""Indexes on tables that may have grown, built while they are in use.

PostgreSQL builds them outside a transaction, so a killed migration leaves an invalid index that slows down writes and
serves no query. The next `migrate` replaces it.
"""

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


class AddBigIndex(AddIndexConcurrently):
    """Adds an index without locking out writers; may be run again. Its migration has `atomic = False`."""

    def database_forwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *states: Any) -> None:
        found = self._is_valid(schema_editor)
        if found is False:
            schema_editor.execute(f"DROP INDEX CONCURRENTLY {schema_editor.quote_name(self.index.name)}")
        if not found:
            super().database_forwards(app_label, schema_editor, *states)

    def _is_valid(self, schema_editor: BaseDatabaseSchemaEditor) -> bool | None:
        """Return whether the index was built to its end; None if there is none."""
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [self.index.name])
            row = cursor.fetchone()
        return None if row is None else bool(row[0])
