"""The demo workspace is ready for actions: policies, the shop's address, and a lead who can approve."""

from pathlib import Path
from typing import Any

import pytest

from actions.approvers import approvers_of, forbid_approval
from actions.models import ActionPolicy, MerchantConnection
from actions.policy_store import policy_of, switch
from actions.registry import all_actions
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.demo import workspace as demo_workspace
from supportbot.installation.instance_secrets import ensure_secrets
from supportbot.installation.start_plan import plan_from_environment

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_knowledge_base(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A separate data directory, and no help pages."""
    settings.DATA_DIR = tmp_path / "data"
    monkeypatch.setattr(demo_workspace, "_import_knowledge", lambda workspace, data_dir: None)


def seed() -> Workspace:
    plan = plan_from_environment()
    demo_workspace.seed(plan, ensure_secrets(plan.data_dir))
    return Workspace.objects.get(slug="wrenfell")


def test_every_action_has_a_policy_and_the_lead_approves() -> None:
    with workspace_scope(seed().pk):
        policies = ActionPolicy.objects.all()
        assert {policy.action for policy in policies} == set(all_actions())
        # The admin is a superuser, which does not grant the right.
        assert {person.username for policy in policies for person in approvers_of(policy)} == {"daniel"}
        assert MerchantConnection.objects.get().base_url == "http://127.0.0.1:8100/merchant/v1"


@pytest.mark.long
def test_seeding_again_keeps_changed_rules() -> None:
    with workspace_scope(seed().pk):
        policy = policy_of("refund_order")
        assert policy is not None
        switch(policy, is_enabled=False, actor="test")
        forbid_approval(policy, User.objects.get(username="daniel"), actor="test")
        MerchantConnection.objects.update(base_url="https://shop.example/merchant/v1")
        seed()
        assert MerchantConnection.objects.get().base_url == "https://shop.example/merchant/v1"
        policy.refresh_from_db()
        assert not policy.is_enabled and approvers_of(policy) == []
