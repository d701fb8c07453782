"""How a queued request reaches a worker: by a message, by the sweep where that is lost, and by one of them alone."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now
from kombu.exceptions import OperationalError

from actions.connectors.port import Found
from actions.execution import MAX_ATTEMPTS, claim
from actions.models import ActionRequest
from actions.principals import Principal
from actions.publisher import Publisher, publish
from actions.services import confirm
from actions.states import State
from actions.sweeping import hand_over, sweep
from actions.tasks import expire_waiting, run_request, write_down_heads
from actions.tasks import sweep as sweep_task
from actions.testing import FakeShop, make_due, run_queued
from supportbot.celery import app

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("messages")]


def test_one_stumbling_request_holds_up_no_other(
    queued: ActionRequest, shop: FakeShop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(request_id: object) -> None:
        raise RuntimeError("a bug")

    assert claim(queued.pk) is not None
    make_due()
    monkeypatch.setattr("actions.sweeping.recover", stumble)
    sweep()
    assert "stumbled" in caplog.text


def unknown_ones(proposals: Callable[..., ActionRequest], principal: Principal, shop: FakeShop) -> None:
    """Leave three requests unknown whose merchant can be asked again, all of them due for a look."""
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


def test_a_merchant_that_hangs_takes_a_sweep_no_longer_than_one_look(
    proposals: Callable[..., ActionRequest], principal: Principal, shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown_ones(proposals, principal, shop)
    monkeypatch.setattr("actions.sweeping.monotonic", lambda: 4.0 * shop.calls.count("find"))  # each look takes 4 s
    for looks in (1, 2, 3):
        sweep()
        assert shop.calls.count("find") == looks
    assert set(ActionRequest.objects.values_list("state", flat=True)) == {State.SUCCEEDED}


def test_two_sweeps_never_ask_for_the_same_outcome(
    proposals: Callable[..., ActionRequest], principal: Principal, shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown_ones(proposals, principal, shop)
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
    assert hand_over() == 0  # a message is on its way
    ActionRequest.objects.filter(pk=queued.pk).update(changed_at=queued.created_at.replace(year=2000))
    assert hand_over() == 1
    assert messages == [str(queued.pk)]


def test_the_publisher_never_holds_up_its_caller(monkeypatch: pytest.MonkeyPatch, queued: ActionRequest) -> None:
    """A broker that accepts and never answers: the thread hangs, the caller does not."""
    hangs, let_go = threading.Event(), threading.Event()

    def hang(workspace_id: object, request_id: object) -> None:
        hangs.set()
        let_go.wait(10)

    monkeypatch.setattr("actions.publisher.publish", hang)
    publisher = Publisher()
    for _ in range(1_200):  # more than fit: the rest is dropped, not waited for
        publisher.wake(queued.workspace_pk, queued.pk)
    assert hangs.wait(10)
    let_go.set()


def test_the_publisher_outlives_a_broker_that_is_down(monkeypatch: pytest.MonkeyPatch, queued: ActionRequest) -> None:
    published, answers = threading.Event(), [OperationalError("no broker"), OSError("gone")]

    def publish(workspace_id: object, request_id: object) -> None:
        if answers:
            raise answers.pop()
        published.set()

    monkeypatch.setattr("actions.publisher.publish", publish)
    publisher = Publisher()
    for _ in range(3):
        publisher.wake(queued.workspace_pk, queued.pk)
    assert published.wait(10)


def test_the_work_goes_by_its_own_queue_and_the_clock_comes_by() -> None:
    routes = app.amqp.router.route({}, "actions.tasks.run_request")
    assert routes["queue"].name == "actions"
    assert {"sweep-actions", "expire-actions", "write-down-audit-heads"} <= set(app.conf.beat_schedule)
    for entry in app.conf.beat_schedule.values():
        if entry["task"].startswith("actions."):
            assert entry["task"] in {sweep_task.name, expire_waiting.name, write_down_heads.name}


def test_a_published_message_names_the_task_and_goes_to_its_queue(
    monkeypatch: pytest.MonkeyPatch, queued: ActionRequest
) -> None:
    sent: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        app.amqp, "send_task_message", lambda producer, name, message, **more: sent.append((name, more))
    )
    publish(queued.workspace_pk, queued.pk)
    [(name, options)] = sent
    assert app.tasks[name].name == run_request.name
    assert options["queue"].name == "actions" and options["retry"] is False


def test_the_door_of_celery_runs_inside_the_requests_workspace(queued: ActionRequest, shop: FakeShop) -> None:
    run_request(str(queued.workspace_pk), str(queued.pk))
    run_request(str(queued.workspace_pk), str(queued.pk))
    queued.refresh_from_db()
    assert queued.state == State.SUCCEEDED and len(shop.refunds) == 1
