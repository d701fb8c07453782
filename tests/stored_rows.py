"""Rows of a whole database, read once and written again: this is far faster than creating them with services."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Model
from psycopg import sql

from supportbot.accounts.models import Workspace
from supportbot.ids import uuid7
from tests.emptying import KEPT

M = TypeVar("M", bound=Model)

_ID: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_created: dict[str, tuple["StoredRows", UUID, Model]] = {}


def created_once(name: str, workspace: Workspace, create: Callable[[], M]) -> M:
    """Return the row that `create` creates, along with all rows that it writes.

    It is called once. Later calls copy its rows into their workspace, with new ids in the same order, since caches of
    the process know the old ones. Rows whose digest depends on their ids cannot be copied.
    """
    if name not in _created:
        before = StoredRows.read()
        made = create()
        _created[name] = (StoredRows.read().without(before), workspace.pk, made)
        return made
    rows, first, made = _created[name]
    ids = rows.new_ids({first: workspace.pk})
    rows.with_ids(ids).write()
    return type(made)._base_manager.get(pk=ids[made.pk])


@dataclass(frozen=True, slots=True)
class StoredRows:
    by_table: dict[str, bytes]

    @classmethod
    def read(cls) -> "StoredRows":
        """Return the rows that this connection sees, except those that migrations wrote."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL(%s)", [list(KEPT)]
            )
            tables = [name for (name,) in cursor.fetchall()]
            found = {}
            for table in tables:
                with cursor.copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copied:
                    found[table] = b"".join(copied)
        return cls({table: rows for table, rows in found.items() if rows})

    def without(self, earlier: "StoredRows") -> "StoredRows":
        """Return the rows that have been added since, provided that no other row has changed."""
        added = {}
        for table, rows in self.by_table.items():
            known = set(earlier.by_table.get(table, b"").splitlines())
            lines = rows.splitlines(keepends=True)
            added[table] = b"".join(line for line in lines if line.rstrip(b"\n") not in known)
            assert len(known) == len(lines) - added[table].count(b"\n"), f"rows of {table} have changed"
        return StoredRows({table: rows for table, rows in added.items() if rows})

    def new_ids(self, known: dict[UUID, UUID]) -> dict[Any, UUID]:
        """Return a new id for each of the rows' ids, in the same order, and the known ones."""
        found = {UUID(text.decode()) for rows in self.by_table.values() for text in _ID.findall(rows)} - known.keys()
        return {**dict(zip(sorted(found), sorted(uuid7() for _ in found), strict=True)), **known}

    def with_ids(self, ids: dict[Any, UUID]) -> "StoredRows":
        texts = {str(old).encode(): str(new).encode() for old, new in ids.items()}
        return StoredRows(
            {table: _ID.sub(lambda found: texts[found[0]], rows) for table, rows in self.by_table.items()}
        )

    def write(self) -> None:
        """Write the rows into an empty database. No trigger runs, since all ran when the rows were created."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for table, rows in self.by_table.items():
                with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copied:
                    copied.write(rows)
            cursor.execute("SET LOCAL session_replication_role = DEFAULT")
