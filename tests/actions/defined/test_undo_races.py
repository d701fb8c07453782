"""Undoing while something else happens: another undo, a changed record, changed rules, an identical open request."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from rest_framework.test import APIClient

from actions import cards
from actions.approvers import allow_approval
from actions.errors import CannotUndo, Expired
from actions.models import ActionRequest
from actions.policy_store import change_rules, policy_of, switch
from actions.principals import Principal
from actions.requests import undo
from actions.requests.reevaluation import gather_again
from actions.requests.undo import offer_of, offers_of, preview_undo, propose_undo
from actions.services import approve, confirm, propose
from actions.states import State
from actions.testing import run_queued
from supportbot.accounts.channels import NewChannel, create_channel
from supportbot.accounts.models import Customer, User, Workspace
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.actions.defined.test_undo import HOME, MOVE, OFFICE, moved, moving
from tests.patience import PATIENCE_SECONDS
from tests.rest import signed_in

__all__ = ["moved"]  # a fixture
pytestmark = pytest.mark.django_db
REQUESTS = "/api/v1/action-requests"
Anns = Callable[[], APIClient]


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "actions.requests.celery_publisher.Publisher.enqueue", lambda self, workspace_id, request_id: None
    )


@pytest.fixture
def browser_of_ann(workspace: Workspace, ann: Principal) -> Anns:
    """Return a function that opens another browser in which Ann is signed in."""
    channel: NewChannel = create_channel(workspace, "Storefront")
    customer = Customer.objects.get(pk=ann.customer_id)
    return lambda: signed_in(channel, customer)


def at_once(client: Anns, posts: list[tuple[str, dict[str, Any]]]) -> list[tuple[int, Any]]:
    """Make all these calls at the same moment; return the status and body of each answer."""
    start = threading.Barrier(len(posts))

    def run(post: tuple[str, dict[str, Any]]) -> tuple[int, Any]:
        try:
            one = client()
            start.wait(PATIENCE_SECONDS)
            answer = one.post(post[0], post[1], format="json")
            return answer.status_code, answer.json()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(posts)) as pool:
        return list(pool.map(run, posts))


@pytest.mark.django_db(transaction=True)
def test_only_one_of_many_simultaneous_undos_and_confirmations_is_carried_out(
    moved: ActionRequest, browser_of_ann: Anns, retail: LoopbackShop
) -> None:
    answers = at_once(browser_of_ann, [(f"{REQUESTS}/{moved.pk}/undo", {})] * 6)
    assert {status for status, _ in answers} == {200} and len({shown["id"] for _, shown in answers}) == 1
    card = answers[0][1]
    answers = at_once(browser_of_ann, [(f"{REQUESTS}/{card['id']}/confirm", {"digest": card["digest"]})] * 6)
    assert sorted(status for status, _ in answers) == [200, *[409] * 5]
    run_queued()
    assert ActionRequest.objects.get(undoes=moved.pk).state == State.SUCCEEDED
    assert retail.records.records["orders"]["#W0000001"]["address"] == HOME and len(retail.performed) == 2
    late = browser_of_ann().post(f"{REQUESTS}/{moved.pk}/undo", {}, format="json")
    assert (late.status_code, late.json()["code"]) == (409, "cannot_undo")


def test_an_undo_that_another_one_overtakes_is_not_carried_out_again(
    moved: ActionRequest, ann: Principal, browser_of_ann: Anns, retail: LoopbackShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other undo is requested, confirmed and carried out after the first has seen that none is open."""

    def overtaken(*args: Any, **asked: Any) -> ActionRequest:
        monkeypatch.undo()
        monkeypatch.setattr(
            "actions.requests.celery_publisher.Publisher.enqueue", lambda self, workspace_id, request_id: None
        )
        card = propose_undo(ann, moved.pk)
        confirm(card.pk, principal=ann, digest=card.digest)
        run_queued()
        return propose(*args, **asked)

    monkeypatch.setattr(undo, "propose", overtaken)
    answer = browser_of_ann().post(f"{REQUESTS}/{moved.pk}/undo", {}, format="json")
    assert (answer.status_code, answer.json()["state"]) == (200, "succeeded")
    assert ActionRequest.objects.filter(undoes=moved.pk).count() == 1 and len(retail.performed) == 2


@pytest.mark.one_in(2)
@pytest.mark.parametrize("when", ["before the confirmation", "after it"])
def test_a_record_that_has_changed_is_not_restored(
    moved: ActionRequest, ann: Principal, browser_of_ann: Anns, retail: LoopbackShop, when: str
) -> None:
    """The order is packed meanwhile, so nothing is sent; once it is pending again, the undo can be requested again."""
    order, card = retail.records.records["orders"]["#W0000001"], propose_undo(ann, moved.pk)
    if when == "before the confirmation":
        order["status"] = "processed"
    browser_of_ann().post(f"{REQUESTS}/{card.pk}/confirm", {"digest": card.digest}, format="json")
    order["status"] = "processed"
    run_queued()
    card.refresh_from_db()
    assert card.state in (State.CANCELLED, State.FAILED) and card.reason_code == "not_pending"
    assert order["address"]["city"] == "Austin" and len(retail.performed) == 1
    order["status"] = "pending"
    assert propose_undo(ann, moved.pk).state == State.AWAITING_CONFIRMATION


@pytest.mark.one_in(2)
@pytest.mark.parametrize("change", ["rules", "switch"])
def test_an_undo_that_is_changed_or_switched_off_meanwhile_is_not_carried_out(
    moved: ActionRequest, ann: Principal, browser_of_ann: Anns, retail: LoopbackShop, change: str
) -> None:
    card, policy = propose_undo(ann, moved.pk), policy_of(MOVE)
    assert policy is not None
    if change == "rules":
        change_rules(policy, actor="test", max_requests_per_customer_day=50)
    else:
        switch(policy, is_enabled=False, actor="test")
    browser_of_ann().post(f"{REQUESTS}/{card.pk}/confirm", {"digest": card.digest}, format="json")
    run_queued()
    card.refresh_from_db()
    assert card.state != State.SUCCEEDED and len(retail.performed) == 1


def end_window(moved: ActionRequest) -> None:
    ActionRequest.objects.filter(pk=moved.pk).update(changed_at=now() - timedelta(hours=3))


def assert_is_too_late(card: ActionRequest, state: State, moved: ActionRequest, retail: LoopbackShop) -> None:
    run_queued()
    card.refresh_from_db()
    assert (card.state, card.reason_code) == (state, "undo_too_late")
    assert (cards.reason_of(card) or {})["text"] == "It is too late to undo this. Nothing was done."
    assert retail.records.records["orders"]["#W0000001"]["address"]["city"] == "Austin" and len(retail.performed) == 1


def test_a_card_is_not_confirmed_after_the_window(
    moved: ActionRequest, ann: Principal, browser_of_ann: Anns, retail: LoopbackShop
) -> None:
    card = propose_undo(ann, moved.pk)
    end_window(moved)
    answer = browser_of_ann().post(f"{REQUESTS}/{card.pk}/confirm", {"digest": card.digest}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "expired")
    assert_is_too_late(card, State.EXPIRED, moved, retail)
    again = browser_of_ann().post(f"{REQUESTS}/{moved.pk}/undo", {}, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "cannot_undo")


@pytest.mark.long
def test_a_window_that_ends_between_check_and_lock_ends_the_card(
    moved: ActionRequest, ann: Principal, browser_of_ann: Anns, retail: LoopbackShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = propose_undo(ann, moved.pk)

    def gather_slowly(*args: Any) -> Any:
        records = gather_again(*args)
        end_window(moved)
        return records

    monkeypatch.setattr("actions.services.gather_again", gather_slowly)
    answer = browser_of_ann().post(f"{REQUESTS}/{card.pk}/confirm", {"digest": card.digest}, format="json")
    assert answer.status_code == 409
    run_queued()
    card.refresh_from_db()
    assert card.state == State.AWAITING_CONFIRMATION and len(retail.performed) == 1
    assert (
        browser_of_ann().post(f"{REQUESTS}/{card.pk}/confirm", {"digest": card.digest}, format="json").status_code
        == 409
    )
    assert_is_too_late(card, State.EXPIRED, moved, retail)


@pytest.mark.long
def test_a_confirmed_undo_is_not_sent_after_the_window(
    moved: ActionRequest, ann: Principal, retail: LoopbackShop
) -> None:
    card = propose_undo(ann, moved.pk)
    confirm(card.pk, principal=ann, digest=card.digest)
    end_window(moved)
    assert_is_too_late(card, State.FAILED, moved, retail)


@pytest.mark.long
def test_an_undo_is_not_approved_after_the_window(
    put_in_force: Callable[[dict[str, Any]], None],
    agreed: Callable[..., ActionRequest],
    ann: Principal,
    approver: User,
    retail: LoopbackShop,
) -> None:
    retail.records.records["orders"]["#W0000001"]["address"] = dict(HOME)
    put_in_force({**moving(), "approval": {"when": "arguments.city == 'Boston'"}})
    policy = policy_of(MOVE)
    assert policy is not None
    allow_approval(policy, approver, actor="test")
    moved = agreed(MOVE, OFFICE)
    run_queued()
    moved.refresh_from_db()
    card = propose_undo(ann, moved.pk)
    waiting = confirm(card.pk, principal=ann, digest=card.digest)
    assert waiting.state == State.AWAITING_APPROVAL
    assert waiting.expires_at == moved.changed_at + timedelta(hours=2)  # instead of the usual day
    end_window(moved)
    with pytest.raises(Expired):
        approve(card.pk, approver=approver, digest=card.digest)
    assert_is_too_late(card, State.EXPIRED, moved, retail)


def test_an_undo_that_would_be_held_until_after_the_window_is_not_offered(
    moved: ActionRequest, ann: Principal, retail: LoopbackShop
) -> None:
    policy = policy_of(MOVE)
    assert policy is not None
    change_rules(policy, actor="test", hold_minutes=90)
    offer = offer_of(moved)
    assert offer is not None and offer.until == moved.changed_at + timedelta(minutes=30)
    ActionRequest.objects.filter(pk=moved.pk).update(changed_at=now() - timedelta(minutes=20))
    card = propose_undo(ann, moved.pk)
    moved.refresh_from_db()
    assert card.expires_at == moved.changed_at + timedelta(minutes=30)
    ActionRequest.objects.filter(pk=moved.pk).update(changed_at=now() - timedelta(minutes=40))
    with pytest.raises(Expired):
        confirm(card.pk, principal=ann, digest=card.digest)
    assert_is_too_late(card, State.EXPIRED, moved, retail)


@pytest.mark.long
def test_an_identical_request_in_progress_is_reported_before_anything_is_proposed(
    moved: ActionRequest, ann: Principal, browser_of_ann: Anns, retail: LoopbackShop
) -> None:
    direct = propose(ann, MOVE, {"order_id": "#W0000001", **HOME}, proposal_key="turn:9:1:1")
    assert preview_undo(ann, moved.pk).decision.is_refusal is False  # it would replace that card
    confirm(direct.pk, principal=ann, digest=direct.digest)
    with pytest.raises(CannotUndo):
        preview_undo(ann, moved.pk)
    answer = browser_of_ann().post(f"{REQUESTS}/{moved.pk}/undo", {}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "cannot_undo")
    assert not ActionRequest.objects.filter(undoes=moved.pk).exists() and len(retail.performed) == 1


def test_a_preview_shows_the_card_that_is_open(moved: ActionRequest, ann: Principal) -> None:
    card = propose_undo(ann, moved.pk)
    shown = preview_undo(ann, moved.pk)
    assert shown.request == card and not shown.decision.is_refusal


@pytest.mark.long
def test_undo_offers_for_many_requests_take_as_many_queries_as_for_one(
    moved: ActionRequest, agreed: Callable[..., ActionRequest], retail: LoopbackShop
) -> None:
    def queries_for(requests: list[ActionRequest]) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert offers_of(requests).keys() == {one.pk for one in requests}
        return len(queries)

    offers_of([moved])  # each process reads the version once
    of_one = queries_for([moved])
    for city in ("Dallas", "Houston", "Waco"):
        agreed(MOVE, {**OFFICE, "city": city})
        run_queued()
    assert queries_for(list(ActionRequest.objects.filter(state=State.SUCCEEDED))) == of_one <= 3
