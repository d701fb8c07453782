"""The fault matrix of one action: each kind of fault at each point of its way (docs/testing.md names the cells).

A story is one refund, from the wish to what the customer was told. It is broken once at a named point; then the client
sends again what nobody acknowledged, time passes, and the end must be the same: one effect, truthfully told once.
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
from actions.execution import claim, execute
from actions.models import ActionRequest, Attempt, LedgerEntry
from actions.policies import policy_of, switch
from actions.principals import Principal
from actions.publisher import Publisher
from actions.states import State
from actions.sweeping import sweep
from actions.testing import FakeShop, ProcessDied, make_due, run_queued
from supportbot.assistant.receivers import write_down
from supportbot.chat.models import Conversation
from supportbot.outbox.models import Announcement
from tests.actions.conftest import REFUND
from tests.actions.refund_flow import POINTS, Story, fault_at

pytestmark = pytest.mark.django_db
BEFORE_THE_WISH, BEFORE_THE_CLICK = "before the proposal is committed", "before the confirmation is committed"


@pytest.fixture(autouse=True)
def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reaches the broker; nothing of it comes by itself."""
    sent: list[str] = []
    monkeypatch.setattr("actions.sweeping.publish", lambda workspace_id, request_id: sent.append(str(request_id)))
    monkeypatch.setattr("actions.publisher.Publisher.wake", lambda self, workspace_id, request_id: None)
    return sent


@pytest.fixture
def story(shop: FakeShop, principal: Principal) -> Story:
    conversation = Conversation.objects.create(customer_id=principal.customer_id)
    return Story(principal, shop, conversation.pk)


def die() -> None:
    raise ProcessDied


def lose_the_database() -> None:
    """End this connection's server process, as a restart of PostgreSQL would; the next statement finds out."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    database = connection.settings_dict
    with psycopg.connect(
        host=database["HOST"], port=database["PORT"], user=database["USER"], password=database["PASSWORD"],
        dbname=database["NAME"], autocommit=True,
    ) as other:  # fmt: skip
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


@pytest.mark.parametrize("point", POINTS)
def test_the_process_is_killed(point: str, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_at(point, die, monkeypatch) as struck:
        story.live()
    assert struck and story.lost == 1
    story.assert_told_well()
    assert story.shop.calls.count("run refund") == 1  # what may have been sent is asked for, not sent again


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", POINTS)
def test_the_database_goes_away(point: str, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_at(point, lose_the_database, monkeypatch) as struck:
        story.live()
    assert struck
    story.assert_told_well()


def test_nothing_is_left_of_a_proposal_that_was_not_committed(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_at(BEFORE_THE_WISH, die, monkeypatch), pytest.raises(ProcessDied):
        story.wish()
    assert not ActionRequest.objects.exists() and not Announcement.objects.exists()


def test_a_card_stays_when_its_confirmation_was_not_committed(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.wish()
    with fault_at(BEFORE_THE_CLICK, die, monkeypatch), pytest.raises(ProcessDied):
        story.click()
    assert story.request.state == State.AWAITING_CONFIRMATION
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize("point", list(POINTS)[4:7])
def test_no_call_is_made_without_its_attempt_on_record(
    point: str, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.wish()
    story.click()
    with fault_at(point, die, monkeypatch), pytest.raises(ProcessDied):
        story.work()
    assert "run refund" not in story.shop.calls
    assert not Attempt.objects.exclude(sent_at=None).exists()


# --- The broker is down.


def test_a_proposal_needs_no_broker_and_a_confirmation_waits_for_it(
    story: Story, monkeypatch: pytest.MonkeyPatch, messages: list[str]
) -> None:
    def down(workspace_id: object, request_id: object) -> None:
        raise BrokerDown("no broker")

    monkeypatch.undo()  # the real publisher
    monkeypatch.setattr("actions.publisher.publish", down)
    monkeypatch.setattr("actions.sweeping.publish", down)
    story.wish()
    story.click()
    Publisher().wake(story.request.workspace_pk, story.request.pk)
    ActionRequest.objects.update(changed_at="2000-01-01T00:00:00Z")
    sweep()
    assert story.request.state == State.QUEUED
    monkeypatch.setattr("actions.sweeping.publish", lambda workspace_id, request_id: messages.append(str(request_id)))
    sweep()
    assert messages == [str(story.request.pk)]
    story.work()
    story.hear()
    story.assert_told_well()


def test_a_message_lost_with_the_broker_comes_again_and_the_old_one_too(story: Story, messages: list[str]) -> None:
    story.wish()
    story.click()
    ActionRequest.objects.update(changed_at="2000-01-01T00:00:00Z")
    sweep()  # publishes a second message for the same request
    assert messages == [str(story.request.pk)]
    attempt = claim(story.request.pk)
    assert attempt is not None
    execute(story.request.pk)  # the first message after all: the lease refuses it
    assert "run refund" not in story.shop.calls
    story.work()
    story.hear()
    story.assert_told_well()


@pytest.mark.parametrize("point", ["after the mark, before the call", "after the call, before its result"])
def test_a_call_under_way_needs_no_broker(point: str, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_broker() -> None:
        monkeypatch.setattr("supportbot.celery.app.connection_for_write", die)

    with fault_at(point, cut_broker, monkeypatch) as struck:
        story.live()
    assert struck and story.lost == 0
    story.assert_told_well()


@pytest.mark.django_db(transaction=True)
def test_a_lost_doorbell_leaves_the_event_in_the_log(story: Story, settings: Settings, unused_port: int) -> None:
    """Readers find it by their poll of the log's head."""
    story.wish()
    story.click()
    story.work()
    layer = {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
             "CONFIG": {"hosts": [f"redis://127.0.0.1:{unused_port}/1"]}}  # fmt: skip
    assert django_settings.CHANNEL_LAYERS["default"] != layer
    settings.CHANNEL_LAYERS = {"default": layer}
    story.hear()
    story.assert_told_well()


# --- Everything is delivered twice.


def test_every_step_comes_twice(story: Story) -> None:
    for step in (story.wish, story.click, story.work, story.hear):
        step()
        step() if step != story.click else click_again(story)
    Announcement.objects.update(delivered_at=None)
    story.hear()
    write_down(story.request.pk)
    story.assert_told_well()
    assert story.shop.calls.count("run refund") == 1


def click_again(story: Story) -> None:
    with pytest.raises(NotWaiting):
        services.confirm(story.request.pk, principal=story.principal, digest=story.request.digest)


def test_the_merchant_hears_every_call_twice(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    real = FakeShop.run

    def run_twice(shop: FakeShop, *args: Any, **more: Any) -> Any:
        first, second = real(shop, *args, **more), real(shop, *args, **more)
        assert first == second
        return second

    monkeypatch.setattr(FakeShop, "run", run_twice)
    story.live()
    assert story.shop.calls.count("run refund") == 2
    story.assert_told_well()


# --- The world changes meanwhile.


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
def test_the_world_changes_before_the_confirmation(reason: str, story: Story) -> None:
    story.wish()
    CHANGES[reason](story.shop)
    story.click_and_expect(State.CANCELLED, reason)
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize("reason", CHANGES)
def test_the_world_changes_between_confirmation_and_call(reason: str, story: Story) -> None:
    story.wish()
    story.click()
    CHANGES[reason](story.shop)
    story.work()
    story.hear()
    story.assert_nothing_done(State.FAILED, reason)


def test_the_world_changes_under_the_call(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last look saw nothing in the way; the merchant says no, and that is what the customer is told."""
    with fault_at("after the mark, before the call", lambda: refunded_elsewhere(story.shop), monkeypatch):
        story.live()
    story.assert_nothing_done(State.FAILED, "merchant_refused")


def test_what_is_done_is_undone_by_nothing_but_a_new_action(story: Story) -> None:
    story.live()
    again = services.propose(story.principal, "refund_order", REFUND, proposal_key="turn:2:1")
    assert (again.state, again.reason_code) == (State.REFUSED, "already_refunded")
    make_due()
    sweep()
    assert run_queued() == []
    story.hear()
    story.assert_told_well()
