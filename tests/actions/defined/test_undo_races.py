"""Undoing while something else happens: two at once, a changed record, changed rules, an equal request on its way."""

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

from actions import undoing
from actions.errors import CannotUndo
from actions.models import ActionRequest
from actions.policies import change_rules, policy_of, switch
from actions.principals import Principal
from actions.services import confirm, propose
from actions.states import State
from actions.testing import run_queued
from actions.undoing import offers_of, preview_undo, propose_undo
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.services import NewChannel, create_channel
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.actions.defined.test_undo import HOME, MOVE, OFFICE, moved
from tests.patience import PATIENCE_SECONDS
from tests.rest import signed_in

__all__ = ["moved"]  # a fixture
pytestmark = pytest.mark.django_db
REQUESTS = "/api/v1/action-requests"
Anns = Callable[[], APIClient]


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actions.publisher.Publisher.wake", lambda self, workspace_id, request_id: None)


@pytest.fixture
def anns(workspace: Workspace, ann: Principal) -> Anns:
    """Return a function that opens one more browser in which Ann is signed in."""
    channel: NewChannel = create_channel(workspace, "Storefront")
    customer = Customer.objects.get(pk=ann.customer_id)
    return lambda: signed_in(channel, customer)


def at_once(client: Anns, posts: list[tuple[str, dict[str, Any]]]) -> list[tuple[int, Any]]:
    """Make all these calls at the same moment; return their statuses and answers."""
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
def test_of_many_undos_and_confirmations_at_once_one_is_done(
    moved: ActionRequest, anns: Anns, retail: LoopbackShop
) -> None:
    answers = at_once(anns, [(f"{REQUESTS}/{moved.pk}/undo", {})] * 6)
    assert {status for status, _ in answers} == {200} and len({shown["id"] for _, shown in answers}) == 1
    card = answers[0][1]
    answers = at_once(anns, [(f"{REQUESTS}/{card['id']}/confirm", {"digest": card["digest"]})] * 6)
    assert sorted(status for status, _ in answers) == [200, *[409] * 5]
    run_queued()
    assert ActionRequest.objects.get(undoes=moved.pk).state == State.SUCCEEDED
    assert retail.records.records["orders"]["#W0000001"]["address"] == HOME and len(retail.performed) == 2
    late = anns().post(f"{REQUESTS}/{moved.pk}/undo", {}, format="json")
    assert (late.status_code, late.json()["code"]) == (409, "cannot_undo")


def test_an_undo_that_is_overtaken_by_a_whole_other_one_is_not_done_again(
    moved: ActionRequest, ann: Principal, anns: Anns, retail: LoopbackShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other is asked for, confirmed and carried out after the first has seen that none is open."""

    def overtaken(*args: Any, **asked: Any) -> ActionRequest:
        monkeypatch.undo()
        monkeypatch.setattr("actions.publisher.Publisher.wake", lambda self, workspace_id, request_id: None)
        card = propose_undo(ann, moved.pk)
        confirm(card.pk, principal=ann, digest=card.digest)
        run_queued()
        return propose(*args, **asked)

    monkeypatch.setattr(undoing, "propose", overtaken)
    answer = anns().post(f"{REQUESTS}/{moved.pk}/undo", {}, format="json")
    assert (answer.status_code, answer.json()["state"]) == (200, "succeeded")
    assert ActionRequest.objects.filter(undoes=moved.pk).count() == 1 and len(retail.performed) == 2


@pytest.mark.parametrize("when", ["before the confirmation", "after it"])
def test_a_record_that_has_changed_is_not_put_back(
    moved: ActionRequest, ann: Principal, anns: Anns, retail: LoopbackShop, when: str
) -> None:
    """The order is packed meanwhile: nothing is sent, and once it is not, the undo may be asked for again."""
    order, card = retail.records.records["orders"]["#W0000001"], propose_undo(ann, moved.pk)
    if when == "before the confirmation":
        order["status"] = "processed"
    anns().post(f"{REQUESTS}/{card.pk}/confirm", {"digest": card.digest}, format="json")
    order["status"] = "processed"
    run_queued()
    card.refresh_from_db()
    assert card.state in (State.CANCELLED, State.FAILED) and card.reason_code == "not_pending"
    assert order["address"]["city"] == "Austin" and len(retail.performed) == 1
    order["status"] = "pending"
    assert propose_undo(ann, moved.pk).state == State.AWAITING_CONFIRMATION


@pytest.mark.parametrize("change", ["rules", "switch"])
def test_what_is_changed_or_switched_off_meanwhile_is_not_carried_out(
    moved: ActionRequest, ann: Principal, anns: Anns, retail: LoopbackShop, change: str
) -> None:
    card, policy = propose_undo(ann, moved.pk), policy_of(MOVE)
    assert policy is not None
    if change == "rules":
        change_rules(policy, actor="test", max_requests_per_customer_day=50)
    else:
        switch(policy, is_enabled=False, actor="test")
    anns().post(f"{REQUESTS}/{card.pk}/confirm", {"digest": card.digest}, format="json")
    run_queued()
    card.refresh_from_db()
    assert card.state != State.SUCCEEDED and len(retail.performed) == 1


def test_a_card_that_was_asked_for_in_time_may_be_confirmed_after_the_window(
    moved: ActionRequest, ann: Principal, anns: Anns, retail: LoopbackShop
) -> None:
    card = propose_undo(ann, moved.pk)
    ActionRequest.objects.filter(pk=moved.pk).update(changed_at=now() - timedelta(hours=3))
    again = anns().post(f"{REQUESTS}/{moved.pk}/undo", {}, format="json")  # the open card, not another one
    assert (again.status_code, again.json()["id"]) == (200, str(card.pk))
    answer = anns().post(f"{REQUESTS}/{card.pk}/confirm", {"digest": card.digest}, format="json")
    assert (answer.status_code, answer.json()["state"]) == (200, "queued")
    run_queued()
    assert retail.records.records["orders"]["#W0000001"]["address"] == HOME


def test_an_equal_request_on_its_way_is_told_before_anything_is_proposed(
    moved: ActionRequest, ann: Principal, anns: Anns, retail: LoopbackShop
) -> None:
    direct = propose(ann, MOVE, {"order_id": "#W0000001", **HOME}, proposal_key="turn:9:1:1")
    assert preview_undo(ann, moved.pk).decision.is_refusal is False  # it would take the place of that card
    confirm(direct.pk, principal=ann, digest=direct.digest)
    with pytest.raises(CannotUndo):
        preview_undo(ann, moved.pk)
    answer = anns().post(f"{REQUESTS}/{moved.pk}/undo", {}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "cannot_undo")
    assert not ActionRequest.objects.filter(undoes=moved.pk).exists() and len(retail.performed) == 1


def test_a_preview_shows_the_card_that_is_open(moved: ActionRequest, ann: Principal) -> None:
    card = propose_undo(ann, moved.pk)
    shown = preview_undo(ann, moved.pk)
    assert shown.request == card and not shown.decision.is_refusal


def test_offers_of_many_requests_take_as_many_queries_as_of_one(
    moved: ActionRequest, agreed: Callable[..., ActionRequest], retail: LoopbackShop
) -> None:
    def queries_for(requests: list[ActionRequest]) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert offers_of(requests).keys() == {one.pk for one in requests}
        return len(queries)

    offers_of([moved])  # the version is read once by each process
    of_one = queries_for([moved])
    for city in ("Dallas", "Houston", "Waco"):
        agreed(MOVE, {**OFFICE, "city": city})
        run_queued()
    assert queries_for(list(ActionRequest.objects.filter(state=State.SUCCEEDED))) == of_one <= 3
