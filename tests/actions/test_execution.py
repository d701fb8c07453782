"""Whatever is killed, lost or delivered twice, a request has at most one effect and a truthful final state."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.utils.timezone import now
from pytest_django.plugin import DjangoDbBlocker

from actions.cards import reason_of
from actions.catalogue.refund_order import ACTION as REFUND_ORDER
from actions.errors import NotWaiting
from actions.merchant_api.merchant import READ_SECONDS, RUN_SECONDS
from actions.merchant_api.port import Happened
from actions.models import ActionRequest, Attempt, AuditEntry, LedgerEntry
from actions.principals import Principal
from actions.reasons import Reason
from actions.requests.execution import LEASE, MAX_ATTEMPTS, Blocked, LeaseLost, claim, execute, recover, settle
from actions.requests.rule_decision import Decision, Verdict
from actions.requests.sweeps import sweep
from actions.requests.unknown_outcomes import SETTLED_AFTER, SETTLED_AFTER_ANSWER
from actions.services import cancel, confirm, decline, propose
from actions.states import FINAL, State
from actions.testing import FakeShop, ProcessDied, make_due, run_queued
from supportbot.accounts.models import User
from tests.actions.begun import alice as alice
from tests.actions.begun import begun
from tests.actions.begun import policies as policies
from tests.actions.begun import workspace as workspace
from tests.actions.conftest import ask_for_a_refund
from tests.actions.rounds import rounds

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("messages")]


@pytest.fixture(scope="module")
def begun_once(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[ActionRequest]:
    with begun(django_db_blocker, ask_for_a_refund) as request:
        yield request


@pytest.fixture
def queued(shop: FakeShop, begun_once: ActionRequest) -> ActionRequest:
    return ActionRequest.objects.get(pk=begun_once.pk)


def state_of(request: ActionRequest) -> tuple[str, str]:
    request.refresh_from_db()
    return request.state, request.reason_code


def pass_time() -> None:
    """Run workers and periodic tasks until nothing is due."""
    for _ in rounds(2 * MAX_ATTEMPTS):
        make_due()
        sweep()
        run_queued()


def die(request: ActionRequest) -> None:
    with pytest.raises(ProcessDied):
        execute(request.pk)


def test_a_lease_outlives_all_deadlines_of_one_attempt() -> None:
    assert LEASE.total_seconds() > 3 * READ_SECONDS + RUN_SECONDS


def test_a_message_that_is_delivered_twice_runs_once(queued: ActionRequest, shop: FakeShop) -> None:
    execute(queued.pk)
    execute(queued.pk)
    assert shop.calls.count("run refund") == 1
    assert Attempt.objects.count() == 1


def test_a_second_worker_finds_it_taken(queued: ActionRequest, shop: FakeShop) -> None:
    attempt = claim(queued.pk)
    assert attempt is not None
    execute(queued.pk)
    assert shop.calls.count("run refund") == 0
    assert claim(queued.pk) is None


def test_a_worker_is_killed_before_it_sends_anything(queued: ActionRequest, shop: FakeShop) -> None:
    assert claim(queued.pk) is not None  # the process dies here
    pass_time()
    assert state_of(queued)[0] == State.SUCCEEDED
    assert len(shop.refunds) == 1


def test_a_worker_is_killed_during_the_call(queued: ActionRequest, shop: FakeShop) -> None:
    shop.faults = ["die_before"]
    die(queued)
    assert state_of(queued)[0] == State.EXECUTING
    pass_time()
    assert state_of(queued)[0] == State.SUCCEEDED
    assert len(shop.refunds) == 1


def test_a_worker_is_killed_between_the_call_and_storing_its_result(queued: ActionRequest, shop: FakeShop) -> None:
    shop.faults = ["die_after"]
    die(queued)
    pass_time()
    assert state_of(queued)[0] == State.SUCCEEDED
    assert shop.calls.count("run refund") == 1  # the second attempt asks by key instead of sending again
    assert len(shop.refunds) == 1 and queued.receipt is not None


def test_a_lost_reply_is_found_by_key(queued: ActionRequest, shop: FakeShop) -> None:
    shop.faults = ["commit_then_silence"]
    run_queued()
    assert state_of(queued)[0] == State.SUCCEEDED
    assert shop.calls.count("run refund") == 1


def test_an_unanswered_call_is_retried_with_the_same_key(queued: ActionRequest, shop: FakeShop) -> None:
    shop.faults = ["silence", "silence"]
    run_queued()
    assert state_of(queued)[0] == State.QUEUED
    assert run_queued() and shop.calls.count("run refund") == 1  # not due yet
    pass_time()
    assert state_of(queued)[0] == State.SUCCEEDED
    assert [refund.key for refund in shop.refunds] == [str(queued.pk)]


def test_an_unreachable_merchant_leaves_the_outcome_unknown(queued: ActionRequest, shop: FakeShop) -> None:
    shop.faults = ["commit_then_silence"]
    shop.can_be_found = False
    pass_time()
    assert state_of(queued) == (State.UNKNOWN, "outcome_unknown")
    assert shop.calls.count("run refund") == 1
    assert LedgerEntry.objects.get().status == LedgerEntry.Status.RESERVED
    shop.can_be_found = True
    pass_time()
    assert state_of(queued) == (State.SUCCEEDED, "")  # "we are checking" no longer applies
    assert len(shop.refunds) == 1 and reason_of(queued) is None


@pytest.mark.long
def test_an_unknown_request_that_the_merchant_never_saw_ends_as_not_carried_out(
    queued: ActionRequest, shop: FakeShop
) -> None:
    shop.faults = ["silence"] * MAX_ATTEMPTS
    for _ in range(MAX_ATTEMPTS):
        make_due()
        run_queued()
    assert state_of(queued)[0] == State.UNKNOWN
    make_due()
    sweep()
    # A call sent a moment ago may still arrive, so "never seen" proves nothing yet.
    assert state_of(queued)[0] == State.UNKNOWN
    sent_long_ago(SETTLED_AFTER - timedelta(seconds=20))
    sweep()
    assert state_of(queued)[0] == State.UNKNOWN
    # The check that settles it is not delayed longer than necessary.
    assert queued.due_at is not None and queued.due_at <= now() + timedelta(seconds=20)
    sent_long_ago(SETTLED_AFTER)
    sweep()
    assert state_of(queued) == (State.FAILED, "not_carried_out")
    assert shop.refunds == [] and LedgerEntry.objects.get().status == LedgerEntry.Status.RELEASED


def sent_long_ago(ago: timedelta) -> None:
    """Move the time of all calls this far into the past, and make a check due."""
    Attempt.objects.update(sent_at=now() - ago)
    make_due()


@pytest.mark.long
def test_a_meaningless_answer_settles_sooner_than_silence(queued: ActionRequest, shop: FakeShop) -> None:
    """A merchant that has answered is done with the call; only its records may be late."""
    shop.faults = ["nonsense"] * MAX_ATTEMPTS
    for _ in range(MAX_ATTEMPTS):
        make_due()
        run_queued()
    assert state_of(queued)[0] == State.UNKNOWN
    sent_long_ago(SETTLED_AFTER_ANSWER - timedelta(seconds=5))
    sweep()
    assert state_of(queued)[0] == State.UNKNOWN
    sent_long_ago(SETTLED_AFTER_ANSWER)
    sweep()
    assert state_of(queued) == (State.FAILED, "not_carried_out")


@pytest.mark.long
def test_one_unanswered_call_delays_settling(queued: ActionRequest, shop: FakeShop) -> None:
    shop.faults = ["nonsense", "silence", "nonsense", "nonsense", "nonsense"]
    for _ in range(MAX_ATTEMPTS):
        make_due()
        run_queued()
    sent_long_ago(SETTLED_AFTER_ANSWER)
    sweep()
    assert state_of(queued)[0] == State.UNKNOWN


@pytest.mark.one_in(2)
@pytest.mark.parametrize("fault", ["commit_then_silence", "silence"])
def test_a_request_that_may_have_moved_cannot_be_withdrawn(
    fault: str, queued: ActionRequest, shop: FakeShop, principal: Principal, approver: User
) -> None:
    """It is queued between two attempts, but nobody knows yet whether anything was done."""
    shop.faults, shop.can_be_found = [fault], False
    run_queued()
    assert state_of(queued)[0] == State.QUEUED
    for withdraw in (partial(decline, principal=principal), partial(cancel, canceller=approver)):
        with pytest.raises(NotWaiting, match="already been sent"):
            withdraw(queued.pk)
    shop.can_be_found = True
    pass_time()
    assert state_of(queued)[0] == State.SUCCEEDED and len(shop.refunds) == 1


def test_a_request_that_never_reached_the_merchant_can_be_withdrawn(
    queued: ActionRequest, shop: FakeShop, principal: Principal
) -> None:
    shop.faults = ["refuse_connection"]
    run_queued()
    assert state_of(queued)[0] == State.QUEUED
    assert decline(queued.pk, principal=principal).reason_code == "withdrawn"
    pass_time()
    assert shop.refunds == []


@pytest.mark.long
def test_a_merchant_that_was_never_reached_fails_the_request(queued: ActionRequest, shop: FakeShop) -> None:
    shop.faults = ["refuse_connection"] * MAX_ATTEMPTS
    pass_time()
    assert state_of(queued) == (State.FAILED, "not_carried_out")


@pytest.mark.long
def test_an_unreadable_order_stops_the_attempt(queued: ActionRequest, shop: FakeShop) -> None:
    shop.is_reachable = False
    run_queued()
    assert state_of(queued)[0] == State.QUEUED and "run refund" not in shop.calls
    shop.is_reachable = True
    pass_time()
    assert state_of(queued)[0] == State.SUCCEEDED


def test_a_poison_request_is_parked(queued: ActionRequest, shop: FakeShop) -> None:
    for _ in range(MAX_ATTEMPTS):
        assert claim(queued.pk) is not None
        make_due()
        recover(queued.pk)
        make_due()
    assert state_of(queued) == (State.FAILED, "not_carried_out")
    assert Attempt.objects.count() == MAX_ATTEMPTS


def test_the_order_changed_before_the_call(queued: ActionRequest, shop: FakeShop) -> None:
    shop.change_order("A-1001", refunded=Decimal("49.90"))
    run_queued()
    assert state_of(queued) == (State.FAILED, "already_refunded")
    assert "run refund" not in shop.calls


def test_the_effect_of_our_own_late_call_does_not_refuse_the_request(queued: ActionRequest, shop: FakeShop) -> None:
    """The first attempt got no answer; the merchant executes it after our query by key, before we read the order."""
    shop.faults = ["silence"]
    run_queued()
    late = shop.order

    def arrives(order_id: str, *, locale: str = "") -> object:
        if not shop.refunds:
            shop.run(REFUND_ORDER.call(queued.arguments, "cus_alice"), idempotency_key=str(queued.pk))
        return late(order_id)

    shop.order = arrives  # type: ignore[assignment,method-assign]
    make_due()
    run_queued()
    assert state_of(queued)[0] == State.SUCCEEDED
    assert len(shop.refunds) == 1


def test_the_merchant_refuses(queued: ActionRequest, shop: FakeShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actions.requests.execution.reevaluate", lambda request, order: Decision(Verdict.CONFIRM))
    shop.change_order("A-1001", refunded=Decimal("49.90"))
    run_queued()
    assert state_of(queued) == (State.FAILED, "merchant_refused")
    assert shop.refunds == []


def test_a_worker_that_has_lost_its_lease_writes_nothing(queued: ActionRequest, shop: FakeShop) -> None:
    zombie = claim(queued.pk)
    assert zombie is not None
    make_due()
    recover(queued.pk)
    make_due()
    run_queued()
    assert state_of(queued)[0] == State.SUCCEEDED
    before = AuditEntry.objects.count()
    settle(zombie, Happened({"refund": "RF-LIE"}))
    settle(zombie, LeaseLost())
    assert AuditEntry.objects.count() == before
    queued.refresh_from_db()
    assert queued.receipt is not None and queued.receipt["reference"] == "RF-1"


def test_no_request_stays_between_states(queued: ActionRequest, shop: FakeShop) -> None:
    shop.faults = ["die_after"]
    die(queued)
    pass_time()
    assert not ActionRequest.objects.exclude(state__in=FINAL).exists()


def test_requests_about_one_record_are_carried_out_one_after_the_other(principal: Principal, shop: FakeShop) -> None:
    made = []
    for amount in ("2.00", "1.00"):
        wanted = {"order_id": "A-1002", "amount": amount, "reason": "Late"}
        card = propose(principal, "refund_order", wanted, proposal_key=f"{amount}:1")
        made.append(confirm(card.pk, principal=principal, digest=card.digest))
    first, other = made
    attempt = claim(first.pk)
    assert attempt is not None
    assert claim(other.pk) is None
    other.refresh_from_db()
    assert other.state == State.QUEUED and other.due_at is not None and other.attempt_count == 0
    settle(attempt, Blocked(Reason("not_delivered")))
    make_due()
    assert claim(other.pk) is not None
