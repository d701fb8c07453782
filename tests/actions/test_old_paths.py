"""Names that outlive a deployment still work until 0.3."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actions.tasks import write_down_heads
from supportbot.settings import BASE_DIR
from tests.patience import PATIENCE_SECONDS


@pytest.mark.django_db
def test_the_old_name_of_the_checkpoint_task_still_runs(settings: Any, tmp_path: Path) -> None:
    settings.ACTIONS_AUDIT_HEADS = tmp_path / "heads.jsonl"
    assert write_down_heads.name == "actions.tasks.write_down_heads"
    write_down_heads()
    assert settings.ACTIONS_AUDIT_HEADS.exists()


OUTDATED = """
from actions.catalogue.cancel_order import CancelOrder


class Gift(CancelOrder):
    name = "send_gift"

    def suits(self, order):
        return True


ACTION = Gift()
"""
CHECK = """
import sys
import actions.catalogue, manage
actions.catalogue.__path__.append(sys.argv[1])
sys.argv = ["manage.py", "check"]
sys.exit(manage.main())
"""


@pytest.mark.long
def test_an_action_with_an_old_method_name_stops_the_start_with_a_message(tmp_path: Path) -> None:
    (tmp_path / "send_gift.py").write_text(OUTDATED)
    command = [sys.executable, "-c", CHECK, str(tmp_path)]
    answer = subprocess.run(
        command, cwd=BASE_DIR, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert answer.returncode == 1
    assert answer.stderr == "Error: actions.catalogue.send_gift: rename Gift.suits to is_applicable.\n"
