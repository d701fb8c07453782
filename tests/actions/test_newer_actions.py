"""A workspace that was connected before an action existed gets its rules without the shop's secret."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from actions.merchant_connection import connect_merchant
from actions.models import ActionPolicy, ActionPolicyUserPermission
from actions.registry import all_actions
from supportbot.accounts.models import User, Workspace

SECRET = "whsec_YW5vdGhlciBzZWNyZXQgYWx0b2dldGhlcg=="

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("workspace")]


def shown(name: str, *options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("action_policy", name, *options, "--json", stdout=out)
    facts: dict[str, Any] = json.loads(out.getvalue())
    return facts


@pytest.fixture
def connected_before(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection made before the cancel action existed."""
    older = {name: action for name, action in all_actions().items() if name != "cancel_order"}
    with monkeypatch.context() as patch:
        patch.setattr("actions.policy_store.code_actions", lambda: older)
        connect_merchant("https://shop.example/merchant/v1", SECRET, actor="system")


@pytest.mark.usefixtures("connected_before")
def test_a_new_action_stays_switched_off_until_someone_enables_it() -> None:
    result = shown("cancel_order")
    assert (result["is_enabled"], result["version"], result["approvers"]) == (False, 0, [])
    assert not ActionPolicy.objects.filter(action="cancel_order").exists()  # showing the rules changes nothing
    result = shown("cancel_order", "--disable")
    assert (result["is_enabled"], result["version"]) == (False, 1)
    assert shown("refund_order")["is_enabled"]
    assert not shown("cancel_order")["is_enabled"]
    assert shown("cancel_order", "--enable")["is_enabled"]


@pytest.mark.usefixtures("connected_before")
@pytest.mark.parametrize("secret", [SECRET, "whsec_YW5vdGhlciBzZWNyZXQgYWx0b2dldGhlcj8="])
def test_connecting_again_enables_nothing(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown("refund_order", "--disable")
    monkeypatch.setattr("sys.stdin", StringIO(f"{secret}\n"))
    out = StringIO()
    call_command("merchant_connect", "https://shop.example/merchant/v1", "--json", stdout=out)
    result = json.loads(out.getvalue())
    assert result["switched_off"] == ["cancel_order", "refund_order"] and "order_status" in result["actions"]
    assert shown("cancel_order")["version"] == 1


@pytest.mark.usefixtures("connected_before")
@pytest.mark.parametrize("wrong", [("--set", "window_days=x"), ("--allow", "ghost"), ("--allow", "mallory")])
def test_an_error_adds_no_actions(wrong: tuple[str, str], mallory: User) -> None:
    with pytest.raises(CommandError):
        shown("cancel_order", "--enable", *wrong)
    assert not ActionPolicy.objects.filter(action="cancel_order").exists()
    assert not ActionPolicyUserPermission.objects.filter(user=mallory).exists()


def test_without_a_shop_no_rules_are_created() -> None:
    with pytest.raises(CommandError, match="Connect its shop"):
        shown("cancel_order")
    assert not ActionPolicy.objects.exists()
