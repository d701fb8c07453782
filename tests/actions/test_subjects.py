"""The subject of a request: a kind of record and its id, for limits, cards and REST."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.db import connection
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from actions.models import ActionRequest, LedgerEntry
from actions.serializers import ActionRequestSerializer
from supportbot.ids import uuid7

pytestmark = pytest.mark.django_db


def test_a_request_and_its_ledger_entry_name_their_subject(queued: ActionRequest) -> None:
    entry = LedgerEntry.objects.get()
    for row in (queued, entry):
        assert (row.subject_kind, row.subject_id, row.order_id) == ("order", "A-1001", "A-1001")
    shown = ActionRequestSerializer(queued).data
    assert (shown["subject"], shown["order_id"]) == ({"kind": "order", "id": "A-1001"}, "A-1001")


def test_rows_of_the_previous_release_get_their_subject(queued: ActionRequest) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        # The migration runs before the trigger forbids changes of the subject.
        cursor.execute("ALTER TABLE actions_actionrequest DISABLE TRIGGER actions_request_guarded")
        for table in ("actions_actionrequest", "actions_ledgerentry"):
            cursor.execute(f"UPDATE {table} SET subject_kind = '', subject_id = ''")
    fill = import_module("actions.migrations.0006_orders_are_subjects").fill
    for _ in range(2):  # it may run again
        fill(None, SimpleNamespace(connection=connection))
        for row in (ActionRequest.objects.get(), LedgerEntry.objects.get()):
            assert (row.subject_kind, row.subject_id) == ("order", "A-1001")


def test_a_process_of_the_previous_release_still_names_the_subject(queued: ActionRequest) -> None:
    """During an upgrade, it inserts rows without the new columns."""
    queued.pk, queued.state, queued.proposal_key = uuid7(), "proposed", "turn:2:1"
    queued.asked_digest, queued.subject_kind, queued.subject_id = "other", "", ""
    queued.save(force_insert=True)
    queued.refresh_from_db()
    assert (queued.subject_kind, queued.subject_id) == ("order", "A-1001")


def test_the_migrations_match_the_models() -> None:
    loader = MigrationLoader(connection)
    found = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(import_module("django.apps").apps))
    assert "actions" not in found.changes(graph=loader.graph)
