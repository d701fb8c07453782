"""Tests begin with published documents stored as rows, which must be those that services would store."""

from collections.abc import Callable
from typing import Any

import pytest

from actions.definitions.models import ActionDefinition, ActionDefinitionVersion, DefinitionCase
from actions.models import ActionPolicy, ActionPolicyVersion, AuditEntry
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from tests.actions.defined import conftest
from tests.actions.defined.conftest import bilingual, document

pytestmark = pytest.mark.django_db
TABLES = (ActionDefinition, ActionDefinitionVersion, DefinitionCase, ActionPolicy, ActionPolicyVersion)
DIFFERENT = ("id", "workspace_id", "created_at", "published_at", "current_id", "definition_id", "policy_id")


def rows() -> list[dict[str, Any]]:
    found = [row for table in TABLES for row in table.objects.order_by("pk").values()]
    return [{name: value for name, value in row.items() if name not in DIFFERENT} for row in found]


@pytest.mark.parametrize("made", [document(), bilingual(document(kind="at_most_once"))])
def test_a_document_that_was_published_before_is_stored_as_services_publish_it(
    made: dict[str, Any], put_in_force: Callable[[dict[str, Any]], None], other_workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(conftest, "published", {})
    put_in_force(made)
    assert AuditEntry.objects.filter(event="definition.published").exists()
    by_services = rows()
    with workspace_scope(other_workspace.pk):
        put_in_force(made)
        assert not AuditEntry.objects.filter(event="definition.published").exists()
        assert rows() == by_services and len(by_services) == len(TABLES)
