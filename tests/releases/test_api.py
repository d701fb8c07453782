"""Releases over REST."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from actions.models import AuditEntry
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.embedded.child_processes import wait_until
from supportbot.releases import services
from supportbot.releases.models import Release, ReleaseGates
from supportbot.releases.selectors import current, live_release
from tests.locks import has_waiting_locks
from tests.patience import PATIENCE_SECONDS
from tests.rest import service

pytestmark = pytest.mark.django_db
RELEASES = "/api/v1/releases"


def test_a_program_publishes_and_restores(workspace: Workspace, other_workspace: Workspace) -> None:
    program, reader = service(workspace, "releases:read", "releases:write"), service(workspace, "releases:read")
    [first] = program.get(RELEASES).json()["results"]
    made = program.post(RELEASES, {"document": {"tone": "warm"}}, format="json")
    assert (made.status_code, made.json()["state"], made.json()["document"]["tone"]) == (201, "draft", "warm")
    page, told = f"{RELEASES}/{made.json()['id']}", {"instead_of": 1, "reason": "warmer"}
    assert reader.post(f"{page}/publish", told, format="json").status_code == 403
    late = program.post(f"{page}/publish", {**told, "instead_of": 9}, format="json")
    assert (late.status_code, late.json()["code"]) == (409, "another_went_live")
    done = program.post(f"{page}/publish", told, format="json")
    assert (done.status_code, done.json()["state"], current().document.tone) == (200, "live", "warm")
    assert program.get(page).json()["references"]["knowledge"]["articles"] == 0
    assert program.delete(page).json()["code"] == "not_a_draft"
    back = program.post(f"{RELEASES}/{first['id']}/restore", {"instead_of": 2, "reason": "too warm"}, format="json")
    assert (back.json()["restores"], back.json()["number"], current().document.tone) == (1, 3, "")
    with workspace_scope(other_workspace.pk):
        theirs = live_release().pk
    assert program.get(f"{RELEASES}/{theirs}").status_code == 404
    wrong = program.post(RELEASES, {"document": {"tone": 5}}, format="json")
    assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["tone"])
    again = program.post(RELEASES, {}, format="json")
    none = program.post(f"{RELEASES}/{again.json()['id']}/evaluate", {}, format="json")
    assert (none.status_code, none.json()["code"]) == (409, "no_gates")


def test_a_program_needs_a_right_to_restore_a_release_that_never_passed_the_gates(
    workspace: Workspace, settings: Settings
) -> None:
    settings.RELEASES_MISSING_SUITES = "tests.releases.test_services.missing"
    program = service(workspace, "releases:read", "releases:write")
    first = live_release()
    made = program.post(RELEASES, {"document": {"tone": "warm"}}, format="json").json()
    program.post(f"{RELEASES}/{made['id']}/publish", {"instead_of": 1, "reason": "warmer"}, format="json")
    ReleaseGates.objects.create(suites=["demo"])
    page, told = f"{RELEASES}/{first.pk}/restore", {"instead_of": 2, "reason": "too warm"}
    assert program.post(page, told, format="json").json()["code"] == "not_proven"
    told["override"] = "It was good before"
    assert program.post(page, told, format="json").status_code == 403 and current().number == 2
    stronger = service(workspace, "releases:read", "releases:write", "releases:override")
    done = stronger.post(page, told, format="json").json()
    assert (done["restores"], done["override_reason"], current().number) == (1, "It was good before", 3)


@pytest.mark.django_db(transaction=True)
def test_of_two_publications_at_once_one_goes_live_and_the_other_is_refused(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = service(workspace, "releases:read", "releases:write")
    pages = [
        f"{RELEASES}/{program.post(RELEASES, {'document': {'tone': tone}}, format='json').json()['id']}"
        for tone in ("warm", "cool")
    ]
    is_first_inside, check = Event(), services._check_document

    def hold_the_first(*given: Any, **more: Any) -> None:
        check(*given, **more)
        if not is_first_inside.is_set():
            is_first_inside.set()
            _wait_until_another_waits_for_its_lock()

    monkeypatch.setattr(services, "_check_document", hold_the_first)

    def publish(page: str) -> Any:
        try:
            return program.post(f"{page}/publish", {"instead_of": 1, "reason": "mine"}, format="json")
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(publish, pages[0])
        assert is_first_inside.wait(PATIENCE_SECONDS)
        second = threads.submit(publish, pages[1])
        won, lost = first.result(PATIENCE_SECONDS), second.result(PATIENCE_SECONDS)
    assert (won.status_code, won.json()["state"]) == (200, "live")
    assert (lost.status_code, lost.json()["code"]) == (409, "another_went_live")
    assert sorted(Release.objects.values_list("number", "state")) == [(1, "replaced"), (2, "live"), (3, "draft")]
    assert current().document.tone == "warm"
    assert AuditEntry.objects.filter(event="release.published").count() == 1


def _wait_until_another_waits_for_its_lock() -> None:
    is_waiting = wait_until(has_waiting_locks, seconds=PATIENCE_SECONDS)
    assert is_waiting, "the second publication does not wait for the first"
