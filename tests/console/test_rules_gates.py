"""The gates refuse action rules under which a case that must pass would fail, and never what forbids more."""

from decimal import Decimal
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from actions.models import ActionPolicy, ActionRequest, AuditEntry
from actions.policies import change_rules, rules_of
from actions.policy import Rules, allows_more
from actions.testing import FakeShop
from supportbot.accounts.models import Customer, Workspace
from supportbot.evals.reading import read_suite
from supportbot.evals.services import save_suite
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


def test_looser_rules_are_refused_with_the_cases_and_stricter_ones_are_not(
    enter: Enter, workspace: Workspace, alice: Customer, shop: FakeShop
) -> None:
    save_suite(read_suite(CASES, file="cases.yaml"))
    ReleaseGates.objects.create(suites=["rules"])
    policy = ActionPolicy.objects.select_related("current").get(action="refund_order")
    change_rules(policy, actor="test", approval_above=Decimal(5), max_per_customer_year=None)
    policy.refresh_from_db()
    admin, lead, page = enter("admin"), enter("supervisor"), f"/admin/actions/actionpolicy/{policy.pk}/change/"
    shown = LexborHTMLParser(admin.get(page).content.decode()).css("form.sheet input")
    form = {one.attributes["name"] or "": one.attributes.get("value") or "" for one in shown}
    form = {name: value for name, value in form.items() if name not in ("is_shadow", "csrfmiddlewaretoken")}

    def saved(client: Any = admin, **rules: str) -> tuple[str, Rules]:
        answer = client.post(page, {**form, "is_enabled": "on", **rules}, follow=True).content.decode()
        policy.refresh_from_db()
        return answer, rules_of(policy)

    before = rules_of(policy)
    told, now = saved(approval_above="1000.00")
    assert "rules: a-person-decides" in told and "approvals: 1" in told and now == before
    told, now = saved(window_days="900")
    assert "rules: too-late" in told and now == before
    told, now = saved(approval_above="4.00")
    assert now.approval_above == Decimal(4) and "would fail" not in told
    told, now = saved(lead, window_days="900", override="We agreed on it")
    assert now.window_days == before.window_days
    told, now = saved(window_days="900", override="We agreed on it")
    assert now.window_days == 900
    entry = AuditEntry.objects.get(event="policy.changed_against_gates")
    assert entry.payload["override"] == "We agreed on it"
    assert not ActionRequest.objects.exists() and shop.refunds == []


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
def test_what_allows_more(old: dict[str, Any], new: dict[str, Any], is_more: bool) -> None:
    assert allows_more(Rules(2, "EUR", **new), Rules(1, "EUR", **old)) is is_more
