"""Who can approve a confirmed request."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.utils.crypto import salted_hmac
from django.utils.timezone import now, timedelta
from pytest_django.plugin import DjangoDbBlocker

from actions import errors
from actions.approvers import allow_approval, approvers_of, forbid_approval, may_approve, policies_approved_by
from actions.audit import actor_of
from actions.cards import state_payload
from actions.models import ActionPolicy, ActionPolicyGroupPermission, ActionRequest, AuditEntry, LedgerEntry
from actions.policy_store import policy_of, switch
from actions.principals import operator_for
from actions.reasons import rejection
from actions.services import approve, confirm, propose, reject
from actions.states import State
from actions.testing import FakeShop, Refund, run_queued
from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.team_members import add_member
from supportbot.errors import InvalidInput, NotFound
from tests.actions.begun import alice as alice
from tests.actions.begun import begun
from tests.actions.begun import policies as policies
from tests.actions.begun import workspace as workspace
from tests.actions.conftest import REFUND, ask_for_approval, limit

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def begun_once(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[ActionRequest]:
    with begun(django_db_blocker, ask_for_approval) as request:
        yield request


@pytest.fixture
def waiting(shop: FakeShop, begun_once: ActionRequest) -> ActionRequest:
    return ActionRequest.objects.get(pk=begun_once.pk)


def still_waits(request: ActionRequest, shop: FakeShop) -> bool:
    run_queued()
    request.refresh_from_db()
    return request.state == State.AWAITING_APPROVAL and shop.refunds == []


def test_an_approved_refund_is_paid(waiting: ActionRequest, approver: User, shop: FakeShop) -> None:
    assert waiting.state == State.AWAITING_APPROVAL and still_waits(waiting, shop)
    approve(waiting.pk, approver=approver, digest=waiting.digest)
    run_queued()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.decided_by) == (State.SUCCEEDED, actor_of(approver))
    assert shop.refunds == [Refund("A-1002", Decimal("640.00"), "EUR")]


def test_a_second_approval_pays_nothing(waiting: ActionRequest, approver: User, shop: FakeShop) -> None:
    approve(waiting.pk, approver=approver, digest=waiting.digest)
    run_queued()
    with pytest.raises(errors.NotWaiting):
        approve(waiting.pk, approver=approver, digest=waiting.digest)
    run_queued()
    assert len(shop.refunds) == 1


def test_approval_needs_the_right(
    waiting: ActionRequest, bob: User, mallory: User, workspace: Workspace, shop: FakeShop
) -> None:
    root = User.objects.create_superuser("root", password="correct horse battery")
    add_member(workspace, root, Membership.Role.ADMIN)
    # None of these gives the right on this policy: they are for another action, the whole model, or another workspace.
    other = policy_of("cancel_order")
    assert other is not None
    allow_approval(other, bob, actor="test")
    kind = ContentType.objects.get_for_model(ActionPolicy)
    bob.user_permissions.add(Permission.objects.get(content_type=kind, codename="approve_action"))
    policy = policy_of("refund_order")
    assert policy is not None
    allow_approval(policy, mallory, actor="test")
    for person in (root, bob, mallory):
        with pytest.raises(errors.NotApprover):
            approve(waiting.pk, approver=person, digest=waiting.digest)
        with pytest.raises(errors.NotApprover):
            reject(waiting.pk, approver=person)
    assert still_waits(waiting, shop)


def test_a_group_grants_its_right(waiting: ActionRequest, bob: User, workspace: Workspace) -> None:
    policy = policy_of("refund_order")
    assert policy is not None
    leads = Group.objects.create(name="Leads")
    kind = ContentType.objects.get_for_model(ActionPolicy)
    right = Permission.objects.get(content_type=kind, codename="approve_action")
    ActionPolicyGroupPermission.objects.create(group=leads, permission=right, content_object=policy)
    allow_approval(policy, bob, actor="test")  # a person who has the right twice is still one approver

    def entitled() -> tuple[bool, bool, bool]:
        return may_approve(bob, policy), bob in approvers_of(policy), policy in policies_approved_by(bob)

    assert entitled() == (True, True, True)
    forbid_approval(policy, bob, actor="test")
    assert entitled() == (False, False, False)
    leads.user_set.add(bob)
    Group.objects.create(name="Others").user_set.add(bob)
    assert entitled() == (True, True, True)
    assert approvers_of(policy).count(bob) == 1
    User.objects.filter(pk=bob.pk).update(is_active=False)
    bob.refresh_from_db()
    assert entitled() == (False, False, False)
    User.objects.filter(pk=bob.pk).update(is_active=True)
    bob.refresh_from_db()
    Membership.objects.filter(user=bob).delete()
    assert entitled() == (False, False, False)


def test_own_requests_are_not_approved(waiting: ActionRequest, approver: User, alice: Customer, shop: FakeShop) -> None:
    approver.is_superuser = True
    approver.email = "Alice@Example.com"
    approver.save(update_fields=["is_superuser", "email"])
    with pytest.raises(errors.OwnRequest):
        approve(waiting.pk, approver=approver, digest=waiting.digest)
    assert still_waits(waiting, shop)


def test_an_operator_who_confirmed_cannot_approve(shop: FakeShop, approver: User, alice: Customer) -> None:
    limit("refund_order", approval_above=Decimal(10))
    operator = operator_for(alice, approver.username)
    card = propose(operator, "refund_order", REFUND, proposal_key="operator:1")
    request = confirm(card.pk, principal=operator, digest=card.digest)
    with pytest.raises(errors.OwnRequest):
        approve(request.pk, approver=approver, digest=request.digest)
    assert still_waits(request, shop)


def test_another_workspaces_request_is_not_found(
    waiting: ActionRequest, approver: User, other_workspace: Workspace
) -> None:

    add_member(other_workspace, approver, Membership.Role.ADMIN)
    with workspace_scope(other_workspace.pk), pytest.raises(NotFound):
        approve(waiting.pk, approver=approver, digest=waiting.digest)


def test_an_approval_is_bound_to_the_shown_request(waiting: ActionRequest, approver: User, shop: FakeShop) -> None:
    with pytest.raises(errors.DigestMismatch):
        approve(waiting.pk, approver=approver, digest="0" * 64)
    assert still_waits(waiting, shop)


def test_a_late_approval_is_refused(waiting: ActionRequest, approver: User, shop: FakeShop) -> None:
    ActionRequest.objects.filter(pk=waiting.pk).update(expires_at=now() - timedelta(seconds=1))
    with pytest.raises(errors.Expired):
        approve(waiting.pk, approver=approver, digest=waiting.digest)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason_code) == (State.EXPIRED, "not_approved")
    assert LedgerEntry.objects.get().status == LedgerEntry.Status.RELEASED


def test_the_kill_switch_stops_an_approval(waiting: ActionRequest, approver: User, shop: FakeShop) -> None:
    policy = policy_of("refund_order")
    assert policy is not None
    switch(policy, is_enabled=False, actor="test")
    with pytest.raises(errors.SwitchedOff):
        approve(waiting.pk, approver=approver, digest=waiting.digest)
    assert still_waits(waiting, shop)
    switch(policy, is_enabled=True, actor="test")
    assert approve(waiting.pk, approver=approver, digest=waiting.digest).state == State.QUEUED


def test_a_note_for_the_team_is_not_shown_to_the_customer(waiting: ActionRequest, approver: User) -> None:
    for unfit in ("x" * 501, "a\x00b", "\ud83d"):
        with pytest.raises(InvalidInput):
            reject(waiting.pk, approver=approver, words=unfit)
    rejected = reject(waiting.pk, approver=approver, note=" Looks\n like misuse ")
    assert (rejected.reason_code, rejected.reason_facts) == ("rejected", {"note": "Looks like misuse"})
    assert "misuse" not in str(state_payload(rejected))
    entry = AuditEntry.objects.get(request_id=waiting.pk, event="request.rejected")
    assert "misuse" not in str(entry.payload)  # the audit is kept longer than personal data may be
    assert (
        entry.payload["facts"]
        == salted_hmac("actions.reason", '{"note":"Looks like misuse"}', algorithm="sha256").hexdigest()
    )


def test_a_rejection_releases_the_reserved_amount(waiting: ActionRequest, approver: User, shop: FakeShop) -> None:
    assert LedgerEntry.objects.get().status == LedgerEntry.Status.RESERVED
    assert reject(waiting.pk, approver=approver).reason_code == "rejected"
    assert LedgerEntry.objects.get().status == LedgerEntry.Status.RELEASED
    run_queued()
    assert shop.refunds == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Worn boots", "Worn boots."),
        ("see (terms)", "see (terms)."),
        ("Sorry,", "Sorry."),
        ("Is it worn?", "Is it worn?"),
        ("He said “no.”", "He said “no.”"),
        (",", ""),
    ],
)
def test_a_reason_becomes_a_complete_sentence(words: str, expected: str) -> None:
    assert rejection(words=words, note="").facts.get("words", "") == expected
