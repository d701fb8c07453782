"""New rules apply to waiting requests: cards expire, and requests for approval stay or end as the rules now say."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils.timezone import now

from actions.audit import verify
from actions.errors import Expired, MerchantUnavailable
from actions.models import ActionRequest, AuditEntry, LedgerEntry
from actions.policy_store import policy_of, switch
from actions.principals import Principal
from actions.requests import sweeps
from actions.services import approve, confirm, propose
from actions.states import State
from actions.testing import FakeShop, run_queued
from supportbot.accounts.models import User
from supportbot.chat.models import ConversationEvent
from supportbot.chat.services import start_conversation
from supportbot.outbox.delivery import deliver_due
from tests.actions.conftest import REFUND, limit

pytestmark = pytest.mark.django_db


def state_of(request: ActionRequest) -> tuple[str, str]:
    request.refresh_from_db()
    return request.state, request.reason_code


def test_new_rules_expire_cards_before_anyone_clicks(card: ActionRequest, waiting: ActionRequest) -> None:
    sweeps.judge_waiting()
    assert state_of(card) == (State.EXPIRED, "policy_changed")  # `waiting` comes with its own rules
    assert state_of(waiting) == (State.AWAITING_APPROVAL, "")


@pytest.mark.one_in(3)
@pytest.mark.parametrize("rules", [{"approval_above": Decimal(1)}, {"approval_above": None}, {"max_per_order": 700}])
def test_an_approval_that_the_new_rules_allow_stays(
    rules: dict[str, Decimal | None], waiting: ActionRequest, approver: User, shop: FakeShop
) -> None:
    limit("refund_order", **rules)
    sweeps.judge_waiting()
    assert state_of(waiting) == (State.AWAITING_APPROVAL, "")
    assert AuditEntry.objects.get(event="approval.judged").payload["policy"] == waiting.judged_by
    sweeps.judge_waiting()  # checked once per version of the rules
    assert AuditEntry.objects.filter(event="approval.judged").count() == 1
    approve(waiting.pk, approver=approver, digest=waiting.digest)
    run_queued()
    assert state_of(waiting) == (State.SUCCEEDED, "") and len(shop.refunds) == 1


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ({"max_per_order": Decimal(100)}, "limit_order"),
        ({"max_per_customer_day": Decimal("639.99")}, "limit_customer_day"),
        ({"is_shadow": True}, "shadow_mode"),
        ({"window_days": 9}, "outside_window"),
    ],
)
def test_an_approval_that_the_new_rules_refuse_ends_and_both_sides_are_informed(
    rules: dict[str, object], code: str, shop: FakeShop, principal: Principal, approver: User
) -> None:
    limit("refund_order", max_per_customer_year=None)
    chat = start_conversation(principal.customer_id)
    card = propose(
        principal, "refund_order", {**REFUND, "order_id": "A-1002"}, proposal_key="turn:1:1",
        conversation_id=chat.pk,
    )  # fmt: skip
    waiting = confirm(card.pk, principal=principal, digest=card.digest)
    limit("refund_order", **rules)
    sweeps.judge_waiting()
    assert state_of(waiting) == (State.EXPIRED, code)
    assert LedgerEntry.objects.get().status == LedgerEntry.Status.RELEASED
    deliver_due()
    told = ConversationEvent.objects.get(conversation=chat, event="action.expired")
    assert told.payload["reason"]["code"] == code
    with pytest.raises(Expired):
        approve(waiting.pk, approver=approver, digest=waiting.digest)
    assert shop.refunds == [] and verify().is_whole


def test_a_click_before_the_sweep_is_checked_too(waiting: ActionRequest, approver: User, shop: FakeShop) -> None:
    limit("refund_order", max_per_order=Decimal(100))
    with pytest.raises(Expired):
        approve(waiting.pk, approver=approver, digest=waiting.digest)
    assert state_of(waiting) == (State.EXPIRED, "limit_order")


@pytest.mark.long
def test_unreadable_records_are_requested_again_later(waiting: ActionRequest, approver: User, shop: FakeShop) -> None:
    limit("refund_order", window_days=9)
    shop.is_reachable = False
    sweeps.judge_waiting()
    with pytest.raises(MerchantUnavailable):
        approve(waiting.pk, approver=approver, digest=waiting.digest)
    assert state_of(waiting) == (State.AWAITING_APPROVAL, "")
    shop.is_reachable = True
    sweeps.judge_waiting()  # not yet, since a shop that is down is not called every two seconds
    assert state_of(waiting) == (State.AWAITING_APPROVAL, "")
    ActionRequest.objects.filter(pk=waiting.pk).update(due_at=now() - timedelta(seconds=1))
    sweeps.judge_waiting()
    assert state_of(waiting) == (State.EXPIRED, "outside_window")


def test_a_disabled_policy_is_applied_once_it_is_enabled_again(waiting: ActionRequest) -> None:
    policy = policy_of("refund_order")
    assert policy is not None
    switch(policy, is_enabled=False, actor="test")
    limit("refund_order", max_per_order=Decimal(100))
    sweeps.judge_waiting()
    assert state_of(waiting) == (State.AWAITING_APPROVAL, "")
    switch(policy, is_enabled=True, actor="test")
    sweeps.judge_waiting()
    assert state_of(waiting) == (State.EXPIRED, "limit_order")


@pytest.fixture
def three_waiting(shop: FakeShop, principal: Principal) -> Iterator[list[ActionRequest]]:
    limit("refund_order", max_per_customer_year=None, approval_above=Decimal(1))
    made = []
    for number in range(3):
        shop.add_order(f"C-{number}", "cus_alice", total="30.00")
        card = propose(
            principal, "refund_order", {**REFUND, "order_id": f"C-{number}"}, proposal_key=f"turn:2:{number}"
        )
        made.append(confirm(card.pk, principal=principal, digest=card.digest))
    yield made


@pytest.mark.long
def test_requests_that_wait_longest_keep_their_approval(three_waiting: list[ActionRequest]) -> None:
    limit("refund_order", max_per_workspace_day=Decimal(60))
    sweeps.judge_waiting()
    assert [state_of(one)[0] for one in three_waiting] == [
        State.AWAITING_APPROVAL, State.AWAITING_APPROVAL, State.EXPIRED,
    ]  # fmt: skip


@pytest.mark.long
def test_a_sweep_that_dies_leaves_the_rest_to_the_next_one(
    three_waiting: list[ActionRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit("refund_order", max_per_order=Decimal(10))
    with monkeypatch.context() as dying:
        dying.setattr("actions.requests.sweeps._for_each", _dies_after_the_first(sweeps._for_each))
        with pytest.raises(KeyboardInterrupt):
            sweeps.judge_waiting()
    assert [state_of(one)[0] for one in three_waiting].count(State.EXPIRED) == 1
    sweeps.judge_waiting()
    assert {state_of(one) for one in three_waiting} == {(State.EXPIRED, "limit_order")}


def _dies_after_the_first(real: Callable[..., None]) -> Callable[..., None]:
    calls: list[int] = []

    def dying(*args: object) -> None:
        if calls:
            raise KeyboardInterrupt
        calls.append(1)
        real(*args)

    return dying


def test_a_confirmed_request_that_now_needs_approval_is_not_sent(queued: ActionRequest, shop: FakeShop) -> None:
    limit("refund_order", approval_above=Decimal("0.01"))
    run_queued()
    assert state_of(queued) == (State.FAILED, "approval_needed")
    assert shop.refunds == [] and LedgerEntry.objects.get(request=queued).status == "released"


def test_an_approved_request_is_sent_under_rules_that_require_the_approval_it_has(
    waiting: ActionRequest, approver: User, shop: FakeShop
) -> None:
    approve(waiting.pk, approver=approver, digest=waiting.digest)
    limit("refund_order", approval_above=Decimal(1))
    run_queued()
    assert state_of(waiting) == (State.SUCCEEDED, "") and len(shop.refunds) == 1


def test_if_two_requests_exceed_the_threshold_together_the_earlier_is_still_sent(
    principal: Principal, shop: FakeShop
) -> None:
    limit("refund_order", approval_above=Decimal(20))
    made = []
    for number in (1, 2):
        wanted = {"order_id": "A-1001", "amount": "12.00", "reason": f"Reason {number}"}
        one = propose(principal, "refund_order", wanted, proposal_key=f"t:{number}:1")
        made.append(confirm(one.pk, principal=principal, digest=one.digest))
    assert [one.state for one in made] == [State.QUEUED, State.AWAITING_APPROVAL]
    run_queued()
    assert state_of(made[0]) == (State.SUCCEEDED, "") and len(shop.refunds) == 1
