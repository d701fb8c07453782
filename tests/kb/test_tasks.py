"""Index tasks are published without waiting for the broker."""

import threading

import pytest
from kombu.exceptions import OperationalError

from kb.services import Change, create_article, publish
from kb.tasks import Publisher
from supportbot.accounts.models import Workspace
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.models import Announcement
from tests.patience import PATIENCE_SECONDS


def test_a_hanging_broker_blocks_nobody() -> None:
    publisher, release, reached = Publisher(), threading.Event(), threading.Event()

    def hangs() -> None:
        reached.set()
        release.wait(timeout=PATIENCE_SECONDS)

    publisher.put(hangs)
    assert reached.wait(timeout=PATIENCE_SECONDS)
    for _ in range(2_000):  # more than the queue holds: the rest is dropped, since the sweep finds it
        publisher.put(lambda: None)
    release.set()


def test_a_broker_that_is_down_does_not_end_the_publisher() -> None:
    publisher, arrived = Publisher(), threading.Event()

    def down() -> None:
        raise OperationalError("nobody listens")

    publisher.put(down)
    publisher.put(arrived.set)
    assert arrived.wait(timeout=PATIENCE_SECONDS)


@pytest.mark.django_db
def test_a_publish_reaches_a_worker_through_the_outbox(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, ...]] = []
    monkeypatch.setattr("kb.tasks.publisher.put", lambda publish: sent.append(publish.keywords["args"]))
    row = publish(create_article(Change(title="Delivery", body="Two days.")).pk)
    assert deliver_due() == 1
    assert sent == [(str(workspace.pk), str(row.pk))]
    assert Announcement.objects.filter(delivered_at=None).count() == 0
