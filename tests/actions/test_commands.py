"""The operator's commands apply the same checks as for customers, and are logged under the operator's name."""

import json
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from actions.models import ActionPolicyUserPermission, ActionRequest, AuditEntry
from actions.states import State
from actions.testing import FakeShop, run_queued
from supportbot.accounts.models import Customer, User
from tests.actions.conftest import REFUND

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def known(shop: FakeShop, alice: Customer) -> None:
    """A shop that knows Alice."""


def run(*command: str) -> dict[str, Any]:
    out = StringIO()
    call_command(*command, "--json", stdout=out)
    facts: dict[str, Any] = json.loads(out.getvalue())
    return facts


def proposed(*options: str, **arguments: Any) -> dict[str, Any]:
    return run(
        "action_propose",
        "refund_order",
        "--customer",
        "cus_alice",
        "--args",
        json.dumps({**REFUND, **arguments}),
        *options,
    )


def test_a_dry_run_decides_and_stores_nothing() -> None:
    result = proposed("--dry-run", order_id="A-1002", amount="200.00")
    assert (result["decision"], result["summary"]) == ("confirm_and_approve", "Refund €200.00 for order A-1002.")
    assert proposed("--dry-run", order_id="A-1005")["reason"]["code"] == "outside_window"
    assert not ActionRequest.objects.exists()


def test_a_dry_run_for_a_refunded_order_shows_no_amount(shop: FakeShop) -> None:
    shop.change_order("A-1001", refunded=Decimal("49.90"))
    result = proposed("--dry-run")
    assert (result["decision"], result["summary"], result["reason"]["code"]) == (
        "refuse",
        "Refund an order",
        "already_refunded",
    )


def test_an_operator_proposes_confirms_and_runs_an_action(shop: FakeShop) -> None:
    card = proposed()
    assert card["state"] == "awaiting_confirmation"
    result = proposed("--confirm", amount="5.00")
    assert result["state"] == "queued"
    run_queued()
    assert [str(refund.amount) for refund in shop.refunds] == ["5.00"]
    actors = AuditEntry.objects.filter(request_id=result["request"], event="request.queued").values_list(
        "actor", flat=True
    )
    assert [actor.partition(":")[0] for actor in actors] == ["operator"]


def test_a_look_up_answers_at_once() -> None:
    result = run("action_propose", "order_status", "--customer", "cus_alice", "--args", '{"order_id": "A-1003"}')
    assert [order["id"] for order in result["orders"]] == ["A-1003"]


def test_approval_needs_a_person_with_the_right(approver: User, shop: FakeShop) -> None:
    waiting = proposed("--confirm", order_id="A-1002", amount="200.00")
    assert waiting["state"] == "awaiting_approval"
    assert run("action_approve", waiting["request"])["approved_by"] == "bob"
    run_queued()
    assert len(shop.refunds) == 1
    with pytest.raises(CommandError, match="no longer waiting"):
        run("action_approve", waiting["request"])


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["action_propose", "refund", "--customer", "cus_alice"], "This action does not exist"),
        (["action_propose", "refund_order", "--customer", "nobody"], "knows a customer “nobody”"),
        (["action_propose", "refund_order", "--customer", "a\x00"], "knows a customer “a\\\\x00”"),
        (["action_propose", "refund_order", "--customer", "cus_alice", "--args", "{"], "could not be read"),
        (["action_propose", "refund_order", "--customer", "cus_alice"], "order_id: This argument is required"),
        (["action_approve", "1"], "not a request ID"),
        (["action_approve", "01890a5d-ac96-774b-bcce-b302099a8057"], "does not exist in this workspace"),
    ],
)
def test_an_error_is_one_sentence(command: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(*command)
    assert not ActionRequest.objects.exists()


def test_nobody_can_approve_by_default() -> None:
    waiting = proposed("--confirm", order_id="A-1002", amount="200.00")
    with pytest.raises(CommandError, match="nobody may approve yet"):
        run("action_approve", waiting["request"])
    with pytest.raises(CommandError, match="does not exist"):
        run("action_approve", waiting["request"], "--as", "ghost")
    assert ActionRequest.objects.get().state == State.AWAITING_APPROVAL


def test_a_former_members_right_can_be_revoked(approver: User) -> None:
    approver.memberships.all().delete()
    assert run("action_policy", "refund_order")["approvers"] == []
    run("action_policy", "refund_order", "--forbid", "bob")
    assert not ActionPolicyUserPermission.objects.filter(content_object__action="refund_order").exists()
    with pytest.raises(CommandError, match="does not exist"):
        run("action_policy", "refund_order", "--forbid", "bob")
    with pytest.raises(CommandError, match="does not exist"):
        run("action_policy", "refund_order", "--allow", "bob")


def test_a_policy_is_shown_and_changed(approver: User) -> None:
    result = run("action_policy", "refund_order", "--set", "approval_above=20", "--set", "max_per_customer_year=")
    assert (result["version"], result["approval_above"], result["max_per_customer_year"]) == (2, "20.00", None)
    assert result["approvers"] == ["bob"]
    assert proposed()["needs_approval"]
    assert run("action_policy", "refund_order", "--forbid", "bob", "--disable")["approvers"] == []
    assert proposed(amount="1.00")["reason"]["code"] == "action_disabled"
    assert run("action_policy", "refund_order", "--enable", "--allow", "bob")["approvers"] == ["bob"]
    changes = AuditEntry.objects.filter(actor__startswith="operator:", event__startswith="policy.")
    assert [entry.event for entry in changes] == [
        "policy.changed", "policy.disabled", "policy.approver_removed", "policy.enabled", "policy.approver_added",
    ]  # fmt: skip


def test_rules_that_would_allow_refused_requests_are_set_only_with_a_yes(approver: User) -> None:
    run("action_policy", "refund_order", "--set", "approval_above=5")
    assert proposed()["needs_approval"]
    looser = ("action_policy", "refund_order", "--set", "approval_above=500")
    changes = AuditEntry.objects.filter(event="policy.changed").count()
    with pytest.raises(CommandError, match=r"would have let through 1 request from the last 30 days.*--yes"):
        run(*looser)
    assert run("action_policy", "refund_order")["version"] == 2
    assert AuditEntry.objects.filter(event="policy.changed").count() == changes
    stricter = run("action_policy", "refund_order", "--set", "approval_above=1")
    assert stricter["version"] == 3
    assert run(*looser, "--yes")["approval_above"] == "500.00"


@pytest.mark.parametrize(
    "rule",
    [
        "approval_above=1e2", "approval_above=-1", "approval_above=12.345", "window_days=1.5", "limit=1", "is_shadow=1",
        "x",
    ],
)  # fmt: skip
def test_an_invalid_rule_changes_nothing(rule: str) -> None:
    with pytest.raises(CommandError, match="not a valid rule"):
        run("action_policy", "refund_order", "--set", rule)
    assert run("action_policy", "refund_order")["version"] == 1


def test_a_shop_is_connected_by_a_secret_from_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("whsec_YW5vdGhlciBzZWNyZXQgYWx0b2dldGhlcg==\n"))
    result = run("merchant_connect", "https://shop.example/merchant/v1")
    assert result["merchant"] == "https://shop.example/merchant/v1" and "refund_order" in result["actions"]
    monkeypatch.setattr("sys.stdin", StringIO("\n"))
    with pytest.raises(CommandError, match="secret: Enter a Standard Webhooks secret"):
        run("merchant_connect", "https://shop.example/merchant/v1")


def test_a_customer_who_never_chatted_is_found_by_their_orders(shop: FakeShop) -> None:
    command = ["action_propose", "refund_order", "--customer", "cus_stranger"]
    arguments = ["--args", json.dumps({**REFUND, "order_id": "B-2002"})]
    assert run(*command, *arguments, "--dry-run")["decision"] == "confirm"
    assert not Customer.objects.filter(external_id="cus_stranger").exists()
    assert run(*command, *arguments, "--confirm")["state"] == "queued"
    run_queued()
    assert [refund.order for refund in shop.refunds] == ["B-2002"]
    # An operator cannot reach another customer's order either.
    foreign = ["--args", json.dumps(REFUND)]
    assert run(*command, *foreign)["reason"]["code"] == "order_not_found"


def test_results_are_in_the_terminals_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")

    def written(*command: str) -> str:
        out = StringIO()
        call_command(*command, stdout=out)
        return out.getvalue()

    assert "Einträge" in written("audit_verify") and "compared_with" not in written("audit_verify")
    rules = written("action_policy", "refund_order")
    assert "is_enabled" not in rules and "True" not in rules and "[]" not in rules
    assert "max_per_customer_year" in rules  # the name that `--set` accepts
    monkeypatch.setenv("LC_ALL", "C")
    assert written("audit_verify").split()[:2] == ["Workspace", "wrenfell"]
