"""Simultaneous decisions and wrong digests: exactly one decision counts, with the right digest."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connection

from actions import errors
from actions.approvers import allow_approval
from actions.audit import steps_of
from actions.models import ActionPolicy, ActionRequest, LedgerEntry
from actions.policy_store import ensure_policies
from actions.principals import Principal
from actions.requests.execution import execute
from actions.services import approve, cancel, confirm, decline, propose, reject
from actions.states import State
from actions.testing import FakeShop, run_queued
from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.team_members import add_member
from supportbot.errors import NotFound, SupportBotError
from tests.actions.conftest import REFUND, signed_in_as
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db
Act = Callable[[], Any]


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "actions.requests.celery_publisher.Publisher.enqueue", lambda self, workspace_id, request_id: None
    )


@pytest.fixture
def second_approver(approver: User, policies: list[ActionPolicy]) -> User:
    carol = User.objects.create_user("carol", password="correct horse battery")
    add_member(policies[0].workspace, carol, Membership.Role.SUPERVISOR)
    for policy in policies:
        allow_approval(policy, carol, actor="test")
    return carol


def all_at_once(workspace_id: Any, *acts: Act) -> list[str]:
    """Run all functions at the same moment; return the error codes of those that were refused."""
    start, refused = threading.Barrier(len(acts)), []

    def run(act: Act) -> None:
        try:
            start.wait(PATIENCE_SECONDS)
            with workspace_scope(workspace_id):
                act()
        except SupportBotError as error:
            refused.append(error.code)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        list(pool.map(run, acts))
    return refused


@pytest.mark.django_db(transaction=True)
def test_two_approvals_at_once_count_once(
    waiting: ActionRequest, approver: User, second_approver: User, shop: FakeShop
) -> None:
    both = [approver, second_approver] * 4
    acts = [lambda who=who: approve(waiting.pk, approver=who, digest=waiting.digest) for who in both]
    assert all_at_once(waiting.workspace_pk, *acts) == ["not_waiting"] * 7
    run_queued()
    assert len(shop.refunds) == 1
    assert [step.state for step in steps_of(waiting.pk)].count(State.QUEUED) == 1


@pytest.mark.django_db(transaction=True)
def test_one_person_approves_while_another_rejects(
    waiting: ActionRequest, approver: User, second_approver: User, shop: FakeShop
) -> None:
    refused = all_at_once(
        waiting.workspace_pk,
        lambda: approve(waiting.pk, approver=approver, digest=waiting.digest),
        lambda: reject(waiting.pk, approver=second_approver),
    )
    run_queued()
    waiting.refresh_from_db()
    assert refused == ["not_waiting"]
    assert (waiting.state, len(shop.refunds)) in {(State.SUCCEEDED, 1), (State.REJECTED, 0)}


@pytest.mark.django_db(transaction=True)
def test_withdrawal_cancellation_and_claim_at_once(
    queued: ActionRequest, principal: Principal, approver: User, shop: FakeShop
) -> None:
    refused = all_at_once(
        queued.workspace_pk,
        lambda: decline(queued.pk, principal=principal),
        lambda: cancel(queued.pk, canceller=approver),
        run_queued,
    )
    queued.refresh_from_db()
    assert set(refused) == {"not_waiting"}
    assert (queued.state, len(shop.refunds)) in {(State.SUCCEEDED, 1), (State.CANCELLED, 0)}
    status = LedgerEntry.objects.get().status
    assert status == ("spent" if queued.state == State.SUCCEEDED else "released")


def test_the_digest_of_another_card_confirms_nothing(
    card: ActionRequest, proposals: Callable[..., ActionRequest], principal: Principal, shop: FakeShop
) -> None:
    other = proposals(amount="5.00")
    with pytest.raises(errors.DigestMismatch):
        confirm(card.pk, principal=principal, digest=other.digest)
    assert set(ActionRequest.objects.values_list("state", flat=True)) == {State.AWAITING_CONFIRMATION}
    run_queued()
    assert shop.refunds == []


def test_an_identical_card_of_another_customer_has_another_digest(
    card: ActionRequest, principal: Principal, shop: FakeShop
) -> None:
    """Even with identical arguments, the digest is bound to its customer and request."""
    stranger = signed_in_as(Customer.objects.create(external_id="cus_stranger", name="Stranger"))
    shop.change_order("A-1001", customer="cus_stranger")
    theirs = propose(stranger, "refund_order", REFUND, proposal_key="turn:7:1")
    assert theirs.arguments == card.arguments and theirs.digest != card.digest
    with pytest.raises(errors.DigestMismatch):
        confirm(theirs.pk, principal=stranger, digest=card.digest)


def test_a_card_of_another_workspace_is_not_found(
    card: ActionRequest, alice: Customer, other_workspace: Workspace, shop: FakeShop
) -> None:
    """Even for a customer with the same merchant id in that workspace."""
    with workspace_scope(other_workspace.pk):
        ensure_policies()
        namesake = signed_in_as(Customer.objects.create(external_id=alice.external_id, name="Namesake"))
        for act in (
            lambda: confirm(card.pk, principal=namesake, digest=card.digest),
            lambda: decline(card.pk, principal=namesake),
        ):
            with pytest.raises(NotFound):
                act()
    card.refresh_from_db()
    assert card.state == State.AWAITING_CONFIRMATION and shop.refunds == []


def test_another_customers_order_takes_as_many_queries_as_a_missing_one(
    proposals: Callable[..., ActionRequest], shop: FakeShop
) -> None:
    """Otherwise, the time of the answer could reveal which orders exist."""
    asked = []
    for order in ("B-2002", "Z-9999"):
        shop.calls.clear()
        refused = proposals(order_id=order)
        texts = [refused.reason_code, sorted(refused.reason_facts), sorted(refused.arguments), refused.shown]
        asked.append((list(shop.calls), texts, len(steps_of(refused.pk))))
    assert asked[0] == asked[1]


@pytest.mark.django_db(transaction=True)
def test_twenty_simultaneous_deliveries_run_once(queued: ActionRequest, shop: FakeShop) -> None:
    assert all_at_once(queued.workspace_pk, *[partial(execute, queued.pk)] * 20) == []
    assert shop.calls.count("run refund") == 1 and len(shop.refunds) == 1
