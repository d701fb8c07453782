"""The demo's gates are set completely or not at all."""

import pytest

from supportbot.accounts.models import Workspace
from supportbot.demo import workspace as demo_workspace
from supportbot.evals.models import Suite
from supportbot.releases.selectors import gates

pytestmark = pytest.mark.django_db


def test_an_interrupted_start_is_completed_by_the_next(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_off(*args: object, **options: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(demo_workspace, "name_gates", broken_off)
        with pytest.raises(SystemExit):
            demo_workspace.set_gates(workspace)
    assert not Suite.objects.exists() and gates() == []
    demo_workspace.set_gates(workspace)
    assert gates() == list(demo_workspace.SUITES)
