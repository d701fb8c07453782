"""Fill in the subject of rows that name only an order, in batches. Safe to stop and to run again."""

from typing import Any, Final

from django.db import migrations

BATCH: Final = 5_000
TABLES: Final = ("actions_actionrequest", "actions_ledgerentry")


def fill(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT 1 FROM {table} WHERE subject_kind = '' AND order_id <> '' LIMIT 1")
            is_left = cursor.fetchone() is not None
            while is_left:
                cursor.execute(
                    f"UPDATE {table} SET subject_kind = 'order', subject_id = order_id WHERE id IN "
                    f"(SELECT id FROM {table} WHERE subject_kind = '' AND order_id <> '' LIMIT {BATCH})"
                )
                is_left = cursor.rowcount > 0


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("actions", "0005_subjects")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
