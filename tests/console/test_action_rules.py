"""The rules of an action in the console: their versions, approvers and the kill switch."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from actions.approvers import allow_approval, approvers_of
from actions.models import ActionPolicy, ActionPolicyVersion, AuditEntry
from actions.policy_store import change_rules
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.team_members import add_member
from tests.actions.defined.conftest import store_as_published
from tests.actions.defined.test_unnamed_customers import callback
from tests.console.conftest import Enter, person
from tests.console.test_records import read
from tests.policies import store_policies

pytestmark = pytest.mark.django_db
RULES = {"is_enabled": "on", "max_per_order": "150.00", "approval_above": "80", "window_days": "60"}


@pytest.fixture
def refunds(workspace: Workspace) -> ActionPolicy:
    store_policies(workspace)
    return ActionPolicy.objects.select_related("current").get(action="refund_order")


def page(policy: ActionPolicy) -> str:
    return f"/admin/actions/actionpolicy/{policy.pk}/change/"


def test_changing_a_rule_creates_a_new_version(enter: Enter, refunds: ActionPolicy) -> None:
    admin = enter("admin")
    admin.post(page(refunds), RULES)
    first, second = ActionPolicyVersion.objects.filter(policy=refunds).order_by("number")
    refunds.refresh_from_db()
    assert refunds.current == second
    assert (second.max_per_order, second.approval_above, second.window_days) == (Decimal(150), Decimal(80), 60)
    user = User.objects.get(username="admin.of.wrenfell")
    assert second.created_by == f"user:{user.pk}"
    assert AuditEntry.objects.filter(event="policy.changed", actor=second.created_by).count() == 1
    told = [line.text() for line in read(admin.get(page(refunds))).css(".tl li")]
    assert "Version 2, live" in told[0]
    assert "Limit per order or other record: no limit → €150.00" in told[0]
    assert "Approval required above: €150.00 → €80.00" in told[0]
    assert first.max_per_order != second.max_per_order
    admin.post(page(refunds), RULES)
    # Saving the same rules again adds no version.
    assert ActionPolicyVersion.objects.filter(policy=refunds).count() == 2
    assert len(read(admin.get(page(refunds).replace("change", "history"))).css("tbody tr")) == 1


def test_a_look_up_has_no_limits_and_nobody_approves_it(enter: Enter, workspace: Workspace) -> None:
    store_policies(workspace)
    look_up = ActionPolicy.objects.get(action="order_status")
    admin = enter("admin")
    shown = read(admin.get(page(look_up)))
    names = {one.attributes.get("name") for one in shown.css("main input, main select")}
    assert "is_enabled" in names
    assert not names & {"max_per_order", "approval_above", "hold_minutes", "is_shadow", "approvers", "days"}
    admin.post(page(look_up), {})
    look_up.refresh_from_db()
    assert not look_up.is_enabled
    assert ActionPolicyVersion.objects.filter(policy=look_up).count() == 1
    assert "no limit" not in read(enter("supervisor").get(page(look_up))).css_first("main").text()


def test_switching_a_look_up_keeps_its_stored_rules_and_approvers(enter: Enter, workspace: Workspace) -> None:
    store_policies(workspace)
    look_up = ActionPolicy.objects.select_related("current").get(action="order_status")
    lead = person(workspace, "supervisor")
    change_rules(look_up, actor="test", max_per_order=Decimal(20), max_requests_per_customer_day=5, is_shadow=True)
    allow_approval(look_up, lead, actor="test")
    admin = enter("admin")
    for posted in ({}, {"is_enabled": "on"}):
        admin.post(page(look_up), posted)
        saved = ActionPolicy.objects.select_related("current").get(pk=look_up.pk)
        assert saved.is_enabled is bool(posted)
        assert saved.current is not None
        kept = saved.current
        assert (kept.max_per_order, kept.max_requests_per_customer_day, kept.is_shadow) == (Decimal(20), 5, True)
        assert approvers_of(saved) == [lead]


@pytest.mark.long
def test_the_authors_of_all_versions_take_one_query(enter: Enter, refunds: ActionPolicy) -> None:
    admin = enter("admin")
    counted = []
    for number in range(1, 5):
        admin.post(page(refunds), {**RULES, "max_per_order": f"{number}00.00"})
        with CaptureQueriesContext(connection) as ran:
            admin.get(page(refunds))
        counted.append(len(ran))
    assert counted[1:] == counted[1:2] * 3


def test_only_people_with_the_right_can_be_selected_as_approvers(
    enter: Enter, refunds: ActionPolicy, bob: User
) -> None:
    admin, lead = enter("admin"), person(refunds.workspace, "supervisor")
    assert b'role="alert"' in admin.post(page(refunds), {**RULES, "approvers": [str(bob.pk)]}).content
    assert approvers_of(refunds) == []
    allow_approval(refunds, lead, actor="test")
    add_member(refunds.workspace, lead, "agent")
    assert f"{lead} (role cannot approve)" in admin.get(page(refunds)).content.decode()
    admin.post(page(refunds), RULES)
    assert approvers_of(refunds) == []


def test_the_kill_switch_and_approvers_can_be_changed(enter: Enter, refunds: ActionPolicy, bob: User) -> None:
    admin = enter("admin")
    add_member(refunds.workspace, bob, "supervisor")
    rules = {name: value for name, value in _present(admin, refunds).items() if name != "is_enabled"}
    admin.post(page(refunds), {**rules, "approvers": [str(bob.pk)]})
    refunds.refresh_from_db()
    assert refunds.is_enabled is False
    assert approvers_of(refunds) == [bob]
    assert ActionPolicyVersion.objects.filter(policy=refunds).count() == 1
    admin.post(page(refunds), {**rules, "is_enabled": "on"})
    refunds.refresh_from_db()
    assert (refunds.is_enabled, approvers_of(refunds)) == (True, [])


def _present(client: Client, policy: ActionPolicy) -> dict[str, str]:
    fields = read(client.get(page(policy))).css("form.sheet input[type=number]")
    return {field.attributes["name"] or "": field.attributes.get("value") or "" for field in fields}


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_per_order": "-1"},
        {"approval_above": "much"},
        {"max_per_order": "1e30"},
        {"max_per_order": "1.000"},
        {"window_days": "100000000000"},
        {"max_requests_per_customer_day": "100000000000"},
    ],
)
def test_an_invalid_rule_changes_nothing(enter: Enter, refunds: ActionPolicy, wrong: dict[str, str]) -> None:
    answer = enter("admin").post(page(refunds), {**RULES, **wrong})
    assert b'role="alert"' in answer.content
    assert ActionPolicyVersion.objects.filter(policy=refunds).count() == 1


def test_a_stranger_cannot_be_made_an_approver(enter: Enter, refunds: ActionPolicy, mallory: User) -> None:
    answer = enter("admin").post(page(refunds), {**RULES, "approvers": [str(mallory.pk)]})
    assert b'role="alert"' in answer.content
    assert approvers_of(refunds) == []


@pytest.mark.parametrize("role", ["agent", "supervisor"])
def test_team_members_can_read_the_rules_but_not_change_them(enter: Enter, refunds: ActionPolicy, role: str) -> None:
    client = enter(role)
    assert "Version 1, live" in client.get(page(refunds)).content.decode()
    assert client.post(page(refunds), RULES).status_code == 403
    assert ActionPolicyVersion.objects.filter(policy=refunds).count() == 1


@pytest.mark.parametrize(("most", "is_saved"), [("", False), ("2", False), ("1", True), ("0", True)])
def test_a_call_that_names_no_customer_keeps_a_limit(
    enter: Enter, workspace: Workspace, most: str, is_saved: bool
) -> None:
    store_as_published(callback())
    policy = ActionPolicy.objects.get(action="call_back")
    admin = enter("admin")
    assert "At most 1, the limit in its definition" in read(admin.get(page(policy))).text()
    posted = {"is_enabled": "on", "max_requests_per_customer_day": most, "hold_minutes": "5"}
    answer = admin.post(page(policy), posted)
    assert (b"Enter a number from 0 to 1" in answer.content) is not is_saved
    assert ActionPolicyVersion.objects.filter(policy=policy).count() == 1 + is_saved
