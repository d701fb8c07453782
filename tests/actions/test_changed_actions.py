"""A request in progress during an upgrade to a release that has removed its action or changed its meaning."""

from collections.abc import Callable

import pytest

from actions.cards import card_of
from actions.catalogue.refund_order import RefundOrder
from actions.errors import Expired
from actions.models import ActionRequest, LedgerEntry
from actions.principals import Principal
from actions.registry import all_actions
from actions.requests.execution import MAX_ATTEMPTS
from actions.requests.sweeps import sweep
from actions.services import approve, confirm, propose
from actions.states import State
from actions.testing import FakeShop, make_due, run_queued
from supportbot.accounts.models import User
from tests.actions.conftest import REFUND

pytestmark = pytest.mark.django_db
Release = Callable[[], None]


@pytest.fixture(params=["gone", "another version"])
def release(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Release:
    """Return a function that installs the next release, in which the refund action has changed."""
    rest = {name: action for name, action in all_actions().items() if name != "refund_order"}

    def comes() -> None:
        if request.param == "another version":
            monkeypatch.setattr(RefundOrder, "version", 2)
            return
        monkeypatch.setattr("actions.registry.code_actions", lambda: rest)

    return comes


def end_of(request: ActionRequest) -> tuple[str, str]:
    request.refresh_from_db()
    return request.state, request.reason_code


def test_the_card_of_a_changed_action_expires(card: ActionRequest, principal: Principal, release: Release) -> None:
    release()
    with pytest.raises(Expired):
        confirm(card.pk, principal=principal, digest=card.digest)
    assert end_of(card) == (State.EXPIRED, "policy_changed")


@pytest.mark.one_in(2)
def test_the_approval_of_a_changed_action_expires(waiting: ActionRequest, approver: User, release: Release) -> None:
    release()
    with pytest.raises(Expired):
        approve(waiting.pk, approver=approver, digest=waiting.digest)
    assert end_of(waiting) == (State.EXPIRED, "policy_changed")


def test_a_changed_action_is_not_sent(queued: ActionRequest, shop: FakeShop, release: Release) -> None:
    release()
    run_queued()
    assert end_of(queued) == (State.FAILED, "policy_changed")
    assert shop.refunds == [] and LedgerEntry.objects.get().status == LedgerEntry.Status.RELEASED


@pytest.mark.one_in(4)
@pytest.mark.parametrize("attempts", [1, MAX_ATTEMPTS])
def test_a_completed_call_of_a_changed_action_is_reported_as_done(
    attempts: int, queued: ActionRequest, shop: FakeShop, release: Release
) -> None:
    shop.faults, shop.can_be_found = ["commit_then_silence"], False
    for _ in range(attempts):
        make_due()
        run_queued()
    release()
    shop.can_be_found = True
    make_due()
    run_queued()
    sweep()
    assert end_of(queued) == (State.SUCCEEDED, "")
    assert len(shop.refunds) == 1 and card_of(queued).title


def test_an_identical_request_gets_a_card_of_the_new_version(
    card: ActionRequest, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RefundOrder, "version", 2)
    fresh = propose(principal, "refund_order", REFUND, proposal_key="turn:1:2")
    assert (fresh.state, fresh.spec_version) == (State.AWAITING_CONFIRMATION, 2)
    assert end_of(card) == (State.EXPIRED, "policy_changed")
