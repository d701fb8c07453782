"""Makes locks in tests behave as in production: outside a transaction of the code, they are refused."""

from typing import Any

from django.db.models.sql.compiler import SQLCompiler
from django.db.transaction import TransactionManagementError


def refuse_locks_outside_transactions() -> None:
    """Refuse `select_for_update` outside a transaction of the code, as Django does in production. Otherwise, the
    transaction around each test would hide the mistake.
    """
    as_sql = SQLCompiler.as_sql

    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        blocks = self.connection.atomic_blocks
        if self.query.select_for_update and all(block._from_testcase for block in blocks):
            raise TransactionManagementError("select_for_update cannot be used outside of a transaction.")
        return as_sql(self, *args, **kwargs)

    SQLCompiler.as_sql = checked
