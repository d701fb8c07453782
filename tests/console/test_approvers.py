"""The page of rules warns if fewer people can approve than are required, and says what to do."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from actions.approvers import allow_approval
from actions.models import ActionPolicy
from actions.policy_store import change_rules, policy_of
from actions.testing import FakeShop
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.team_members import add_member
from supportbot.console.actions.rules_form import AMOUNTS
from tests.actions.defined.conftest import admin, document, put_in_force, retail
from tests.assistant.conftest import shop
from tests.console.conftest import logged_in, person
from tests.console.definition_pages import fields_of, page_of
from tests.pages import visible_text

__all__ = ["admin", "put_in_force", "retail", "shop"]  # fixtures
pytestmark = pytest.mark.django_db
ONE = "Some requests need approval, but nobody may approve them."
TWO = "Some requests need two approvals by different people, but nobody may approve them."
UNCLEAR = "If the outcome of a call stays unknown, a person has to find out what happened, but nobody may settle"
SECOND = "Some requests need two approvals by different people, but only Sam may approve them. Select another person"


@pytest.fixture
def policy(workspace: Workspace, alice: Customer, shop: FakeShop) -> ActionPolicy:
    found = policy_of("refund_order")
    assert found is not None
    return found


@pytest.fixture
def sam(workspace: Workspace) -> User:
    sam = person(workspace, "supervisor", "sam")
    sam.first_name = "Sam"
    sam.save()
    return sam


@pytest.fixture
def warnings_shown(workspace: Workspace) -> Callable[[ActionPolicy], str]:
    """Return a function that returns the warnings on the rules' page, as an admin sees them."""
    browser = logged_in(person(workspace, "admin", "ada"))

    def look(policy: ActionPolicy) -> str:
        page = page_of(browser.get(f"/admin/actions/actionpolicy/{policy.pk}/change/"))
        return " ".join(" ".join(one.text().split()) for one in page.css(".notice.warn"))

    return look


@pytest.mark.long
def test_too_few_approvers_cause_a_warning_until_there_are_enough(
    policy: ActionPolicy, warnings_shown: Callable[[ActionPolicy], str], workspace: Workspace, sam: User
) -> None:
    change_rules(policy, actor="test", approval_above=None, second_approval_above=None)
    assert warnings_shown(policy) == ""
    change_rules(policy, actor="test", approval_above=Decimal(10))
    shown = warnings_shown(policy)
    assert ONE in shown and "expire after 24 hours" in shown
    change_rules(policy, actor="test", second_approval_above=Decimal(100))
    assert TWO in warnings_shown(policy)
    agent = person(workspace, "agent", "ann")
    allow_approval(policy, agent, actor="test")  # from an earlier role, so it does not count
    allow_approval(policy, sam, actor="test")
    assert SECOND in warnings_shown(policy)
    allow_approval(policy, person(workspace, "supervisor", "tess"), actor="test")
    assert warnings_shown(policy) == ""


@pytest.mark.long
def test_amounts_do_not_matter_for_an_action_without_money(
    policy: ActionPolicy, warnings_shown: Callable[[ActionPolicy], str], workspace: Workspace
) -> None:
    moving = policy_of("change_shipping_address")
    assert moving is not None
    change_rules(moving, actor="test", approval_above=Decimal(0), second_approval_above=Decimal(0))
    assert warnings_shown(moving) == ""
    browser = logged_in(person(workspace, "admin", "bo"))
    address = f"/admin/actions/actionpolicy/{moving.pk}/change/"
    sent = fields_of(browser.get(address))
    assert not sent.keys() & AMOUNTS.keys() and "max_requests_per_customer_day" in sent
    browser.post(address, {**sent, "max_requests_per_customer_day": "3", "max_per_order": "5"})
    moving = policy_of("change_shipping_address")
    assert moving is not None and moving.current is not None and moving.current.max_requests_per_customer_day == 3
    # Limits that the form does not show are unchanged.
    assert (moving.current.approval_above, moving.current.max_per_order) == (Decimal(0), None)
    reader = logged_in(person(workspace, "agent", "al")).get(address).content.decode()
    assert "Requests per customer per day: 3" in reader and "Daily limit per customer" not in reader
    page = browser.get(f"/admin/actions/actionpolicy/{policy.pk}/change/").content.decode()
    assert "Amounts are in EUR" in page


@pytest.mark.long
def test_saving_rules_without_enough_approvers_shows_the_warning(
    policy: ActionPolicy, workspace: Workspace, sam: User
) -> None:
    browser = logged_in(person(workspace, "admin", "ada"))
    address = f"/admin/actions/actionpolicy/{policy.pk}/change/"
    sent = {**fields_of(browser.get(address)), "approval_above": "10.00", "second_approval_above": "100.00"}
    answer = browser.post(address, {**sent, "approvers": [str(sam.pk)]}, follow=True)
    assert visible_text(page_of(answer), " ").count(SECOND) == 1
    stays = browser.post(address, {**sent, "approvers": [str(sam.pk)], "_continue": "1"}, follow=True)
    assert visible_text(page_of(stays), " ").count(SECOND) == 1
    policy.refresh_from_db()
    assert policy.current is not None and policy.current.second_approval_above == Decimal(100)


@pytest.mark.long
def test_an_action_requires_two_approvers_with_a_role(
    put_in_force: Callable[[dict[str, Any]], None],
    warnings_shown: Callable[[ActionPolicy], str],
    workspace: Workspace,
    other_workspace: Workspace,
    sam: User,
) -> None:
    put_in_force(document(approval={"approvers": 2, "role": "admin"}))
    policy = policy_of("cancel_pending_order")
    assert policy is not None
    add_member(other_workspace, sam, "admin")  # a member of the other workspace only
    allow_approval(policy, sam, actor="test")
    assert TWO in warnings_shown(policy)
    put_in_force(document(approval={"approvers": 2, "role": "supervisor"}))
    assert SECOND in warnings_shown(
        policy
    ) and "only people with the role Supervisor and admins count" in warnings_shown(policy)
    put_in_force(document(approval={"role": "supervisor"}))
    assert warnings_shown(policy) == ""


@pytest.mark.long
@pytest.mark.parametrize("kind", ["at_most_once", "replay_safe"])
def test_an_outcome_that_a_person_must_settle_needs_an_approver(
    kind: str,
    put_in_force: Callable[[dict[str, Any]], None],
    warnings_shown: Callable[[ActionPolicy], str],
    sam: User,
) -> None:
    put_in_force(document(kind=kind))
    policy = policy_of("cancel_pending_order")
    assert policy is not None
    assert UNCLEAR in warnings_shown(policy) and "Select approvers" in warnings_shown(policy)
    allow_approval(policy, sam, actor="test")
    assert warnings_shown(policy) == ""


def test_the_warning_leads_to_the_field(
    put_in_force: Callable[[dict[str, Any]], None], warnings_shown: Callable[[ActionPolicy], str], workspace: Workspace
) -> None:
    put_in_force(document(kind="at_most_once"))
    policy = policy_of("cancel_pending_order")
    assert policy is not None
    page = page_of(logged_in(person(workspace, "admin", "bo")).get(f"/admin/actions/actionpolicy/{policy.pk}/change/"))
    link = page.css_first(".notice.warn a")
    assert link is not None
    target = page.css_first(str(link.attributes["href"]))
    assert target is not None and target.css("input[name=approvers]")
    reader = page_of(
        logged_in(person(workspace, "agent", "al")).get(f"/admin/actions/actionpolicy/{policy.pk}/change/")
    )
    assert UNCLEAR in visible_text(reader, " ") and not reader.css(".notice.warn a")


def test_an_outcome_that_can_be_looked_up_needs_no_approver(
    put_in_force: Callable[[dict[str, Any]], None], warnings_shown: Callable[[ActionPolicy], str]
) -> None:
    put_in_force(document())
    policy = policy_of("cancel_pending_order")
    assert policy is not None
    assert warnings_shown(policy) == ""
