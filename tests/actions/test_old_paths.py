"""Names that outlive a deployment still work until 0.3."""

from pathlib import Path
from typing import Any

import pytest
from django.utils.module_loading import import_string

from actions import erasure
from actions.tasks import write_down_heads


@pytest.mark.django_db
def test_the_old_name_of_the_checkpoint_task_still_runs(settings: Any, tmp_path: Path) -> None:
    settings.ACTIONS_AUDIT_HEADS = tmp_path / "heads.jsonl"
    assert write_down_heads.name == "actions.tasks.write_down_heads"
    write_down_heads()
    assert settings.ACTIONS_AUDIT_HEADS.exists()


@pytest.mark.parametrize("name", ["on_conversation_erased", "on_customer_forgotten"])
def test_the_old_paths_of_the_outbox_consumers_still_import(name: str) -> None:
    assert import_string(f"actions.forgetting.{name}") is getattr(erasure, name)
