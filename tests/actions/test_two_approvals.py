"""Above a second threshold, two different people must approve, and either of them can reject."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from actions import errors
from actions.approvers import allow_approval, forbid_approval
from actions.audit import actor_of, verify
from actions.models import ActionRequest, AuditEntry
from actions.money import Money
from actions.policy_store import policy_of
from actions.principals import Principal, operator_for
from actions.requests.rule_decision import Rules, Used, Verdict, decide_write
from actions.requests.sweeps import judge_waiting
from actions.services import approve, confirm, propose, reject
from actions.states import State
from actions.testing import FakeShop, run_queued
from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.team_members import add_member
from tests.actions.begun import alice as alice
from tests.actions.begun import begun
from tests.actions.begun import policies as policies
from tests.actions.begun import workspace as workspace
from tests.actions.conftest import REFUND, limit

pytestmark = pytest.mark.django_db
BIG = {**REFUND, "order_id": "A-1002"}  # 640.00


@pytest.fixture
def second(workspace: Workspace, approver: User) -> User:
    """Another person with the right."""
    person = User.objects.create_user("carla", "carla@example.com", "x")
    add_member(workspace, person, Membership.Role.SUPERVISOR)
    policy = policy_of("refund_order")
    assert policy is not None
    allow_approval(policy, person, actor="test")
    return person


@pytest.fixture(scope="module")
def begun_once(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[ActionRequest]:
    with begun(django_db_blocker, ask_for_two_approvals) as request:
        yield request


@pytest.fixture
def waiting(shop: FakeShop, begun_once: ActionRequest) -> ActionRequest:
    return ActionRequest.objects.get(pk=begun_once.pk)


def ask_for_two_approvals(principal: Principal) -> ActionRequest:
    """Return a confirmed refund of 640.00 that two people must approve."""
    limit("refund_order", max_per_customer_year=None, second_approval_above=Decimal(500))
    card = propose(principal, "refund_order", BIG, proposal_key="turn:1:2")
    return confirm(card.pk, principal=principal, digest=card.digest)


def test_the_second_approval_sends_it(waiting: ActionRequest, approver: User, second: User, shop: FakeShop) -> None:
    first = approve(waiting.pk, approver=approver, digest=waiting.digest)
    assert (first.state, first.first_approved_by) == (State.AWAITING_APPROVAL, actor_of(approver))
    run_queued()
    assert shop.refunds == []
    done = approve(waiting.pk, approver=second, digest=waiting.digest)
    assert (done.state, done.decided_by) == (State.QUEUED, actor_of(second))
    run_queued()
    assert len(shop.refunds) == 1 and verify().is_whole
    entries = AuditEntry.objects.filter(request_id=waiting.pk, actor__in=[actor_of(approver), actor_of(second)])
    assert list(entries.order_by("seq").values_list("event", flat=True)) == ["approval.first", "request.queued"]


def test_two_approvals_of_the_same_person_count_once(waiting: ActionRequest, approver: User) -> None:
    approve(waiting.pk, approver=approver, digest=waiting.digest)
    with pytest.raises(errors.NeedsAnotherPerson):
        approve(waiting.pk, approver=approver, digest=waiting.digest)
    waiting.refresh_from_db()
    assert waiting.state == State.AWAITING_APPROVAL
    assert AuditEntry.objects.filter(event="approve.refused", payload__code="second_person").count() == 1


def test_neither_approval_can_come_from_whoever_confirmed(
    shop: FakeShop, approver: User, second: User, alice: Customer
) -> None:
    limit("refund_order", approval_above=Decimal(10), second_approval_above=Decimal(20))
    operator = operator_for(alice, second.username)
    card = propose(operator, "refund_order", REFUND, proposal_key="operator:1")
    waiting = confirm(card.pk, principal=operator, digest=card.digest)
    approve(waiting.pk, approver=approver, digest=waiting.digest)
    with pytest.raises(errors.OwnRequest):
        approve(waiting.pk, approver=second, digest=waiting.digest)


@pytest.mark.parametrize("rejecting", ["bob", "carla"])
def test_either_approver_can_reject(rejecting: str, waiting: ActionRequest, approver: User, second: User) -> None:
    approve(waiting.pk, approver=approver, digest=waiting.digest)
    assert reject(waiting.pk, approver=User.objects.get(username=rejecting)).state == State.REJECTED


def test_the_first_approval_no_longer_counts_if_its_giver_loses_the_right(
    waiting: ActionRequest, approver: User, second: User
) -> None:
    approve(waiting.pk, approver=approver, digest=waiting.digest)
    policy = policy_of("refund_order")
    assert policy is not None
    forbid_approval(policy, approver, actor="test")
    request = approve(waiting.pk, approver=second, digest=waiting.digest)
    assert (request.state, request.first_approved_by) == (State.AWAITING_APPROVAL, actor_of(second))


def test_both_approvals_need_the_same_digest(waiting: ActionRequest, approver: User, second: User) -> None:
    approve(waiting.pk, approver=approver, digest=waiting.digest)
    with pytest.raises(errors.DigestMismatch):
        approve(waiting.pk, approver=second, digest="0" * 64)


def test_new_rules_require_a_second_person_for_a_waiting_request(waiting: ActionRequest, approver: User) -> None:
    limit("refund_order", second_approval_above=None)
    judge_waiting()
    limit("refund_order", second_approval_above=Decimal(600))
    judge_waiting()
    assert approve(waiting.pk, approver=approver, digest=waiting.digest).state == State.AWAITING_APPROVAL
    limit("refund_order", second_approval_above=None)
    with pytest.raises(errors.NotWaiting):  # one approval is enough now, and the second click sends the request
        for _ in range(2):
            approve(waiting.pk, approver=approver, digest=waiting.digest)
    waiting.refresh_from_db()
    assert waiting.state == State.QUEUED


@pytest.mark.parametrize(
    ("rules", "approvals"),
    [
        ({}, 0),
        ({"approval_above": Decimal(100)}, 0),
        ({"approval_above": Decimal("99.99")}, 1),
        ({"approval_above": Decimal(50), "second_approval_above": Decimal(100)}, 1),
        ({"approval_above": Decimal(50), "second_approval_above": Decimal("99.99")}, 2),
        ({"second_approval_above": Decimal(50)}, 2),
        ({"currency": "USD", "second_approval_above": Decimal(500)}, 2),
        ({"currency": "USD", "approval_above": Decimal(500)}, 1),
    ],
)
def test_the_rules_decide_how_many_people_must_approve(rules: dict[str, Any], approvals: int) -> None:
    decision = decide_write(
        rules=Rules(**{"number": 1, "currency": "EUR", **rules}),
        obstacle=None,
        money=Money(Decimal(100), "EUR"),
        used=Used(),
    )
    assert decision.approvals == approvals
    assert decision.verdict is (Verdict.CONFIRM_AND_APPROVE if approvals else Verdict.CONFIRM)
