"""Migrations since the first release that may run while the previous version serves: they only add. Anything else is
reviewed here manually, with the reason why the previous version keeps working.
"""

from collections.abc import Iterator
from typing import Final

import pytest
from django.apps import apps
from django.contrib.postgres.indexes import GinIndex
from django.core.management import call_command
from django.db import NotSupportedError, connection, migrations, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.test.utils import CaptureQueriesContext

from supportbot.commands import OWN_PACKAGES
from supportbot.concurrent_indexes import AddBigIndex, AddBigUniqueIndex

# The newest migration of each app at commit 196b70e; upgrades from earlier versions stop the old version first.
FIRST: Final = {
    "accounts": 2, "actions": 4, "chat": 3, "handoff": 2, "kb": 6, "llm": 1, "outbox": 2, "widget": 2,
}  # fmt: skip
REVIEWED: Final = {
    "actions.0005_subjects": "A trigger fills the subject of a request that the former version writes.",
    "actions.0006_orders_are_subjects": "Fills new columns of old rows, in batches; the former version reads others.",
    "actions.0007_subjects_are_terms": "The guard also keeps the new columns, which the former version never changes.",
    "actions.0010_definitions": "Rules for tables that are made here.",
    "actions.0015_undo": "The guard also keeps a new column, which the former version never fills.",
    "actions.0016_undone_once": "Unique are rows with a column that the former version never fills.",
    "actions.0020_drafts_may_be_deleted": "A trigger lets rows go that the former version never deletes.",
    "chat.0008_answered_before": "Fills a column of the chats of 0.1, before which everything is stopped.",
    "chat.0012_withheld_answers": "Renames a field, neither its column nor its index.",
    "evals.0015_changes_together": "Two columns may be empty now, in rows that the former version does not write.",
    "kb.0008_sources": "Checks a column that is added here and empty: the lock is held for a look at the catalogue.",
    "kb.0010_held_pages": "Changes a column of a table that the former version does not know.",
    "kb.0013_care": "An index over articles with a reviewer: no row has one yet.",
    "kb.0015_addresses": "Constraints over columns that are added here and empty.",
    "kb.0021_picture_formats": "Renames a field, not its column; the index is over at most 5,000 rows per workspace.",
    "kb.0024_categories_of_articles": "Fills a table that the former version does not know.",
    "llm.0002_budget_of_a_purpose": "The former version's budgets have the new column's default, so they stay unique.",
    "llm.0006_skipped_calls": "Names an outcome that the former version does not write; the table stays the same.",
    "releases.0002_immutable": "Rules for a table that the former version does not know.",
}

FOUND: Final = """
SELECT indisvalid, pg_get_indexdef(indexrelid) FROM pg_index WHERE indexrelid = 'channel_tried'::regclass"""


def own_migrations() -> Iterator[tuple[str, Migration]]:
    ours = {app.label for app in apps.get_app_configs() if app.name.partition(".")[0] in OWN_PACKAGES}
    for (app, name), migration in sorted(MigrationLoader(None, ignore_no_migrations=True).disk_migrations.items()):
        if app in ours and int(name[:4]) > FIRST.get(app, 0):
            yield f"{app}.{name}", migration


def only_adds(migration: Migration) -> bool:
    made = {one.name.lower() for one in migration.operations if isinstance(one, migrations.CreateModel)}
    return all(_adds(one, made) for one in migration.operations)


def _adds(operation: object, made: set[str]) -> bool:
    match operation:
        case migrations.CreateModel() | AddBigIndex():
            return True
        case migrations.AddField():
            return operation.field.null or operation.field.has_db_default() or operation.model_name_lower in made
        case migrations.AddIndex() | migrations.AddConstraint():
            return operation.model_name_lower in made
    return False


def test_migrations_that_do_more_than_add_are_reviewed() -> None:
    assert {name for name, one in own_migrations() if not only_adds(one)} == REVIEWED.keys()


def test_a_column_without_a_database_default_is_refused() -> None:
    """The previous version writes rows without it."""
    field = models.BooleanField(default=False)
    assert not _adds(migrations.AddField("message", "is_new", field), set())
    assert _adds(migrations.AddField("message", "is_new", models.BooleanField(db_default=False)), set())
    assert not _adds(migrations.RemoveField("message", "text"), set())
    assert not _adds(migrations.AddIndex("message", models.Index(fields=["seq"], name="x")), set())


BIG: Final = [
    (AddBigIndex("channel", GinIndex(fields=["allowed_origins"], name="channel_tried")), "USING gin"),
    (
        AddBigUniqueIndex(
            "channel",
            models.UniqueConstraint(fields=["name"], condition=models.Q(("name", "tried")), name="channel_tried"),
        ),
        "CREATE UNIQUE INDEX",
    ),
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("operation", "says"), BIG)
def test_an_index_that_a_killed_migration_left_unfinished_is_rebuilt(operation: AddBigIndex, says: str) -> None:
    before = MigrationLoader(connection).project_state()
    after: ProjectState = before.clone()
    operation.state_forwards("accounts", after)
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX channel_tried ON accounts_channel (name)")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'channel_tried'::regclass")
        try:
            for _ in range(2):  # a finished index stays
                with CaptureQueriesContext(connection) as queries, connection.schema_editor(atomic=False) as editor:
                    operation.database_forwards("accounts", editor, before, after)
                made = [one["sql"] for one in queries if one["sql"].startswith("CREATE")]
                assert all(" INDEX CONCURRENTLY " in one for one in made)
                cursor.execute(FOUND)
                [(is_valid, definition)] = cursor.fetchall()
                assert is_valid and says in definition
            assert made == []
            with connection.schema_editor(atomic=False) as editor:
                operation.database_backwards("accounts", editor, after, before)
            cursor.execute("SELECT to_regclass('channel_tried')")
            assert cursor.fetchone() == (None,)
        finally:
            cursor.execute("DROP INDEX IF EXISTS channel_tried")


@pytest.mark.django_db
@pytest.mark.parametrize("operation", [operation for operation, _ in BIG])
def test_an_index_of_a_large_table_is_not_built_in_a_transaction(operation: AddBigIndex) -> None:
    state = MigrationLoader(connection).project_state()
    operation.state_forwards("accounts", state)
    with pytest.raises(NotSupportedError), connection.schema_editor(atomic=False) as editor:
        operation.database_forwards("accounts", editor, state, state)


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    own = [app.label for app in apps.get_app_configs() if app.name.partition(".")[0] in OWN_PACKAGES]
    call_command("makemigrations", *own, check=True, dry_run=True, verbosity=1)
