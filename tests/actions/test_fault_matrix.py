"""The fault matrix of one action: each kind of fault at each point of its flow (docs/testing.md names the cells).

A flow is one refund, from the proposal to the customer's notice. A fault is injected at a named point. Then the
client repeats whatever was not acknowledged, time passes, and the result must be the same: one effect, reported once.
"""

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection
from kombu.exceptions import OperationalError as BrokerDown
from pytest_django.fixtures import Settings

from actions import services
from actions.errors import NotWaiting
from actions.models import ActionRequest, Attempt, LedgerEntry
from actions.policy_store import policy_of, switch
from actions.principals import Principal
from actions.requests.celery_publisher import Publisher
from actions.requests.execution import claim, execute
from actions.requests.sweeps import sweep
from actions.states import State
from actions.testing import FakeShop, ProcessDied, make_due, run_queued
from supportbot.assistant.outbox_consumers import record_action_events
from supportbot.chat.models import Conversation
from supportbot.outbox.models import Announcement
from tests.actions.conftest import REFUND
from tests.actions.refund_flow import POINTS, RefundFlow, fault_at

pytestmark = pytest.mark.django_db
BEFORE_PROPOSAL, BEFORE_CONFIRMATION = "before the proposal is committed", "before the confirmation is committed"


@pytest.fixture(autouse=True)
def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages that reach the broker; the test delivers them."""
    sent: list[str] = []
    monkeypatch.setattr(
        "actions.requests.sweeps.publish", lambda workspace_id, request_id: sent.append(str(request_id))
    )
    monkeypatch.setattr(
        "actions.requests.celery_publisher.Publisher.enqueue", lambda self, workspace_id, request_id: None
    )
    return sent


@pytest.fixture
def flow(shop: FakeShop, principal: Principal) -> RefundFlow:
    conversation = Conversation.objects.create(customer_id=principal.customer_id)
    return RefundFlow(principal, shop, conversation.pk)


def die() -> None:
    raise ProcessDied


def lose_the_database() -> None:
    """End this connection's server process, as a restart of PostgreSQL would; the next statement fails."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    database = connection.settings_dict
    with psycopg.connect(
        host=database["HOST"], port=database["PORT"], user=database["USER"], password=database["PASSWORD"],
        dbname=database["NAME"], autocommit=True,
    ) as other:  # fmt: skip
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


@pytest.mark.one_in(4)
@pytest.mark.parametrize("point", POINTS)
def test_a_flow_survives_a_killed_process(point: str, flow: RefundFlow, monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_at(point, die, monkeypatch) as struck:
        flow.run()
    assert struck and flow.lost == 1
    flow.assert_paid_once()
    # A call that may have been sent is looked up by key, not sent again.
    assert flow.shop.calls.count("run refund") == 1


@pytest.mark.one_in(4)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", POINTS)
def test_a_refund_is_paid_once_if_the_database_goes_away(
    point: str, flow: RefundFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fault_at(point, lose_the_database, monkeypatch) as struck:
        flow.run()
    assert struck
    flow.assert_paid_once()


def test_a_proposal_that_was_not_committed_leaves_nothing(flow: RefundFlow, monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_at(BEFORE_PROPOSAL, die, monkeypatch), pytest.raises(ProcessDied):
        flow.propose()
    assert not ActionRequest.objects.exists() and not Announcement.objects.exists()


def test_a_card_stays_when_its_confirmation_was_not_committed(
    flow: RefundFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow.propose()
    with fault_at(BEFORE_CONFIRMATION, die, monkeypatch), pytest.raises(ProcessDied):
        flow.confirm()
    assert flow.request.state == State.AWAITING_CONFIRMATION
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize("point", list(POINTS)[4:7])
def test_no_call_is_made_without_its_attempt_on_record(
    point: str, flow: RefundFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow.propose()
    flow.confirm()
    with fault_at(point, die, monkeypatch), pytest.raises(ProcessDied):
        flow.process()
    assert "run refund" not in flow.shop.calls
    assert not Attempt.objects.exclude(sent_at=None).exists()


# --- The broker is down.


def test_a_proposal_needs_no_broker_and_a_confirmation_waits_for_it(
    flow: RefundFlow, monkeypatch: pytest.MonkeyPatch, messages: list[str]
) -> None:
    def down(workspace_id: object, request_id: object) -> None:
        raise BrokerDown("no broker")

    monkeypatch.undo()  # the real publisher
    monkeypatch.setattr("actions.requests.celery_publisher.publish", down)
    monkeypatch.setattr("actions.requests.sweeps.publish", down)
    flow.propose()
    flow.confirm()
    Publisher().enqueue(flow.request.workspace_pk, flow.request.pk)
    ActionRequest.objects.update(changed_at="2000-01-01T00:00:00Z")
    sweep()
    assert flow.request.state == State.QUEUED
    monkeypatch.setattr(
        "actions.requests.sweeps.publish", lambda workspace_id, request_id: messages.append(str(request_id))
    )
    sweep()
    assert messages == [str(flow.request.pk)]
    flow.process()
    flow.deliver()
    flow.assert_paid_once()


def test_a_message_lost_with_the_broker_is_sent_again_and_the_old_one_is_harmless(
    flow: RefundFlow, messages: list[str]
) -> None:
    flow.propose()
    flow.confirm()
    ActionRequest.objects.update(changed_at="2000-01-01T00:00:00Z")
    sweep()  # publishes a second message for the same request
    assert messages == [str(flow.request.pk)]
    attempt = claim(flow.request.pk)
    assert attempt is not None
    execute(flow.request.pk)  # the first message arrives after all: the lease refuses it
    assert "run refund" not in flow.shop.calls
    flow.process()
    flow.deliver()
    flow.assert_paid_once()


@pytest.mark.parametrize("point", ["after the mark, before the call", "after the call, before its result"])
def test_a_call_in_progress_does_not_need_the_broker(
    point: str, flow: RefundFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_broker() -> None:
        monkeypatch.setattr("supportbot.celery.app.connection_for_write", die)

    with fault_at(point, cut_broker, monkeypatch) as struck:
        flow.run()
    assert struck and flow.lost == 0
    flow.assert_paid_once()


@pytest.mark.django_db(transaction=True)
def test_an_event_whose_wake_up_is_lost_stays_in_the_log(
    flow: RefundFlow, settings: Settings, unused_port: int
) -> None:
    """Readers find the event when they poll the log."""
    flow.propose()
    flow.confirm()
    flow.process()
    layer = {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
             "CONFIG": {"hosts": [f"redis://127.0.0.1:{unused_port}/1"]}}  # fmt: skip
    assert django_settings.CHANNEL_LAYERS["default"] != layer
    settings.CHANNEL_LAYERS = {"default": layer}
    flow.deliver()
    flow.assert_paid_once()


# --- Everything is delivered twice.


def test_every_step_happens_twice(flow: RefundFlow) -> None:
    for step in (flow.propose, flow.confirm, flow.process, flow.deliver):
        step()
        step() if step != flow.confirm else confirm_again(flow)
    Announcement.objects.update(delivered_at=None)
    flow.deliver()
    record_action_events(flow.request.pk)
    flow.assert_paid_once()
    assert flow.shop.calls.count("run refund") == 1


def confirm_again(flow: RefundFlow) -> None:
    with pytest.raises(NotWaiting):
        services.confirm(flow.request.pk, principal=flow.principal, digest=flow.request.digest)


def test_the_merchant_receives_every_call_twice(flow: RefundFlow, monkeypatch: pytest.MonkeyPatch) -> None:
    real = FakeShop.run

    def run_twice(shop: FakeShop, *args: Any, **more: Any) -> Any:
        first, second = real(shop, *args, **more), real(shop, *args, **more)
        assert first == second
        return second

    monkeypatch.setattr(FakeShop, "run", run_twice)
    flow.run()
    assert flow.shop.calls.count("run refund") == 2
    flow.assert_paid_once()


# --- The order or the rules change meanwhile.


def refunded_elsewhere(shop: FakeShop) -> None:
    shop.change_order("A-1001", refunded=Decimal("49.90"))


def cancelled_elsewhere(shop: FakeShop) -> None:
    shop.change_order("A-1001", status="cancelled")


def given_to_somebody_else(shop: FakeShop) -> None:
    shop.change_order("A-1001", customer="cus_stranger")


def switched_off(shop: FakeShop) -> None:
    policy = policy_of("refund_order")
    assert policy is not None
    switch(policy, is_enabled=False, actor="test")


CHANGES = {
    "already_refunded": refunded_elsewhere, "order_cancelled": cancelled_elsewhere,
    "order_not_found": given_to_somebody_else, "action_disabled": switched_off,
}  # fmt: skip


@pytest.mark.parametrize("reason", CHANGES)
def test_the_order_changes_before_the_confirmation(reason: str, flow: RefundFlow) -> None:
    flow.propose()
    CHANGES[reason](flow.shop)
    flow.confirm_and_expect(State.CANCELLED, reason)
    assert not LedgerEntry.objects.exists()


@pytest.mark.one_in(4)
@pytest.mark.parametrize("reason", CHANGES)
def test_the_order_changes_between_confirmation_and_call(reason: str, flow: RefundFlow) -> None:
    flow.propose()
    flow.confirm()
    CHANGES[reason](flow.shop)
    flow.process()
    flow.deliver()
    flow.assert_nothing_done(State.FAILED, reason)


def test_the_order_changes_during_the_call(flow: RefundFlow, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last check found no obstacle, but the merchant refuses, and the customer is informed."""
    with fault_at("after the mark, before the call", lambda: refunded_elsewhere(flow.shop), monkeypatch):
        flow.run()
    flow.assert_nothing_done(State.FAILED, "merchant_refused")


def test_a_completed_refund_is_neither_repeated_nor_changed(flow: RefundFlow) -> None:
    flow.run()
    again = services.propose(flow.principal, "refund_order", REFUND, proposal_key="turn:2:1")
    assert (again.state, again.reason_code) == (State.REFUSED, "already_refunded")
    make_due()
    sweep()
    assert run_queued() == []
    flow.deliver()
    flow.assert_paid_once()
