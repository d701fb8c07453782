"""A database constraint that Django lacks: a child row belongs to the same workspace as its parent."""

from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.constraints import BaseConstraint


class SameWorkspace(BaseConstraint):
    """A foreign key from (parent, workspace) to (id, workspace) of the parent's table, checked at commit.

    The parent needs a unique constraint on (id, workspace). The Django foreign key itself has `db_constraint=False`,
    because this constraint covers it.
    """

    def __init__(self, parent: str, *, name: str) -> None:
        super().__init__(name=name)
        self.parent = parent

    def constraint_sql(self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None) -> str:
        """Return nothing for CREATE TABLE, because the parent may not exist yet. The SQL runs after the migration."""
        assert schema_editor is not None
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))
        return ""

    def create_sql(self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None) -> str:
        assert model is not None and schema_editor is not None  # Django passes both
        quote = schema_editor.quote_name
        field = model._meta.get_field(self.parent)
        assert isinstance(field, models.ForeignKey)
        assert field.column is not None
        parent_table = quote(field.remote_field.model._meta.db_table)
        return (
            f"ALTER TABLE {quote(model._meta.db_table)} ADD CONSTRAINT {quote(self.name)} "
            f"FOREIGN KEY ({quote(field.column)}, workspace_id) REFERENCES {parent_table} (id, workspace_id) "
            "DEFERRABLE INITIALLY DEFERRED"
        )

    def remove_sql(self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None) -> str:
        assert model is not None and schema_editor is not None
        quote = schema_editor.quote_name
        return f"ALTER TABLE {quote(model._meta.db_table)} DROP CONSTRAINT {quote(self.name)}"

    def validate(self, model: type[models.Model], instance: models.Model, *args: Any, **kwargs: Any) -> None:
        """Do nothing. The database checks this, and services never take the workspace from input."""

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        path, _, kwargs = super().deconstruct()
        return path, (self.parent,), kwargs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SameWorkspace) and self.deconstruct() == other.deconstruct()

    def __hash__(self) -> int:
        return hash((self.parent, self.name))
