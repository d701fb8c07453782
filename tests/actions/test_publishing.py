"""A queued request reaches a worker by a message, or by the sweep if the message is lost."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now
from kombu.exceptions import OperationalError

from actions.merchant_api.port import Found
from actions.models import ActionRequest
from actions.principals import Principal
from actions.requests.celery_publisher import Publisher, publish
from actions.requests.execution import MAX_ATTEMPTS, claim
from actions.requests.sweeps import publish_due, sweep
from actions.services import confirm
from actions.states import State
from actions.tasks import (
    check_tools,
    checkpoint_audit_chain,
    expire_waiting,
    forget_old_secrets,
    judge_waiting,
    run_request,
)
from actions.tasks import sweep as sweep_task
from actions.testing import FakeShop, make_due, run_queued
from supportbot.celery import app
from tests.patience import PATIENCE_SECONDS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("messages")]


def test_an_error_in_one_request_does_not_stop_the_others(
    queued: ActionRequest, shop: FakeShop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(request_id: object) -> None:
        raise RuntimeError("a bug")

    assert claim(queued.pk) is not None
    make_due()
    monkeypatch.setattr("actions.requests.sweeps.recover", stumble)
    sweep()
    assert "the sweep failed for request" in caplog.text


def unknown_requests(proposals: Callable[..., ActionRequest], principal: Principal, shop: FakeShop) -> None:
    """Make three requests with unknown outcomes, all due for a check, and a merchant that can be asked again."""
    shop.can_be_found = False
    for amount in ("1.00", "2.00", "3.00"):
        card = proposals(order_id="A-1002", amount=amount)
        confirm(card.pk, principal=principal, digest=card.digest)
    shop.faults = ["commit_then_silence"] * 3
    for _ in range(MAX_ATTEMPTS):
        make_due()
        run_queued()
    assert ActionRequest.objects.filter(state=State.UNKNOWN).count() == 3
    shop.can_be_found = True
    shop.calls.clear()
    make_due()


@pytest.mark.long
def test_a_hanging_merchant_delays_a_sweep_by_one_check_at_most(
    proposals: Callable[..., ActionRequest], principal: Principal, shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown_requests(proposals, principal, shop)
    monkeypatch.setattr(
        "actions.requests.sweeps.monotonic", lambda: 4.0 * shop.calls.count("find")
    )  # each check takes 4 s
    for looks in (1, 2, 3):
        sweep()
        assert shop.calls.count("find") == looks
    assert set(ActionRequest.objects.values_list("state", flat=True)) == {State.SUCCEEDED}


@pytest.mark.long
def test_two_sweeps_never_check_the_same_outcome(
    proposals: Callable[..., ActionRequest], principal: Principal, shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actions.requests.sweeps.CHECK_SECONDS", PATIENCE_SECONDS)
    unknown_requests(proposals, principal, shop)
    real = FakeShop.find

    def find_while_another_sweeps(self: FakeShop, key: str) -> Found:
        monkeypatch.setattr(FakeShop, "find", real)
        sweep()
        return real(self, key)

    monkeypatch.setattr(FakeShop, "find", find_while_another_sweeps)
    sweep()
    assert shop.calls.count("find") == 3


def test_a_lost_message_is_sent_again_by_the_sweep(queued: ActionRequest, messages: list[str]) -> None:
    ActionRequest.objects.filter(pk=queued.pk).update(changed_at=now() + timedelta(minutes=1))
    assert publish_due() == 0  # a message is on its way
    ActionRequest.objects.filter(pk=queued.pk).update(changed_at=queued.created_at.replace(year=2000))
    assert publish_due() == 1
    assert messages == [str(queued.pk)]


def test_the_publisher_never_blocks_its_caller(monkeypatch: pytest.MonkeyPatch, queued: ActionRequest) -> None:
    """The broker accepts the connection and never answers: the publisher's thread hangs, but the caller does not."""
    hangs, let_go = threading.Event(), threading.Event()

    def hang(workspace_id: object, request_id: object) -> None:
        hangs.set()
        let_go.wait(PATIENCE_SECONDS)

    monkeypatch.setattr("actions.requests.celery_publisher.publish", hang)
    publisher = Publisher()
    for _ in range(1_200):  # more than fit into the queue: the rest is dropped without waiting
        publisher.enqueue(queued.workspace_pk, queued.pk)
    assert hangs.wait(PATIENCE_SECONDS)
    let_go.set()


def test_the_publisher_survives_a_broker_that_is_down(monkeypatch: pytest.MonkeyPatch, queued: ActionRequest) -> None:
    published, answers = threading.Event(), [OperationalError("no broker"), OSError("gone")]

    def publish(workspace_id: object, request_id: object) -> None:
        if answers:
            raise answers.pop()
        published.set()

    monkeypatch.setattr("actions.requests.celery_publisher.publish", publish)
    publisher = Publisher()
    for _ in range(3):
        publisher.enqueue(queued.workspace_pk, queued.pk)
    assert published.wait(PATIENCE_SECONDS)


def test_actions_have_their_own_queue_and_schedule() -> None:
    routes = app.amqp.router.route({}, "actions.tasks.run_request")
    assert routes["queue"].name == "actions"
    assert {"sweep-actions", "expire-actions", "checkpoint-audit-chain"} <= set(app.conf.beat_schedule)
    for entry in app.conf.beat_schedule.values():
        if entry["task"].startswith("actions."):
            assert entry["task"] in {
                sweep_task.name, expire_waiting.name, checkpoint_audit_chain.name, forget_old_secrets.name,
                check_tools.name, judge_waiting.name,
            }  # fmt: skip


def test_a_published_message_names_the_task_and_is_sent_to_its_queue(
    monkeypatch: pytest.MonkeyPatch, queued: ActionRequest
) -> None:
    sent: list[tuple[str, Any, dict[str, Any]]] = []
    monkeypatch.setattr(
        app.amqp, "send_task_message", lambda producer, name, message, **more: sent.append((name, message, more))
    )
    publish(queued.workspace_pk, queued.pk)
    # A thread of another test may still send its messages.
    [(name, options)] = [(name, more) for name, message, more in sent if str(queued.pk) in message.body[0]]
    assert app.tasks[name].name == run_request.name
    assert options["queue"].name == "actions" and options["retry"] is False


def test_the_task_runs_in_the_requests_workspace(queued: ActionRequest, shop: FakeShop) -> None:
    run_request(str(queued.workspace_pk), str(queued.pk))
    run_request(str(queued.workspace_pk), str(queued.pk))
    queued.refresh_from_db()
    assert queued.state == State.SUCCEEDED and len(shop.refunds) == 1
