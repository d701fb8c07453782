"""Action rules under which a `must` case would fail do not pass the gates, but stricter rules always do."""

import json
from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from selectolax.lexbor import LexborHTMLParser

from actions.models import ActionPolicy, ActionRequest, AuditEntry
from actions.policy_store import change_rules, rules_of
from actions.requests.rule_decision import Rules, allows_more
from actions.testing import FakeShop
from supportbot.accounts.models import Customer, Workspace
from supportbot.console.actions import rule_checks
from supportbot.evals.models import Suite
from supportbot.evals.services import save_suite
from supportbot.evals.suite_formats.files import read_suite
from supportbot.releases.models import ReleaseGates
from tests.assistant.conftest import shop
from tests.console.conftest import Enter

__all__ = ["shop"]  # a fixture
pytestmark = pytest.mark.django_db(transaction=True)
CASES = b"""
suite: rules
cases:
  - id: a-person-decides
    must: true
    customer: cus_alice
    ask: I want a refund for order A-1001, it arrived damaged
    expect: {proposes: {action: refund_order, approvals: 1}}
  - id: too-late
    must: true
    customer: cus_alice
    ask: I want a refund for order A-1005, it arrived damaged
    expect: {refuses: outside_window}
"""


OVERRIDDEN = "policy.changed_against_gates"
Saved = Callable[..., tuple[str, Rules]]


@pytest.fixture
def policy(workspace: Workspace, alice: Customer, shop: FakeShop) -> ActionPolicy:
    """Return the policy of refunds, which a gate tests."""
    save_suite(read_suite(CASES, file="cases.yaml"))
    ReleaseGates.objects.create(suites=["rules"])
    policy = ActionPolicy.objects.select_related("current").get(action="refund_order")
    change_rules(policy, actor="test", approval_above=Decimal(5), max_per_customer_year=None)
    policy.refresh_from_db()
    return policy


@pytest.fixture
def saved(enter: Enter, policy: ActionPolicy) -> Saved:
    """Return a function that opens the rules' page, saves rules on it, and returns the response and the rules then in
    force.
    """
    admin, page = enter("admin"), f"/admin/actions/actionpolicy/{policy.pk}/change/"

    def save(client: Any = admin, **rules: str) -> tuple[str, Rules]:
        shown = LexborHTMLParser(admin.get(page).content.decode()).css("form.sheet input")
        form = {one.attributes["name"] or "": one.attributes.get("value") or "" for one in shown}
        form = {name: value for name, value in form.items() if name not in ("is_shadow", "csrfmiddlewaretoken")}
        answer = client.post(page, {**form, "is_enabled": "on", **rules}, follow=True).content.decode()
        policy.refresh_from_db()
        return answer, rules_of(policy)

    return save


def test_looser_rules_are_refused_with_the_cases_and_stricter_ones_are_not(
    enter: Enter, policy: ActionPolicy, saved: Saved, shop: FakeShop
) -> None:
    before = rules_of(policy)
    told, now = saved(approval_above="1000.00")
    assert (
        "“I want a refund for order A-1001" in told
        and "needs 1 approval), got Refund an order" in told
        and now == before
    )
    notice = LexborHTMLParser(told).css_first("#form-errors")
    assert notice is not None and notice.text().strip().startswith("Nothing was saved. Gate cases")
    assert "order id: A-1001" in notice.text() and not {"{", "refund_order"} & set(notice.text().split())
    assert [one.attributes["href"] for one in notice.css("a")] == ["#id_override"]
    told, now = saved(window_days="900")
    assert "order A-1005, it arrived damaged”" in told and now == before
    told, now = saved(approval_above="4.00")
    assert now.approval_above == Decimal(4) and "would fail" not in told
    told, now = saved(enter("supervisor"), window_days="900", override="We agreed on it")
    assert now.window_days == before.window_days
    told, now = saved(window_days="900", override="We agreed on it")
    assert now.window_days == 900
    entry = AuditEntry.objects.get(event=OVERRIDDEN)
    assert (entry.payload["override"], entry.payload["failed"]) == ("We agreed on it", "rules: too-late")
    assert entry.payload["not_judged"] == ""
    assert not ActionRequest.objects.exists() and shop.refunds == []


@pytest.mark.one_in(3)
@pytest.mark.parametrize("rules", [{"approval_above": "4.00"}, {"approval_above": "5.10"}, {"is_shadow": "on"}])
def test_a_reason_alone_is_not_an_override(policy: ActionPolicy, saved: Saved, rules: dict[str, str]) -> None:
    """Stricter rules, or looser ones that the gates allow, override nothing."""
    told, _ = saved(**rules, override="To be on the safe side")
    assert "would fail" not in told and policy.current is not None and policy.current.number == 3
    assert not AuditEntry.objects.filter(event=OVERRIDDEN).exists()


@pytest.mark.long
def test_rules_are_not_loosened_past_a_case_in_two_steps(policy: ActionPolicy, saved: Saved) -> None:
    _, strict = saved(max_per_customer_year="1.00")  # now the case fails, since nothing is proposed
    assert strict.max_per_customer_year == Decimal(1)
    told, now = saved(max_per_customer_year="", approval_above="1000.00")
    assert "“I want a refund for order A-1001" in told and now == strict
    _, now = saved(max_per_customer_year="")
    assert now.max_per_customer_year is None and now.approval_above == Decimal(5)


@pytest.mark.long
def test_an_action_is_switched_off_at_once_and_on_again_through_the_gates(policy: ActionPolicy, saved: Saved) -> None:
    _, off = saved(is_enabled="")
    assert not off.is_enabled
    told, now = saved(approval_above="1000.00")
    assert (
        "“I want a refund for order A-1001" in told and "needs 1 approval), got Refund an order" in told and now == off
    )
    told, now = saved()
    assert "would fail" not in told and now.is_enabled
    assert not AuditEntry.objects.filter(event=OVERRIDDEN).exists()


@pytest.mark.long
def test_cases_not_judged_in_time_are_named_and_the_rules_refused(
    policy: ActionPolicy, saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_checks, "MAX_SECONDS", 0.0)
    before = rules_of(policy)
    told, now = saved(approval_above="5.10")
    assert "were not evaluated: rules: a-person-decides; rules: too-late." in told and now == before
    _, now = saved(approval_above="5.10", override="The shop is slow today")
    assert now.approval_above == Decimal("5.10")
    entry = AuditEntry.objects.get(event=OVERRIDDEN)
    assert entry.payload["not_judged"] == "rules: a-person-decides; rules: too-late"


@pytest.mark.long
def test_a_gate_with_a_missing_suite_refuses_until_somebody_gives_a_reason(policy: ActionPolicy, saved: Saved) -> None:
    ReleaseGates.objects.update(suites=["gone"])
    before = rules_of(policy)
    told, now = saved(approval_above="5.10")
    assert "These gate suites do not exist: gone." in told and now == before
    _, now = saved(approval_above="5.10", override="The suite is being rewritten")
    assert now.approval_above == Decimal("5.10") and AuditEntry.objects.filter(event=OVERRIDDEN).count() == 1


@pytest.mark.parametrize(
    ("old", "new", "is_more"),
    [
        ({"approval_above": Decimal(150)}, {"approval_above": None}, True),
        ({"approval_above": None}, {"approval_above": Decimal(150)}, False),
        ({"window_days": 60}, {"window_days": 61}, True),
        ({"window_days": 60}, {"window_days": 0}, False),
        ({"hold_minutes": 30}, {"hold_minutes": None}, True),
        ({"is_shadow": True}, {"is_shadow": False}, True),
        ({"is_enabled": False}, {"is_enabled": True}, True),
        ({"is_enabled": True}, {"is_enabled": False}, False),
    ],
)
def test_rules_that_allow_more_are_recognised(old: dict[str, Any], new: dict[str, Any], is_more: bool) -> None:
    assert allows_more(Rules(2, "EUR", **new), Rules(1, "EUR", **old)) is is_more


def shell(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("action_policy", "refund_order", *arguments, "--json", stdout=out)
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


@pytest.mark.long
def test_the_command_reports_the_gates_verdict_or_follows_it(policy: ActionPolicy) -> None:
    before = rules_of(policy)
    with pytest.raises(CommandError, match="rules: a-person-decides"):
        shell("--set", "approval_above=500", "--gate")
    policy.refresh_from_db()
    assert rules_of(policy) == before and not AuditEntry.objects.filter(event=OVERRIDDEN).exists()
    assert "gate_failures" not in shell("--set", "approval_above=4", "--gate")  # stricter rules
    told = shell("--set", "approval_above=500")
    assert told["approval_above"] == "500.00"
    [failing] = told["gate_failures"]
    assert failing.startswith("rules: a-person-decides (")
    assert AuditEntry.objects.get(event=OVERRIDDEN).payload["failed"] == failing
    assert "gate_failures" not in shell("--disable")  # at once, whatever the gates say
    Suite.objects.all().delete()
    with pytest.raises(CommandError, match="do not exist: rules"):
        shell("--enable", "--gate")
    policy.refresh_from_db()
    assert not rules_of(policy).is_enabled
