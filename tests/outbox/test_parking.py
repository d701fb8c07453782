"""An announcement that fails repeatedly is parked, reported and delivered later; nothing waits behind it."""

import json
from io import StringIO
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import now
from pytest_django import Settings

from supportbot.accounts.models import Workspace
from supportbot.ids import uuid7
from supportbot.outbox.delivery import MAX_ATTEMPTS, deliver_due
from supportbot.outbox.models import Announcement
from supportbot.outbox.services import announce, parked, purge_delivered

pytestmark = pytest.mark.django_db
heard: list[tuple[str, UUID]] = []
deaf_to: set[tuple[str, UUID]] = set()


def consumer(announcement: Announcement) -> None:
    if (announcement.topic, announcement.object_id) in deaf_to:
        raise RuntimeError("a bug\x00 \ud800")
    heard.append((announcement.topic, announcement.object_id))


@pytest.fixture(autouse=True)
def topics(settings: Settings) -> None:
    heard.clear()
    deaf_to.clear()
    settings.OUTBOX_CONSUMERS = {"thing_changed": [f"{__name__}.consumer"], "thing_gone": [f"{__name__}.consumer"]}


def let_time_pass() -> None:
    """Run the relay until nothing is due, skipping all pauses."""
    for _ in range(MAX_ATTEMPTS + 1):
        Announcement.objects.filter(delivered_at=None).update(due_at="2000-01-01T00:00:00Z")
        deliver_due()


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("outbox_parked", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def poison(workspace: Workspace) -> UUID:
    """An announcement that no consumer can handle; it was retried until it was parked."""
    thing = uuid7()
    deaf_to.add(("thing_changed", thing))
    announce("thing_changed", thing, workspace_id=workspace.pk)
    let_time_pass()
    return thing


def test_a_poison_announcement_is_parked_after_the_last_attempt(poison: UUID, caplog: pytest.LogCaptureFixture) -> None:
    row = parked().get()
    assert (row.object_id, row.attempts, row.delivered_at) == (poison, MAX_ATTEMPTS, None)
    assert row.last_error.startswith("RuntimeError: a bug")
    assert any(f"parked after {MAX_ATTEMPTS} attempts" in record.getMessage() for record in caplog.get_records("setup"))
    assert deliver_due() == 0


def test_pauses_grow_before_an_announcement_is_parked(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    thing, moment = uuid7(), now()
    monkeypatch.setattr("supportbot.outbox.delivery.timezone", SimpleNamespace(now=lambda: moment))
    deaf_to.add(("thing_changed", thing))
    announce("thing_changed", thing, workspace_id=workspace.pk)
    pauses = []
    for _ in range(MAX_ATTEMPTS - 1):
        Announcement.objects.update(due_at="2000-01-01T00:00:00Z")
        assert deliver_due() == 1
        row = Announcement.objects.get()
        assert row.parked_at is None
        pauses.append((row.due_at - moment).total_seconds())
    assert pauses == sorted(pauses) and pauses[0] == 1
    assert 10 * 60 < sum(pauses) < 60 * 60


def test_later_announcements_about_the_same_object_pass_a_parked_one(poison: UUID, workspace: Workspace) -> None:
    announce("thing_gone", poison, workspace_id=workspace.pk)
    deliver_due()
    assert heard == [("thing_gone", poison)]
    assert parked().count() == 1  # another topic has not been delivered


def test_a_later_announcement_of_the_same_kind_replaces_a_parked_one(poison: UUID, workspace: Workspace) -> None:
    deaf_to.clear()
    announce("thing_changed", poison, workspace_id=workspace.pk)
    deliver_due()
    assert heard == [("thing_changed", poison)]
    assert not parked().exists() and not Announcement.objects.filter(delivered_at=None).exists()


def test_a_parked_announcement_is_delivered_when_somebody_retries_it(poison: UUID) -> None:
    number = parked().get().pk
    assert run("--retry", str(number)) == "1 announcement will be retried within seconds.\n"
    deliver_due()
    assert heard == [] and not parked().exists()  # refused again, now with all attempts left
    let_time_pass()
    assert parked().get().pk == number
    deaf_to.clear()
    assert json.loads(run("--retry", "all", "--json")) == {"retried": 1}
    deliver_due()
    assert heard == [("thing_changed", poison)]


def test_the_command_lists_parked_announcements(poison: UUID, workspace: Workspace) -> None:
    [row] = json.loads(run("--json"))["parked"]
    assert (row["topic"], row["object"], row["workspace"]) == ("thing_changed", str(poison), str(workspace.pk))
    assert row["attempts"] == MAX_ATTEMPTS and "a bug" in row["error"]
    assert str(poison) in run()


def test_the_command_reports_errors_in_a_sentence(workspace: Workspace) -> None:
    assert run() == "Nothing is parked.\n"
    assert json.loads(run("--retry", "all", "--json")) == {"retried": 0}
    for wrong in ("5", "x", "\u0665", "9" * 40):
        with pytest.raises(CommandError, match="parked announcement"):
            run("--retry", wrong)


def test_parked_announcements_are_never_purged(poison: UUID) -> None:
    Announcement.objects.update(created_at="2000-01-01T00:00:00Z")
    assert purge_delivered() == 0
    assert parked().count() == 1
